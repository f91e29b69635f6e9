"""Pages for when something is in the way: calm words and a way on, never a bare error."""

from dataclasses import dataclass

from flask import Response, make_response, render_template


@dataclass(frozen=True)
class Problem:
    status: int
    title: str
    text: str


NOT_ADMITTED = Problem(
    403,
    "This product is not open to you yet",
    "Either the sign-in was cancelled, or your role does not include this product. "
    "An administrator of your company can add it.",
)
NOT_FINISHED = Problem(
    400, "That sign-in was not finished", "Nothing has changed. You can simply start it again."
)
STALE = Problem(
    400,
    "That sign-in is no longer open",
    "It took too long, was already used, or was started in another browser.",
)
NOT_FROM_PROVIDER = Problem(
    400,
    "That answer did not come from your sign-in service",
    "So it was not used. Please start again from here.",
)
BAD_LINK = Problem(
    400, "That link is not complete", "It names something that this product does not know."
)
AWAY = Problem(
    503,
    "Sign-in is taking a short break",
    "The sign-in service does not answer right now. Your work here is safe; try again in a moment.",
)
NO_PERMISSION = Problem(
    403,
    "This page is not part of your role",
    "An administrator of your company can add it. Everything else works as before.",
)
OLD_FORM = Problem(
    400,
    "This form is too old",
    "Nothing was sent. Go back, reload the page, and try once more.",
)
NOT_FOUND = Problem(
    404, "There is nothing at this address", "The page may have moved, or belong to another tenant."
)
NOT_ALLOWED = Problem(405, "That does not work this way", "Please use the buttons of the product.")
FAILED = Problem(
    500, "Something went wrong on our side", "It has been noted. Trying again may already help."
)


def problem_page(
    problem: Problem, *, retry: str | None = None, other_account: bool = False, code: str = ""
) -> Response:
    """`retry` is a link of ours; `code` is the protocol's error code, for a support call."""
    page = render_template(
        "problem.html", problem=problem, retry=retry, other_account=other_account, code=code
    )
    response = make_response(page, problem.status)
    if problem.status == 503:
        response.headers["Retry-After"] = "5"
    return response
