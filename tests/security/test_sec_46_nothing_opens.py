"""S46: while a temporary password is pending, nothing opens: not what was open before, nor anything
that whoever has it can ask for."""

from __future__ import annotations

import pytest

from idp.audit import NOWHERE
from idp.login import resetting
from tests.console.calling import person
from tests.flows.test_passkey_sign_in import Device
from tests.mailed import NEW, ask, link_for, mail_for, temporary_for
from tests.security.browsing import every_address
from tests.security.choosing import is_right, user_id, why_not
from tests.security.half_way import HalfWay, given, try_every_address
from tests.security.test_sec_42_devices import device
from tests.world import AMARA, PASSWORD, World, sent_back

HOUR, DAY = 3600.0, 86400.0
SCOPE = "openid profile email offline_access"


def half_way(world: World, temporary: str) -> HalfWay:
    """A browser at the page that asks for another password."""
    world.clock.move(1)
    half = HalfWay(world, AMARA, temporary, "lms")
    assert half.resume().headers["Location"].startswith("/login/new_password")
    return half


def put_back(world: World) -> None:
    """As if it had not been used yet."""
    world.run("UPDATE temporary_passwords SET used_at = NULL")


@pytest.mark.parametrize("is_used", [False, True], ids=["mailed", "used"])
def test_sec_46_what_was_open_before_gives_nothing(either_world: World, is_used: bool) -> None:
    world = either_world
    browser, api = world.browser(), person(world)
    tokens, late = browser.tokens(scope=SCOPE), browser.code(state="late")
    bearer = f"Bearer {tokens['access_token']}"
    assert world.get("/switcher", Authorization=bearer).status_code == 200
    assert api.get("/tenants/northwind/people").status_code == 200
    temporary = temporary_for(world)
    if is_used:
        half_way(world, temporary)
    assert world.userinfo(tokens["access_token"]).status_code == 401
    assert world.get("/switcher", Authorization=bearer).status_code == 401
    assert api.get("/tenants/northwind/people").status_code == 401
    assert not world.introspect(tokens["access_token"])["active"]
    assert not world.introspect(tokens["refresh_token"])["active"]
    assert world.refresh(tokens["refresh_token"]).status_code == 400
    assert world.redeem(late).status_code == 400
    assert sent_back(browser.authorize(prompt="none"))["error"] == "login_required"
    for page in ("/account", "/account/security", "/account/sessions", "/manage/northwind/people"):
        assert 'name="password"' in browser.follow(browser.get(page)).text, page


@pytest.mark.parametrize("seed", range(3))
def test_sec_46_no_address_in_any_order_gives_anything(world: World, seed: int) -> None:
    try_every_address(half_way(world, temporary_for(world)), seed)
    assert world.run("SELECT count(*) FROM sessions WHERE ended_at IS NULL") == [(0,)]
    assert world.audit("password.changed") == []


def test_sec_46_no_address_alone_gets_further(world: World) -> None:
    """Each from the same place: after it another password is still wanted, or the attempt over."""
    temporary = temporary_for(world)
    for method, path in every_address(world.held):
        if path.startswith("/api/"):
            continue
        put_back(world)
        half = half_way(world, temporary)
        half.try_out(method, path).close()
        after = half.resume()
        location = after.headers.get("Location", "")
        wants = location.startswith(("/login/new_password", "/login/password"))
        turned_back = "error=access_denied" in location
        assert wants or turned_back or after.status_code == 400, (method, path, location)
        assert not list(given(after)), (method, path)
    assert world.run("SELECT count(*) FROM sessions WHERE ended_at IS NULL") == [(0,)]


def test_sec_46_the_token_endpoint_takes_it_for_nothing(world: World) -> None:
    """No grant takes a password, and no client's secret is a person's."""
    temporary = temporary_for(world)
    whose = {"username": AMARA, "password": temporary}
    for client in ("lms", "lms-batch"):
        answer = world.post("/token", world.basic(client), grant_type="password", **whose)
        assert (answer.json or {})["error"] == "unsupported_grant_type"
    as_client = world.post(
        "/token", world.basic("lms", temporary), grant_type="client_credentials", **whose
    )
    assert as_client.status_code == 401
    for path in ("/userinfo", "/switcher", "/api/v1/tenants/northwind/people"):
        assert world.get(path, Authorization=f"Bearer {temporary}").status_code == 401, path
    assert half_way(world, temporary), "and it is as good as before"


