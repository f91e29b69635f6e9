"""Who may open an account with an address of a company's domains, as its admins state it."""

from __future__ import annotations

import orjson
import pytest
from werkzeug.test import TestResponse

from idp.directory.acting import RECENT, Changed, Forbidden, Mistake
from idp.policies import sign_up_terms
from idp.setup import read
from tests.console.administering import administering, with_roles
from tests.console.calling import person, tenants_machine
from tests.console.operations import operator
from tests.signing_up import verify_domain
from tests.world import AMARA, BEN, DANA, HANA, PASSWORD, Visitor, World

PAGE = "/manage/northwind/sign-up"
API = "/tenants/northwind/sign-up-policy"


def policy(world: World, slug: str = "northwind") -> dict[str, object]:
    ((found,),) = world.run("SELECT policy FROM tenants WHERE slug = :slug", slug=slug)
    stated: dict[str, object] = orjson.loads(found)
    return {name: stated[name] for name in ("sign_up", "sign_up_role") if name in stated}


def save(browser: Visitor, page: TestResponse, way: str, role: str = "") -> TestResponse:
    return browser.submit(page, PAGE, sign_up=way, sign_up_role=role)


def test_a_company_states_who_may_come_in(either_world: World) -> None:
    world, browser = either_world, either_world.browser()
    page = browser.enter(PAGE)
    assert 'value="approval" checked' in page.text
    assert "No domain is verified yet" in page.text
    saved = browser.follow(save(browser, page, "admitted", "agent"))
    assert "The policy is saved." in saved.text
    assert policy(world) == {"sign_up": "admitted", "sign_up_role": "agent"}
    assert policy(world, "harbor") == {}
    [event] = world.audit("policy.changed")
    assert event["before"] == {"sign_up": None, "sign_up_role": None, "sign_up_since": None}
    assert event["after"].items() >= {"sign_up": "admitted", "sign_up_role": "agent"}.items()
    assert event["after"]["sign_up_since"] == world.clock()
    closed = browser.follow(save(browser, saved, "closed", "agent"))
    assert policy(world) == {"sign_up": "closed"}
    browser.follow(save(browser, closed, "approval"))
    assert policy(world) == {}


def test_the_page_names_the_domains_that_it_is_about(world: World) -> None:
    verify_domain(world)
    assert "northwind.example" in world.browser().enter(PAGE).text.split('class="facts"')[1]


@pytest.mark.parametrize(
    ("way", "role", "field"),
    [
        ("", "", "sign_up"),
        ("everybody", "", "sign_up"),
        ("admitted", "", "sign_up_role"),
        ("admitted", "account_admin", "sign_up_role"),
        ("admitted", "of-nobody", "sign_up_role"),
        ("admitted", "administers", "sign_up_role"),
    ],
)
def test_what_can_not_be_is_refused_beside_its_field(
    world: World, way: str, role: str, field: str
) -> None:
    form = {"key": "administers", "name": "A", "permissions": {"console": ["people.read"]}}
    world.apply(tenants=[{"slug": "northwind", "name": "Northwind Lending", "roles": [form]}])
    browser = world.browser()
    answer = save(browser, browser.enter(PAGE), way, role)
    assert answer.status_code == 422
    assert f'id="{field}-error"' in answer.text
    assert policy(world) == {}
    assert world.audit("policy.changed") == []


def test_nobody_admits_people_by_a_role_above_their_own(either_world: World) -> None:
    world = either_world
    of_policy = {"permissions": {"console": ["policy.manage", "people.manage"]}, "rank": 5}
    with_roles(world, DANA, {"keeper": of_policy})
    world.apply(
        tenants=[
            {
                "slug": "northwind",
                "name": "Northwind Lending",
                "roles": [{"key": "high", "name": "High", "rank": 50}],
            }
        ]
    )
    with administering(world, DANA) as admin:
        assert "high" not in {role.key for role in sign_up_terms.roles(admin)}
        claimed = {"sign_up": "admitted", "sign_up_role": "high"}
        with pytest.raises(Forbidden):
            sign_up_terms.change(admin, sign_up_terms.terms(admin).seen, claimed)
    assert policy(world) == {}


def test_it_needs_the_permission(world: World) -> None:
    with_roles(world, DANA, {"reader": {"permissions": {"console": ["people.read"]}}})
    browser = world.browser()
    assert browser.enter(PAGE, DANA).status_code == 403
    with administering(world, DANA) as admin, pytest.raises(Forbidden):
        sign_up_terms.terms(admin)
    with administering(world, DANA) as admin, pytest.raises(Forbidden):
        sign_up_terms.change(admin, "", {"sign_up": "closed"})
    assert world.browser().enter(PAGE, BEN).status_code != 200
    assert world.browser().enter(PAGE, HANA).status_code != 200


def test_it_needs_a_recent_sign_in(world: World) -> None:
    browser = world.browser()
    page = browser.enter(PAGE)
    world.clock.move(RECENT + 1)
    asked = browser.follow(save(browser, page, "closed"))
    assert 'name="password"' in asked.text
    assert policy(world) == {}
    kept = browser.follow(browser.submit(asked, email=AMARA, password=PASSWORD))
    assert browser.submit(kept, PAGE).status_code == 303
    assert policy(world) == {"sign_up": "closed"}


def test_whoever_saves_second_is_told(either_world: World) -> None:
    browser = either_world.browser()
    page = browser.enter(PAGE)
    assert save(browser, page, "closed").status_code == 303
    told = save(browser, page, "admitted", "agent")
    assert told.status_code == 409
    assert 'value="closed" checked' in told.text
    assert policy(either_world) == {"sign_up": "closed"}
    with administering(either_world) as admin, pytest.raises(Changed):
        sign_up_terms.change(admin, "of another time", {"sign_up": "approval"})


