"""S56: a link for a new password is good once, for an hour, for whom it was sent to; it proves the
mailbox and nothing else."""

from __future__ import annotations

from urllib.parse import urlencode

import pytest

from tests.account.proving import enrol_app
from tests.mailed import NEW, by_link, link_for, mail_for
from tests.security.browsing import dump
from tests.security.changing_address import changed as change_address
from tests.security.choosing import choose, is_right, user_id
from tests.security.second_factors import require_of_staff
from tests.world import AMARA, BEN, PASSWORD, Visitor, World, sent_back

MINUTE = 60.0
KEPT = ("passwords", "password_links", "temporary_passwords", "former_passwords", "users")


@pytest.fixture(params=["a link", "a temporary password"])
def resetting(request: pytest.FixtureRequest, either_world: World) -> World:
    """Both forms of a reset, on both databases."""
    if request.param == "a link":
        by_link(either_world)
    return either_world


def confirm(world: World, link: str, visitor: Visitor | None = None) -> int:
    """The status of the answer to the page, or to its form."""
    browser = visitor or world.browser()
    page = browser.get(link)
    if page.status_code != 200:
        assert is_over_for_its_form(browser, link)
        return page.status_code
    return browser.submit(page, password=NEW).status_code


def is_over_for_its_form(browser: Visitor, link: str) -> bool:
    """The form alone, without the page before it."""
    form = browser.get("/login/forgot")
    token = link.partition("token=")[2]
    return browser.submit(form, "/login/reset", token=token, password=NEW).status_code == 404


def kept(world: World) -> list[list[str]]:
    return [sorted(map(str, world.run(f"SELECT * FROM {table}"))) for table in KEPT]


def test_sec_56_a_link_is_good_once(resetting: World) -> None:
    link = link_for(resetting)
    assert confirm(resetting, link) == 303
    assert confirm(resetting, link) == 404


def test_sec_56_a_link_is_good_for_an_hour(resetting: World) -> None:
    link = link_for(resetting)
    resetting.clock.move(60 * MINUTE)
    assert confirm(resetting, link) == 404
    another = link_for(resetting)
    resetting.clock.move(60 * MINUTE - 1)
    assert confirm(resetting, another) == 303


def test_sec_56_an_older_link_is_dead_after_a_newer_one(resetting: World) -> None:
    older, newer = link_for(resetting), link_for(resetting)
    assert confirm(resetting, older) == 404
    assert confirm(resetting, newer) == 303


def test_sec_56_a_link_is_dead_after_another_password(resetting: World) -> None:
    link = link_for(resetting)
    resetting.clock.move(1)
    choose(resetting, "violet-harmonica-27")
    assert confirm(resetting, link) == 404


def test_sec_56_a_link_is_dead_after_another_address(resetting: World) -> None:
    browser = resetting.browser()
    browser.enter("/account/email")
    link = link_for(resetting)
    change_address(resetting, browser)
    assert confirm(resetting, link) == 404


def test_sec_56_a_link_of_somebody_disabled_is_dead(resetting: World) -> None:
    link = link_for(resetting)
    resetting.run("UPDATE users SET status = 'disabled' WHERE email = :e", e=AMARA)
    assert confirm(resetting, link) == 404


def test_sec_56_a_link_is_for_its_owner_whoever_opens_it(either_world: World) -> None:
    world = either_world
    by_link(world)
    bens = world.browser()
    bens.enter("/account", BEN)
    page = bens.get(link_for(world))
    whose = {"person": user_id(world, BEN), "user_id": user_id(world, BEN), "email": BEN}
    assert bens.submit(page, password=NEW, **whose).status_code == 303
    world.clock.move(1)
    assert is_right(world, PASSWORD, BEN)
    assert not is_right(world, NEW, BEN)
    assert is_right(world, NEW, AMARA)