def test_sec_46_neither_it_nor_the_old_one_opens_anything_after_a_day(
    either_world: World,
) -> None:
    world = either_world
    temporary = temporary_for(world)
    for _ in range(3):
        world.clock.move(DAY)
        assert not is_right(world, temporary)
        assert not is_right(world, PASSWORD), "what it stands in for is not back"
    half_way(world, temporary_for(world))


def test_sec_46_a_newer_letter_ends_an_older_link_and_an_older_password(
    either_world: World,
) -> None:
    world = either_world
    first = temporary_for(world)
    link = link_for(world)
    newer = temporary_for(world)
    assert world.browser().get(link).status_code == 404
    assert not is_right(world, first)
    half_way(world, newer)


def test_sec_46_asking_for_a_letter_ends_nothing_yet(either_world: World) -> None:
    """Or else a stranger who asks would."""
    world = either_world
    temporary = temporary_for(world)
    world.clock.move(61)
    ask(world.browser(), AMARA)
    assert "link" in mail_for(world, AMARA)[-1]
    half_way(world, temporary)


def test_sec_46_it_does_not_become_the_password_later_either(either_world: World) -> None:
    world = either_world
    temporary = temporary_for(world)
    half = half_way(world, temporary)
    page = half.browser.follow(half.resume())
    assert sent_back(half.browser.follow(half.browser.submit(page, password=NEW)))["code"]
    world.clock.move(HOUR)
    assert why_not(world, temporary) == "used_before"
    assert is_right(world, NEW)


def test_sec_46_who_began_with_it_before_a_newer_letter_sets_nothing(either_world: World) -> None:
    """The newer one was confirmed by whoever reads the mailbox now."""
    world = either_world
    half = half_way(world, temporary_for(world))
    page = half.browser.follow(half.resume())
    newer = temporary_for(world)
    half.browser.follow(half.browser.submit(page, password=NEW))
    assert half.is_nobody()
    assert world.audit("password.changed") == []
    assert not is_right(world, NEW)
    half_way(world, newer)


def test_sec_46_five_wrong_ones_pause_it_and_not_for_the_owner_of_another(
    either_world: World,
) -> None:
    world = either_world
    temporary = temporary_for(world)
    for number in range(5):
        assert not is_right(world, f"wrong-{number}")
    compared = world.held.hasher.verifications
    assert not is_right(world, temporary), "its own tries are used up"
    assert world.held.hasher.verifications == compared, "and nothing is looked at"
    assert is_right(world, PASSWORD, "ben@northwind.example")
    assert world.run("SELECT failures FROM passwords WHERE user_id = :u", u=user_id(world)) == [
        (0,)
    ], "they were none of the old one's"
    world.clock.move(HOUR / 2)
    half_way(world, temporary)


def test_sec_46_no_browser_has_tries_of_its_own_for_it(either_world: World) -> None:
    """Though its owner has come in by a passkey meanwhile, and it is known."""
    world, browsing = either_world, Device(either_world)
    temporary = temporary_for(world)
    world.clock.move(1)
    browsing.sign_in(browsing.open())
    for _ in range(5):
        assert not is_right(world, "wrong")
    assert not is_right(world, temporary, device=device(browsing.browser))


def test_sec_46_what_was_proven_before_it_by_a_clock_that_is_ahead_is_over(
    either_world: World,
) -> None:
    world = either_world
    token = link_for(world).partition("token=")[2]
    world.clock.move(5)
    browser = world.browser()
    proven = browser.submit(browser.follow(browser.authorize()), email=AMARA, password=PASSWORD)
    world.clock.move(-5)
    held = world.held
    given = (held.database, held.hasher, held.secret_keys, token)
    resetting.send_temporary(*given, world.clock(), NOWHERE)
    world.clock.move(5)
    assert 'name="password"' in browser.follow(proven).text
    assert browser.client.get_cookie("latchkey-session") is None


def test_sec_46_who_is_locked_out_by_strangers_gets_in_by_it(either_world: World) -> None:
    world = either_world
    for _ in range(5):
        assert not is_right(world, "wrong")
    assert not is_right(world, PASSWORD)
    half_way(world, temporary_for(world))
