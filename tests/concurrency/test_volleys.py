"""What may happen once happens once, however many processes are asked for it at once. More of it
is in the scenarios R15 to R17 (chaos/scenarios)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable

from tests.concurrency.assertions import assertion
from tests.concurrency.conftest import PUBLIC, SIGNING, Town
from tests.concurrency.volley import Answer, form, page
from tests.world import AMARA, BEN, DANA, PASSWORD, Visitor

GRACE_USES = 10
BUSY = 503  # more passwords at once than there is room for: such a try is not counted


def outcomes(answers: list[Answer]) -> Counter[tuple[int, str]]:
    return Counter((answer.status, answer.error) for answer in answers)


def test_a_code_that_another_client_sends_at_the_same_time_is_not_spent_by_it(town: Town) -> None:
    code = town.code()
    answers = town.fire(*[town.redemption(code, "payments")] * 50, town.redemption(code))
    assert outcomes(answers[:50]) == {(400, "invalid_grant"): 50}
    assert town.is_active(answers[50].json["access_token"])


def test_refreshes_of_a_public_client_within_the_grace_all_give_one_successor(town: Town) -> None:
    first = town.tokens(PUBLIC)["refresh_token"]
    answers = town.fire(*[town.refreshment(first, PUBLIC)] * (1 + GRACE_USES))
    assert outcomes(answers) == {(200, ""): 1 + GRACE_USES}
    [second] = {answer.json["refresh_token"] for answer in answers}
    assert second != first
    [answer] = town.fire(town.refreshment(second, PUBLIC))
    assert answer.status == 200
    [replayed] = town.fire(town.refreshment(first, PUBLIC))
    assert (replayed.status, replayed.error) == (400, "invalid_grant")
    assert not is_alive(town, answer)


def is_alive(town: Town, refreshed: Answer) -> bool:
    """Whether a public client's access token still counts; it can not introspect."""
    bearer = {"Authorization": f"Bearer {refreshed.json['access_token']}"}
    [answer] = town.fire(page("/userinfo", bearer))
    assert answer.status in (200, 401)
    return answer.status == 200


def test_100_refreshes_of_a_client_that_does_not_rotate_all_give_the_same_token(
    town: Town,
) -> None:
    token = town.tokens(scope="openid offline_access")["refresh_token"]
    answers = town.fire(*[town.refreshment(token)] * 100)
    assert outcomes(answers) == {(200, ""): 100}
    assert {answer.json["refresh_token"] for answer in answers} == {token}


def test_of_50_uses_of_one_assertion_one_succeeds(town: Town) -> None:
    fields = assertion(SIGNING, f"{town.running.issuer}/token")
    request = form("/token", {}, grant_type="client_credentials", **fields)
    answers = town.fire(*[request] * 50)
    assert outcomes(answers) == {(200, ""): 1, (401, "invalid_client"): 49}


def test_of_100_guesses_at_once_five_are_evaluated_and_then_the_right_one_is_refused(
    town: Town,
) -> None:
    sign_in = form_of_sign_in(town.world.browser())
    answers, reasons = guess(town, *[sign_in(BEN, f"wrong-{number}") for number in range(100)])
    told = Counter(answer.status for answer in answers)
    assert set(told) <= {400, BUSY}
    assert reasons == {"wrong password": 5, "paused": told[400] - 5}
    assert len({shown(answer) for answer in answers if answer.status == 400}) == 1
    [[later], reasons] = guess(town, sign_in(BEN, PASSWORD))
    assert (later.status, reasons) == (400, {"paused": 1})
    [other] = town.fire(sign_in(AMARA, PASSWORD))
    assert other.status == 303


def test_the_right_password_among_100_guesses_is_refused_like_them(town: Town) -> None:
    sign_in = form_of_sign_in(town.world.browser())
    for number in range(5):
        town.fire(sign_in(DANA, f"wrong-{number}"))
    guesses = [sign_in(DANA, f"wrong-{number}") for number in range(100)]
    answers, reasons = guess(town, *guesses, sign_in(DANA, PASSWORD))
    told = Counter(answer.status for answer in answers)
    assert set(told) <= {400, BUSY}
    assert reasons == {"paused": told[400]}


def guess(town: Town, *forms: bytes) -> tuple[list[Answer], Counter[str]]:
    """The answers, and what the audit says of those that were heard."""
    before = len(town.world.audit("sign_in.failed"))
    answers = town.fire(*forms)
    heard = town.world.audit("sign_in.failed")[before:]
    return answers, Counter(event["reason"] for event in heard)


def shown(answer: Answer) -> int:
    """As much of a page as does not differ by request: how long it is."""
    return len(answer.body)


def form_of_sign_in(visitor: Visitor) -> Callable[[str, str], bytes]:
    """The form of a sign-in that has begun, to be sent with any address and password."""
    begun = visitor.follow(visitor.authorize())
    hidden = dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', begun.text))
    headers = cookies_of(visitor)
    return lambda email, password: form(
        "/login/password", headers, **hidden, email=email, password=password
    )


def cookies_of(visitor: Visitor) -> dict[str, str]:
    kept = [visitor.client.get_cookie(name) for name in ("latchkey-browser", "latchkey-form")]
    return {"Cookie": "; ".join(f"{each.key}={each.value}" for each in kept if each)}


def test_of_20_endings_of_one_sign_in_one_starts_a_session(town: Town) -> None:
    visitor = town.world.browser()
    proven = visitor.submit(visitor.follow(visitor.authorize()), email=AMARA, password=PASSWORD)
    ending = page(proven.headers["Location"], cookies_of(visitor))
    before = counted(town)
    answers = town.fire(*[ending] * 20)
    assert Counter(answer.status for answer in answers) == {303: 1, 400: 19}
    [ended] = [answer for answer in answers if answer.status == 303]
    assert "code=" in ended.headers["location"]
    assert counted(town) == {name: number + 1 for name, number in before.items()}


def counted(town: Town) -> dict[str, int]:
    tables = ("sessions", "grants")
    return {name: town.world.run(f"SELECT count(*) FROM {name}")[0][0] for name in tables}
