"""Passwords that are forgotten, changed, or too old, from one end to the other (product.md P3, P5,
P6)."""

from __future__ import annotations

from tests.mailed import NEW, ask, by_link, link_for, mail_for, newest_link
from tests.world import AMARA, BEN, PASSWORD, World, claims_of, sent_back

DAY = 86400.0


def test_p5_a_forgotten_password_is_replaced_by_two_letters(either_world: World) -> None:
    world = either_world
    elsewhere = world.browser()
    elsewhere.tokens(AMARA)
    browser = world.browser()
    page = browser.follow(browser.authorize())
    assert "/login/forgot?attempt=" in page.text
    assert "Look into your mail" in ask(browser, AMARA).text
    letter = mail_for(world, AMARA)[-1]
    confirm = browser.get(letter["link"])
    assert "Send a temporary password" in confirm.text
    assert 'name="password"' not in confirm.text
    sent = browser.follow(browser.submit(confirm))
    assert "A temporary password is on its way" in sent.text
    temporary = mail_for(world, AMARA)[-1]["code"]
    assert world.browser().sign_in(AMARA, PASSWORD).status_code == 400
    assert elsewhere.authorize(prompt="none").headers["Location"].count("login_required") == 1
    world.clock.move(5.0)
    asked = browser.sign_in(AMARA, temporary)
    assert "was a temporary one" in asked.text
    answer = browser.follow(browser.submit(asked, password=NEW))
    assert sent_back(answer)["code"]
    world.clock.move(5.0)
    assert sent_back(world.browser().sign_in(AMARA, NEW))["code"]
    assert world.browser().sign_in(AMARA, temporary).status_code == 400


def test_p5_a_company_may_choose_the_shorter_form(either_world: World) -> None:
    world = either_world
    by_link(world)
    browser = world.browser()
    page = browser.get(link_for(world))
    assert "Choose a new password" in page.text
    done = browser.follow(browser.submit(page, password=NEW))
    assert "Your new password is saved" in done.text
    assert browser.authorize(prompt="none").headers["Location"].count("login_required") == 1
    world.clock.move(1.0)
    assert world.browser().sign_in(AMARA, PASSWORD).status_code == 400
    assert sent_back(world.browser().sign_in(AMARA, NEW))["code"]


def test_p5_of_several_companies_the_stricter_form_counts(either_world: World) -> None:
    """Priya is in both, and one of them wants the link."""
    world = either_world
    world.run("UPDATE tenants SET policy = '{\"password_reset\":\"link\"}' WHERE slug = 'harbor'")
    priya = "priya@northwind.example"
    assert "Choose a new password" in world.browser().get(link_for(world, priya)).text
    assert "Send a temporary password" in world.browser().get(link_for(world, BEN)).text


def test_p6_a_password_is_changed_by_a_letter_and_the_old_one(either_world: World) -> None:
    world = either_world
    elsewhere, browser = world.browser(), world.browser()
    old = elsewhere.tokens(AMARA, scope="openid offline_access")
    world.clock.move(1.0)
    start = browser.enter("/account/password")
    secret = browser.client.get_cookie("latchkey-session")
    sent = browser.follow(browser.submit(start))
    assert "A letter is on its way" in sent.text
    form = browser.get(newest_link(world))
    saved = browser.follow(browser.submit(form, current=PASSWORD, password=NEW))
    assert "Your new password is saved" in saved.text
    assert browser.client.get_cookie("latchkey-session") != secret
    world.clock.move(1.0)
    assert sent_back(browser.follow(browser.authorize(prompt="none")))["code"]
    assert elsewhere.authorize(prompt="none").headers["Location"].count("login_required") == 1
    assert world.refresh(old["refresh_token"]).status_code == 400
    assert world.browser().sign_in(AMARA, PASSWORD).status_code == 400
    assert sent_back(world.browser().sign_in(AMARA, NEW))["code"]


def test_p6_without_the_old_one_nothing_is_changed_and_the_try_counts(either_world: World) -> None:
    world = either_world
    browser = world.browser()
    browser.submit(browser.enter("/account/password"))
    form = browser.get(newest_link(world))
    for _ in range(5):
        refused = browser.submit(form, current="wrong", password=NEW)
        assert refused.status_code == 422
        assert "This is not your password" in refused.text
    assert browser.submit(form, current=PASSWORD, password=NEW).status_code == 422
    assert world.audit("password.changed") == []
    assert len(world.audit("sign_in.locked")) == 1


def test_p3_an_old_password_is_replaced_on_the_way_to_a_product_that_minds(
    either_world: World,
) -> None:
    world = either_world
    world.clock.move(89 * DAY)
    assert sent_back(world.browser().sign_in(AMARA))["code"]
    world.clock.move(1 * DAY)
    browser = world.browser()
    assert sent_back(browser.sign_in(AMARA, client_id="payments"))["code"]
    silent = sent_back(browser.authorize(prompt="none"))
    assert silent["error"] == "interaction_required"
    asked = browser.follow(browser.authorize())
    assert "Yours is older than LMS allows." in asked.text
    refused = browser.submit(asked, password=PASSWORD)
    assert (refused.status_code, "used this password before" in refused.text) == (422, True)
    world.clock.move(2.0)
    code = sent_back(browser.follow(browser.submit(asked, password=NEW)))["code"]
    tokens = world.redeem(code).json or {}
    assert claims_of(tokens["id_token"])["auth_time"] >= int(world.clock())
    world.clock.move(1.0)
    assert sent_back(browser.follow(browser.authorize(prompt="none")))["code"]
    assert sent_back(browser.follow(browser.authorize("payments", prompt="none")))["code"]
    assert world.browser().sign_in(AMARA, PASSWORD).status_code == 400


def test_p3_an_open_session_alone_replaces_no_password(either_world: World) -> None:
    """Who has its cookie, and not the password, would have the account by it."""
    world = either_world
    world.clock.move(90 * DAY)
    browser = world.browser()
    assert sent_back(browser.sign_in(AMARA, client_id="payments"))["code"]
    world.clock.move(600.0)
    again = browser.follow(browser.authorize())
    assert 'name="email"' in again.text
    asked = browser.follow(browser.submit(again, email=AMARA, password=PASSWORD))
    assert "Yours is older than LMS allows." in asked.text
