"""S63: a cookie that somebody planted is worth nothing, and ours go to nobody else."""

from __future__ import annotations

import re

import pytest
from werkzeug.test import TestResponse

from tests.security.browsing import over_https, rules
from tests.world import AMARA, BEN, PASSWORD, PRIYA, Visitor, World, request_for, sent_back

SESSION, BROWSER, FORM = "latchkey-session", "latchkey-browser", "latchkey-form"
STATE = "latchkey-state"  # read by the frame that products show, and by nothing of ours
COOKIES = (SESSION, BROWSER, FORM, "latchkey-device", STATE)


def cookies_of_a_visit(world: World) -> list[str]:
    """Every Set-Cookie from the first page to the sign-out."""
    browser = world.browser()
    answers = [browser.get("/"), browser.authorize()]
    answers.append(browser.follow(answers[-1]))
    answers.append(browser.submit(answers[-1], email=AMARA, password=PASSWORD))
    while answers[-1].headers["Location"].startswith("/"):
        answers.append(browser.get(answers[-1].headers["Location"]))
    answers.append(browser.get("/account"))
    answers.append(browser.submit(browser.get("/logout"), decision="sign_out"))
    return [cookie for answer in answers for cookie in answer.headers.getlist("Set-Cookie")]


@pytest.mark.parametrize("is_https", [False, True])
def test_sec_63_every_cookie_is_as_strict_as_the_scheme_allows(
    world: World, is_https: bool
) -> None:
    seen = cookies_of_a_visit(over_https(world) if is_https else world)
    names = {cookie.partition("=")[0] for cookie in seen}
    assert names == {("__Host-" if is_https else "") + name for name in COOKIES}
    for cookie in seen:
        attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
        site = "none" if STATE in cookie and is_https else "lax"
        assert {f"samesite={site}", "path=/"} <= attributes
        assert ("httponly" in attributes) == (STATE not in cookie)
        assert ("secure" in attributes) == is_https
        assert not any(part.startswith("domain") for part in attributes)
        if "latchkey-device" in cookie:  # it outlives the window, and says nothing of anybody
            attributes.remove(f"max-age={90 * 86400}")
        kept = [part for part in attributes if part.startswith(("expires", "max-age"))]
        assert not kept or "max-age=0" in kept  # for the browser's window alone, or taken away


def session_cookie(browser: Visitor, name: str = SESSION) -> str:
    cookie = browser.client.get_cookie(name)
    assert cookie
    return cookie.value


def is_signed_in(world: World, secret: str, email: str = AMARA) -> bool:
    """By the pages and by the endpoints, which read cookies each in their own way."""
    return sees(world, f"{SESSION}={secret}", email)


def sees(world: World, header: str, email: str = AMARA) -> bool:
    stranger = world.browser(Cookie=header)
    stranger.client._cookies = None
    by_endpoint = "code" in sent_back(stranger.authorize(prompt="none"))
    by_page = email in stranger.get("/").text
    assert by_endpoint == by_page, header
    return by_page


def test_sec_63_a_session_cookie_planted_beforehand_is_replaced(world: World) -> None:
    victim = world.browser()
    victim.client.set_cookie(SESSION, "planted-by-somebody")
    victim.client.set_cookie(FORM, "planted-by-somebody")
    victim.code()
    assert session_cookie(victim) != "planted-by-somebody"
    assert is_signed_in(world, session_cookie(victim))
    assert not is_signed_in(world, "planted-by-somebody")


def test_sec_63_the_attackers_own_session_does_not_become_the_victims(world: World) -> None:
    attacker, victim = world.browser(), world.browser()
    attacker.code(BEN)
    planted = session_cookie(attacker)
    victim.client.set_cookie(SESSION, planted)
    victim.code(AMARA, prompt="login")
    assert session_cookie(victim) != planted
    assert not is_signed_in(world, planted, AMARA)
    assert not is_signed_in(world, planted, BEN)
    assert is_signed_in(world, session_cookie(victim), AMARA)


