"""Who may come into the console, and what others are told."""

from __future__ import annotations

from idp.directory.acting import RECENT
from tests.world import AMARA, BEN, DANA, HANA, OLU, PRIYA, VICTOR, World


def test_an_admin_signs_in_and_comes_back_to_the_page_that_was_asked_for(world: World) -> None:
    page = world.browser().enter("/manage/northwind", AMARA)
    assert page.status_code == 200
    assert "Northwind Lending" in page.text
    assert page.request.path == "/manage/northwind"


def test_somebody_who_is_signed_in_already_is_asked_nothing(world: World) -> None:
    browser = world.browser()
    browser.tokens(AMARA)
    assert browser.get("/manage/northwind").status_code == 200


def test_a_role_without_any_permission_of_the_console_does_not_open_it(world: World) -> None:
    for person in (BEN, DANA):
        page = world.browser().enter("/manage/northwind", person)
        assert page.status_code == 403
        assert "Your roles do not allow this." in page.text or "roles" in page.text


def test_another_tenants_console_does_not_exist(world: World) -> None:
    for person, slug in ((AMARA, "harbor"), (HANA, "northwind"), (BEN, "harbor")):
        browser = world.browser()
        browser.tokens(person)
        there, nowhere = browser.get(f"/manage/{slug}"), browser.get("/manage/no-such-company")
        assert there.status_code == nowhere.status_code == 404
        assert slug.title() not in there.text


def test_a_role_with_one_node_of_the_console_opens_it(world: World) -> None:
    world.apply(
        tenants=[
            {
                "slug": "northwind",
                "name": "Northwind Lending",
                "roles": [
                    {"key": "clerk", "name": "Clerk", "permissions": {"console": ["people.read"]}}
                ],
            }
        ],
        users=[
            {
                "email": PRIYA,
                "name": "Priya Raman",
                "memberships": [{"tenant": "northwind", "roles": ["clerk"]}],
            }
        ],
    )
    world.clock.move(2)
    assert world.browser().enter("/manage/northwind", PRIYA).status_code == 200


def test_the_operators_pages_exist_for_operators_alone(world: World) -> None:
    assert world.browser().enter("/operate", OLU).status_code == 200
    browser = world.browser()
    browser.tokens(AMARA)
    assert browser.get("/operate").status_code == 404


def test_an_operator_has_no_way_into_a_tenant_by_being_one(world: World) -> None:
    browser = world.browser()
    assert browser.enter("/operate", OLU).status_code == 200
    assert browser.get("/manage/northwind").status_code == 404


def test_what_was_taken_away_is_gone_with_the_next_click(world: World) -> None:
    browser = world.browser()
    assert browser.enter("/manage/northwind", AMARA).status_code == 200
    world.run("UPDATE memberships SET status = 'disabled' WHERE kind = 'staff'")
    assert browser.get("/manage/northwind").status_code == 404
    world.run("UPDATE memberships SET status = 'active', ends_at = :t", t=world.clock.now - 1)
    assert browser.get("/manage/northwind").status_code == 404
    world.run("UPDATE memberships SET ends_at = NULL")
    assert browser.get("/manage/northwind").status_code == 200


def test_an_operator_who_is_one_no_more_is_out_with_the_next_click(world: World) -> None:
    browser = world.browser()
    assert browser.enter("/operate", OLU).status_code == 200
    world.run("UPDATE users SET is_operator = false")
    assert browser.get("/operate").status_code == 404


def test_somebody_disabled_gets_nowhere(world: World) -> None:
    page = world.browser().enter("/manage/northwind", VICTOR)
    assert page.status_code == 401 or 'name="password"' in page.text


def test_the_tenants_own_session_lifetime_holds_at_the_console(world: World) -> None:
    world.run(
        """UPDATE tenants SET policy = '{"session_absolute_hours": 1}' WHERE slug = 'northwind'"""
    )
    browser = world.browser()
    assert browser.enter("/manage/northwind", AMARA).status_code == 200
    world.clock.move(3601)
    assert 'name="password"' in browser.follow(browser.get("/manage/northwind")).text


def test_a_target_elsewhere_can_not_be_smuggled_in(world: World) -> None:
    """The page to come back to is the one that was asked for, and nothing that was sent (S04)."""
    answer = world.browser().get("/manage/northwind?target=https://evil.example&next=//evil")
    assert answer.headers["Location"].startswith("/authorize?attempt=")
    page = world.browser().enter("//evil.example/manage/northwind", AMARA)
    assert "evil.example" not in page.request.url


def test_recent_is_a_quarter_of_an_hour() -> None:
    assert RECENT == 900.0
