"""Access to another company on the condition of a second factor, which both sides read."""

from __future__ import annotations

from idp.directory import deciding
from idp.login.entries import entries_of
from idp.login.next_step import required
from idp.login.steps import Asked
from idp.policies.mfa import Why
from tests.console.access_story import Story, operating, person
from tests.console.operations import operator, send
from tests.world import AMARA, BEN, HANA, World


def demanded(world: World) -> list[Why]:
    """Of Ben, at harbor."""
    now = world.clock()
    asked = Asked(product=world.held.catalog.current(now).products["lms"], tenant="harbor")
    with world.held.database.connection() as db:
        entries = entries_of(world.held.settings, db, person(world, BEN), asked, now)
    here = [entry for entry in entries if entry.standing.tenant == "harbor"]
    return [demand.why for demand in required(asked, here).demands]


def test_an_operator_approves_on_the_condition_of_a_second_factor(either_world: World) -> None:
    story = Story(either_world).ask().submit()
    with operating(either_world) as operated:
        deciding.approve(operated, story.id, "harbor", None, second_factor=True)
    story.set_up()
    assert demanded(either_world) == [Why.GRANT]
    told = either_world.audit("access.approved")
    assert [event["after"]["second_factor"] for event in told if "ends_at" in event["after"]] == [
        True
    ]


def test_without_the_condition_none_is_demanded(either_world: World) -> None:
    Story(either_world).ask().submit().approve().set_up()
    assert demanded(either_world) == []


def test_the_condition_is_chosen_at_the_page_and_read_by_both_sides(world: World) -> None:
    story = Story(world).ask().submit()
    path = f"/operate/access/{story.id}"
    browser = operator(world)
    page = browser.get(path)
    assert "Only with a second factor" in page.text
    send(browser, f"{path}/approve", path, company="harbor", second_factor="1")
    assert "Condition" in browser.get(path).text
    for email, slug in ((AMARA, "northwind"), (HANA, "harbor")):
        shown = world.browser().enter(f"/manage/{slug}/access/{story.id}", email)
        assert "Only with a second factor" in shown.text
