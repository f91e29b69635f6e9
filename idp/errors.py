"""Every refusal, in one tree.

A refusal is an answer, not an accident: what it has written (counters, audit, an ended grant)
is committed. `public_message` may be shown to anybody; `detail` goes to the log and the audit.
"""

from __future__ import annotations

import errno
import re

_UNTOLD = re.compile(r"[^\x20-\x21\x23-\x5b\x5d-\x7e]")


def told(sentence: str) -> str:
    """Marks a sentence for people, where a rule says it: the languages know it, and the page that
    shows it translates it. Placeholders are filled in before, so use none."""
    return sentence


def described(sentence: str) -> str:
    """As an `error_description` (RFC 6749 section 5.2): ASCII without quotation marks, backslashes
    and control characters, whatever of the request the sentence repeats."""
    return _UNTOLD.sub("?", sentence)


class Refusal(Exception):
    """The base: `code` for machines, `public_message` for people, `detail` for the log."""

    status = 400

    def __init__(self, code: str, public_message: str, detail: str = "") -> None:
        super().__init__(f"{code}: {detail or public_message}")
        self.code = code
        self.public_message = public_message
        self.detail = detail or public_message


class OAuthRefusal(Refusal):
    """An error answer of a protocol endpoint, as JSON (RFC 6749 section 5.2)."""

    def __init__(self, code: str, public_message: str, detail: str = "", status: int = 400) -> None:
        super().__init__(code, public_message, detail)
        self.status = status


class ClientRefusal(OAuthRefusal):
    """Client authentication failed (RFC 6749 section 5.2: 401 invalid_client). `client_id` is set
    when the client exists."""

    def __init__(self, detail: str, client_id: str | None = None) -> None:
        super().__init__("invalid_client", "Client authentication failed.", detail, status=401)
        self.client_id = client_id


class MetadataRefusal(OAuthRefusal):
    """One member is not acceptable (RFC 7591 section 3.2.2); `member` names it."""

    def __init__(self, member: str, message: str) -> None:
        code = "invalid_redirect_uri" if member == "redirect_uris" else "invalid_client_metadata"
        super().__init__(code, message, f"{member}: {message}")
        self.member = member


class BearerRefusal(OAuthRefusal):
    """A bearer token was missing or not good enough (RFC 6750 section 3.1)."""

    def __init__(self, code: str, public_message: str, detail: str = "", status: int = 401) -> None:
        super().__init__(code, public_message, detail, status)


class AuthorizationRefusal(Refusal):
    """Told to the client at its proven redirect URI (RFC 6749 section 4.1.2.1)."""


class PageRefusal(Refusal):
    """Told to the person on a page of ours: nothing may be redirected."""

    def __init__(self, code: str, public_message: str, detail: str = "", status: int = 400) -> None:
        super().__init__(code, public_message, detail)
        self.status = status


class Busy(Refusal):
    """More work than we take on at once; try again soon."""

    status = 503

    def __init__(self, detail: str) -> None:
        super().__init__(
            "temporarily_unavailable", "We are busy. Please try again in a moment.", detail
        )


class StoreUnavailable(Refusal):
    """A store is away: nothing is allowed and nothing is guessed."""

    status = 503

    def __init__(self, detail: str) -> None:
        super().__init__(
            "temporarily_unavailable",
            "The service is unavailable for a moment. Please try again.",
            detail,
        )


def no_room(problem: BaseException) -> StoreUnavailable | None:
    """A refusal if it is a disk that is full, as that of temporary files."""
    if isinstance(problem, OSError) and problem.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreUnavailable(f"disk: {problem}")
    return None


class Unreadable(Refusal):
    """Text that a store would cut, and so take for another."""

    def __init__(self) -> None:
        super().__init__("invalid_request", "The request can't be read.", "a null character")


class Failure(Refusal):
    """Whatever we did not foresee: the log has the trace, the answer says nothing of it."""

    status = 500

    def __init__(self) -> None:
        super().__init__(
            "server_error", "It is not your fault. Please try again in a moment.", "unforeseen"
        )


class SetupMistake(Exception):
    """Something an operator can mend: a setting, a key file, a set-up file."""


class FormMistake(SetupMistake):
    """One field of what describes a product, client, tenant or role can't be taken."""

    def __init__(self, place: str, field: str, sentence: str) -> None:
        super().__init__(f"{place}, {field}: {sentence}")
        self.field = field
        self.sentence = sentence