def test_sec_63_proving_oneself_again_gives_a_new_secret_and_kills_the_old_one(
    world: World,
) -> None:
    browser = world.browser()
    browser.code()
    before = session_cookie(browser)
    page = browser.follow(browser.authorize(prompt="login"))
    browser.follow(browser.submit(page, email=AMARA, password=PASSWORD))
    after = session_cookie(browser)
    assert before != after
    assert not is_signed_in(world, before)
    assert is_signed_in(world, after)
    assert world.run("SELECT count(*) FROM sessions") == [(1,)]


def test_sec_63_nothing_before_the_sign_in_is_worth_anything_after_it(world: World) -> None:
    """Neither the browser's secret nor the attempt's id turns into a session."""
    browser = world.browser()
    page = browser.follow(browser.authorize())
    attempt = re.findall(r'name="attempt" value="([^"]+)"', page.text)[0]
    kept = [cookie.value for cookie in (browser.client._cookies or {}).values()]
    browser.follow(browser.submit(page, email=AMARA, password=PASSWORD))
    for value in (*kept, attempt):
        assert not is_signed_in(world, value)
    assert session_cookie(browser) not in kept


STRANGE = (
    "={name}={secret}",
    "; ={name}={secret}",
    "{name}={secret}; {name}={secret}",
    "{name}={secret}; {name}=planted",
    "{name}=planted; {name}={secret}",
    "{name} ={secret}; {name}=planted",
    "{name}=; {name}={secret}",
    "a={name}={secret}",
    "{upper}={secret}",
    "x{name}={secret}",
    "__Host-{name}={secret}",
    "{name}={secret}x",
    "{name}",
    "{name}=",
    "",
)


def test_sec_63_a_cookie_that_is_doubled_nameless_or_misnamed_is_none(world: World) -> None:
    browser = world.browser()
    browser.code()
    secret = session_cookie(browser)
    for header in STRANGE:
        sent = header.format(name=SESSION, upper=SESSION.upper(), secret=secret)
        assert not sees(world, sent), header
    assert sees(world, f"{SESSION}={secret}")


def test_sec_63_on_https_a_cookie_without_its_prefix_is_none(world: World) -> None:
    """Any host under the same domain could set that one."""
    secure = over_https(world)
    browser = secure.browser()
    browser.code()
    secret = session_cookie(browser, f"__Host-{SESSION}")
    assert sees(secure, f"__Host-{SESSION}={secret}")
    assert not sees(secure, f"{SESSION}={secret}")
    assert sees(secure, f"{SESSION}=planted; __Host-{SESSION}={secret}")


OF_NO_ATTEMPT = {
    "/login/passkey/options",
    "/login/forgot",
    "/login/reset",
    "/login/reset/sent",
    "/login/reset/done",
    "/login/sign_up/open",
    "/login/upstream/00000000000000000000000000000000/return",
}


def begun(world: World) -> tuple[Visitor, TestResponse, str]:
    """A sign-in that somebody has begun: their browser, its page, its id."""
    browser = world.browser()
    page = browser.follow(browser.authorize())
    return browser, page, re.findall(r'name="attempt" value="([^"]+)"', page.text)[0]


def test_sec_63_an_attempt_of_another_browser_is_refused_by_every_page(world: World) -> None:
    _, _, attempt = begun(world)
    other, page, _ = begun(world)
    other.submit(page, email=BEN, password=PASSWORD)
    token = re.findall(r'name="csrf_token" value="([^"]+)"', page.text)[0]
    steps = [(method, path) for method, path in rules(world.held) if path.startswith("/login/")]
    pages = [(method, path) for method, path in steps if path not in OF_NO_ATTEMPT]
    assert len(pages) >= 10
    for method, path in [*pages, ("GET", "/authorize")]:
        answer = other.client.open(
            f"{path}?attempt={attempt}",
            method=method,
            data={"csrf_token": token, "attempt": attempt, "email": BEN, "password": PASSWORD}
            if method == "POST"
            else None,
        )
        assert answer.status_code == 400, (method, path, answer.status)
        assert "This sign-in has expired" in answer.text, (method, path)