def test_sec_56_a_link_for_one_purpose_serves_no_other(either_world: World) -> None:
    world = either_world
    amara, ben = world.browser(), world.browser()
    amara.submit(amara.enter("/account/password"))
    change = mail_for(world, AMARA)[-1]["link"].rpartition("/")[2]
    assert confirm(world, f"/login/reset?token={change}") == 404
    reset = link_for(world).partition("token=")[2]
    assert amara.get(f"/account/password/{reset}").status_code == 404
    start = ben.enter("/account/password", BEN)
    before = kept(world)
    assert ben.get(f"/account/password/{change}").status_code == 404
    typed = {"current": PASSWORD, "password": NEW}
    assert ben.submit(start, f"/account/password/{change}", **typed).status_code == 404
    assert kept(world) == before


def test_sec_56_looking_changes_nothing(resetting: World) -> None:
    """Mail programs and scanners open links before people do."""
    link = link_for(resetting)
    before = kept(resetting)
    for _ in range(3):
        assert resetting.browser().get(link).status_code == 200
        resetting.browser().client.head(link)
        resetting.browser().client.options(link)
    assert kept(resetting) == before
    assert confirm(resetting, link) == 303


def test_sec_56_without_the_link_no_step_does_anything(resetting: World) -> None:
    link_for(resetting)
    before, browser = kept(resetting), resetting.browser()
    form = browser.get("/login/forgot")
    for token in ("", "0" * 64, "x", user_id(resetting), "é" * 200, "null"):
        typed = {"password": NEW, "email": AMARA, "token": token}
        assert browser.submit(form, "/login/reset", **typed).status_code == 404, token
        assert browser.get("/login/reset?" + urlencode({"token": token})).status_code == 404
    assert browser.submit(form, "/login/reset", password=NEW).status_code == 404
    for page in ("/login/reset/sent", "/login/reset/done"):
        assert browser.get(page).status_code == 200
    assert kept(resetting) == before


def test_sec_56_a_form_of_another_site_does_nothing(resetting: World) -> None:
    token = link_for(resetting).partition("token=")[2]
    before = kept(resetting)
    answer = resetting.post("/login/reset", token=token, password=NEW)
    assert answer.status_code == 403
    assert kept(resetting) == before


def test_sec_56_the_token_is_told_to_nobody(resetting: World) -> None:
    link = link_for(resetting)
    token = link.partition("token=")[2]
    page = resetting.browser().get(link)
    assert page.headers["Referrer-Policy"] == "no-referrer"
    assert "no-store" in page.headers["Cache-Control"]
    assert page.text.count(token) == page.text.count(f'name="token" value="{token}"') == 1
    assert "http://" not in page.text.replace("http://www.w3.org/", "")
    assert "https://" not in page.text
    assert len(bytes.fromhex(token)) == 32
    assert token not in dump(resetting)


def test_sec_56_nobody_is_signed_in_by_a_link(resetting: World) -> None:
    browser = resetting.browser()
    assert confirm(resetting, link_for(resetting), browser) == 303
    assert browser.client.get_cookie("latchkey-session") is None
    assert sent_back(browser.authorize(prompt="none"))["error"] == "login_required"
    assert resetting.run("SELECT count(*) FROM sessions") == [(0,)]


def test_sec_56_the_second_factor_is_still_asked_for(resetting: World) -> None:
    world = resetting
    is_by_link = "password_reset" in str(world.run("SELECT policy FROM tenants"))
    enrol_app(world, AMARA)
    link = link_for(world)
    require_of_staff(world)
    if is_by_link:
        world.run(
            "UPDATE tenants SET policy = :p WHERE slug = 'northwind'",
            p='{"password_reset":"link","second_factor":{"staff":{"mode":"required","since":0.0}}}',
        )
    assert confirm(world, link) == 303
    world.clock.move(1)
    proves = NEW if is_by_link else mail_for(world, AMARA)[-1]["code"]
    browser = world.browser()
    page = browser.sign_in(AMARA, proves)
    assert page.request.path == "/login/second_factor"
    attempt = page.request.args["attempt"]
    ahead = browser.follow(browser.get(f"/login/new_password?attempt={attempt}"))
    assert ahead.request.path == "/login/second_factor"
    assert browser.client.get_cookie("latchkey-session") is None