def test_it_leaves_the_rest_of_the_policy_alone(world: World) -> None:
    world.run(
        "UPDATE tenants SET policy = :p WHERE slug = 'northwind'",
        p='{"password_reset":"link","session_idle_minutes":9}',
    )
    with administering(world) as admin:
        sign_up_terms.change(admin, sign_up_terms.terms(admin).seen, {"sign_up": "closed"})
    ((found,),) = world.run("SELECT policy FROM tenants WHERE slug = 'northwind'")
    assert orjson.loads(found) == {
        "password_reset": "link",
        "session_idle_minutes": 9,
        "sign_up": "closed",
    }


def test_a_role_that_is_gone_is_said(world: World) -> None:
    world.run(
        "UPDATE tenants SET policy = :p WHERE slug = 'northwind'",
        p='{"sign_up":"admitted","sign_up_role":"gone"}',
    )
    assert "so everybody waits for an admin" in world.browser().enter(PAGE).text


def test_it_is_the_same_at_the_api(either_world: World) -> None:
    world, caller = either_world, person(either_world)
    nothing: dict[str, object] = {"sign_up": "approval", "role": None, "domains": []}
    assert caller.get(API).json == nothing
    changed = caller.change("PUT", API, {"sign_up": "admitted", "role": "agent"})
    assert changed.json == {"sign_up": "admitted", "role": "agent", "domains": []}
    assert policy(world) == {"sign_up": "admitted", "sign_up_role": "agent"}
    assert caller.change("PUT", API, {"sign_up": "admitted"}).status_code == 422
    assert caller.change("PUT", API, {"sign_up": "open"}).status_code == 422
    assert caller("PUT", API, {"sign_up": "closed"}).status_code == 428
    assert caller.change("PUT", API, {}).json == nothing
    assert policy(world) == {}
    unable = person(world, scope="people.read people.manage")
    assert unable.get(API).status_code == 403
    assert person(world, HANA, "harbor").get(API).status_code == 404
    assert tenants_machine(world).get(API).status_code == 200


def test_a_set_up_file_states_it_and_gets_it_back(world: World) -> None:
    stated = {"sign_up": "admitted", "sign_up_role": "agent"}
    form = {"slug": "northwind", "name": "Northwind Lending", "policy": stated}
    world.apply(tenants=[form])
    assert policy(world) == stated
    world.clock.move(5)
    assert not world.apply(tenants=[form]).changes, "the same is said since the first time"
    for wrong in ({"sign_up": "open"}, {"sign_up_role": "Not a key"}):
        with pytest.raises(Exception, match="sign_up"):
            read({"tenants": [{**form, "policy": wrong}]}, {}, "a test's file")


def test_a_set_up_file_says_it_for_the_domains_of_then(either_world: World) -> None:
    world = either_world
    form: dict[str, object] = {"slug": "northwind", "name": "Northwind Lending"}
    stated = {"sign_up": "admitted", "sign_up_role": "agent"}
    verify_domain(world)
    world.apply(tenants=[{**form, "policy": stated}])
    world.clock.move(5)
    verify_domain(world, "later.example", at=world.clock())
    world.apply(tenants=[{**form, "policy": stated}])
    assert admitting(world) == ["northwind.example"]
    world.apply(tenants=[{**form, "policy": {**stated, "sign_up_since": world.clock()}}])
    assert admitting(world) == ["later.example", "northwind.example"]
    world.apply(tenants=[{**form, "policy": {"sign_up": None}}])
    assert world.run("SELECT policy FROM tenants WHERE slug = 'northwind'") == [
        ('{"sign_up_role":"agent"}',)
    ]


def admitting(world: World) -> list[str]:
    with administering(world) as admin:
        return [each.name for each in sign_up_terms.terms(admin).domains if each.admits]


def test_whoever_names_a_role_without_admitting_states_none(world: World) -> None:
    with administering(world) as admin:
        claimed = {"sign_up": "approval", "sign_up_role": "account_admin"}
        sign_up_terms.change(admin, sign_up_terms.terms(admin).seen, claimed)
        with pytest.raises(Mistake):
            sign_up_terms.change(admin, sign_up_terms.terms(admin).seen, {"sign_up": "admitted"})
    assert policy(world) == {}


def test_an_operator_lets_people_open_an_account_on_their_way(either_world: World) -> None:
    world = either_world
    browser = operator(world)
    page = browser.get("/operate/products/lms/edit")
    assert 'name="sign_up"' in page.text
    assert 'id="sign_up" name="sign_up" value="1" checked' not in page.text
    filled = {"name": "LMS", "color": "#0f6b5c", "icon": "building-bank", "launch_client": "lms"}
    filled |= {"resource": "urn:product:lms", "password_max_age_days": "90"}
    done = browser.submit(page, "/operate/products/lms/edit", **filled, sign_up="1")
    assert "Offered to people without one" in browser.follow(done).text
    world.clock.move(1.0)
    assert world.held.catalog.current(world.clock()).products["lms"].sign_up
    assert world.audit("product.changed")[-1]["fields"]["sign_up"] == [False, True]
    visitor = world.browser()
    assert "Open an account" in visitor.follow(visitor.authorize("lms")).text
    again = browser.get("/operate/products/lms/edit")
    browser.submit(again, "/operate/products/lms/edit", **filled)
    world.clock.move(1.0)
    assert not world.held.catalog.current(world.clock()).products["lms"].sign_up