def test_sec_63_a_link_into_the_attackers_finished_sign_in_signs_nobody_in(world: World) -> None:
    """Sign-in by somebody else's hand: the victim would work in the attacker's account."""
    attacker, page, attempt = begun(world)
    answer = attacker.submit(page, email=BEN, password=PASSWORD)
    assert answer.headers["Location"].startswith("/authorize?attempt=")
    assert attempt not in answer.headers["Location"]
    victim = world.browser()
    refused = victim.get(answer.headers["Location"])
    assert refused.status_code == 400
    assert victim.client.get_cookie(SESSION) is None
    assert "code" in sent_back(attacker.follow(answer))


def test_sec_63_an_attempt_is_spent_once(world: World) -> None:
    browser, page, attempt = begun(world)
    browser.follow(browser.submit(page, email=AMARA, password=PASSWORD))
    assert browser.get(f"/authorize?attempt={attempt}").status_code == 400
    assert browser.get(f"/login/password?attempt={attempt}").status_code == 400


def with_cookie_of(world: World, attacker: Visitor) -> Visitor:
    """A browser into which the attacker's cookie was planted, as plain http allows."""
    victim = world.browser()
    cookie = attacker.client.get_cookie(BROWSER)
    assert cookie
    victim.client.set_cookie(BROWSER, cookie.value)
    return victim


def test_sec_63_a_planted_cookie_and_a_known_attempt_are_worth_nothing_after_the_proof(
    either_world: World,
) -> None:
    attacker, _, attempt = begun(either_world)
    victim = with_cookie_of(either_world, attacker)
    page = victim.get(f"/login/password?attempt={attempt}")
    assert page.status_code == 200
    proven = victim.submit(page, email=AMARA, password=PASSWORD)
    for path in ("/authorize", "/login/tenant", "/login/consent", "/login/select_account"):
        taken = attacker.follow(attacker.get(f"{path}?attempt={attempt}"))
        assert taken.request.path == "/login/password", path
        assert AMARA not in taken.text, path
        assert attacker.client.get_cookie(SESSION) is None
    given = victim.follow(proven)
    assert "code" in sent_back(given)
    assert is_signed_in(either_world, session_cookie(victim))
    assert attacker.get(f"/authorize?attempt={attempt}").status_code == 400


def test_sec_63_each_proof_gives_the_attempt_another_id_and_takes_what_the_last_one_had(
    world: World,
) -> None:
    browser, page, first = begun(world)
    ids = [first]
    for email in (PRIYA, BEN):
        answer = browser.submit(page, email=email, password=PASSWORD)
        ids.append(answer.headers["Location"].partition("=")[2])
        page = browser.get(f"/login/password?attempt={ids[-1]}&other=1")
    assert len(set(ids)) == 3
    assert browser.get(f"/authorize?attempt={ids[1]}").status_code == 400
    assert browser.get(f"/login/tenant?attempt={ids[1]}").status_code == 400
    assert "code" in sent_back(browser.get(f"/authorize?attempt={ids[2]}"))
    assert [browser.get(f"/authorize?attempt={each}").status_code for each in ids] == [400] * 3


def test_sec_63_a_form_that_is_sent_twice_signs_in_once(either_world: World) -> None:
    """A double click: the browser follows the second answer, a script could follow both."""
    browser, page, _ = begun(either_world)
    answers = [browser.submit(page, email=AMARA, password=PASSWORD) for _ in range(2)]
    assert "code" in sent_back(browser.follow(answers[1]))
    assert browser.follow(answers[0]).status_code == 400
    assert either_world.run("SELECT count(*) FROM sessions") == [(1,)]


def test_sec_63_the_request_that_began_is_the_one_that_ends(world: World) -> None:
    """What stands beside `attempt` in the address changes nothing of it."""
    browser, page, _ = begun(world)
    answer = browser.submit(page, email=AMARA, password=PASSWORD)
    changed = {"redirect_uri": "https://evil.example/", "state": "changed", "scope": "openid"}
    more = "&".join(f"{name}={value}" for name, value in changed.items())
    given = browser.get(answer.headers["Location"] + "&" + more)
    assert given.headers["Location"].startswith(request_for()["redirect_uri"])
    assert sent_back(given)["state"] == "a-state"
