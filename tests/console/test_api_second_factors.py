"""Second factors at the API: the policy, whom a change asks, why somebody needs one, and resets, by
the same rules as the pages (product.md M1, M3, M9, N1, N5)."""

from __future__ import annotations

from typing import Any

import pytest

from idp.directory.acting import RECENT
from idp.web.manage.second_factor_api import EXAMPLE
from tests.console.calling import (
    APP,
    EVERYTHING,
    Caller,
    add_clients,
    person,
    secret_of,
    tenants_machine,
)
from tests.console.people_of import give_role, member_id
from tests.console.test_api import is_problem
from tests.console.test_api_nouns import told
from tests.console.test_factor_reset import owned, second_admin, with_second_factor
from tests.console.test_multi_factor import STAFF, enrolled, policy, selected, sessions_of
from tests.world import AMARA, BEN, DANA, HANA, PRIYA, World

POLICY = "/tenants/northwind/second-factor-policy"
RESETS = "/tenants/northwind/factor-resets"
TERMS = EXAMPLE["terms"]


@pytest.fixture
def caller(either_world: World) -> Caller:
    return tenants_machine(either_world)


def saved(caller: Caller, change: dict[str, Any], digest: str = "") -> Any:
    confirmed = digest or told(caller.post(f"{POLICY}/preview", change))["digest"]
    return caller.post(f"{POLICY}/change", {**change, "confirmed": confirmed})


def factors(world: World, email: str) -> str:
    return f"/tenants/northwind/people/{member_id(world, email)}/second-factors"


def raised(world: World, email: str = AMARA) -> Caller:
    """Her token at the console's client, after a second factor."""
    add_clients(world)
    browser = with_second_factor(world, email)
    answer = browser.follow(
        browser.authorize(APP, scope=f"openid {EVERYTHING}", tenant="northwind")
    )
    code = answer.headers["Location"].partition("code=")[2].partition("&")[0]
    given = told(world.redeem(code, APP, secret=secret_of(APP)))
    return Caller(world, given["access_token"])


def test_m3_the_policy_is_read_previewed_and_changed(caller: Caller) -> None:
    world = caller.world
    before = told(caller.get(POLICY))
    assert before["modes"] == {"staff": "selected", "customer": "off", "organization": "off"}
    seen = told(caller.post(f"{POLICY}/preview", {"terms": TERMS}))
    assert (seen["now"], seen["new"]) == (0, seen["then"])
    assert {each["email"] for each in seen["items"]} == STAFF
    assert told(caller.get(POLICY)) == before
    assert told(saved(caller, {"terms": TERMS})) == told(caller.get(POLICY))
    assert told(caller.get(POLICY)) == {**TERMS, "methods": ["passkey", "totp"]}
    assert policy(world)["second_factor"] == {"staff": {"mode": "required"}}
    assert world.audit("policy.changed")[-1]["client"] == "northwind-all"


def test_n1_a_preview_is_told_part_by_part(caller: Caller) -> None:
    change = {"terms": TERMS}
    whole = told(caller.post(f"{POLICY}/preview", change))
    items: list[Any] = []
    following = ""
    while following is not None:
        address = f"{POLICY}/preview?limit=1&cursor={following}"
        part = told(caller.post(address, change))
        items, following = items + part["items"], part["next"]
    assert items == whole["items"]
    assert len(items) == whole["new"] > 1


def test_n1_nothing_is_saved_that_was_not_previewed(caller: Caller) -> None:
    shown = told(caller.post(f"{POLICY}/preview", {"terms": TERMS}))["digest"]
    other = {"terms": {**TERMS, "reset_needs_second_admin": False}}
    for change, digest in ((other, shown), ({"terms": TERMS}, "0" * 32)):
        assert is_problem(saved(caller, change, digest), 409)["code"] == "conflict"
    assert policy(caller.world) == {}
    told(saved(caller, other))
    is_problem(saved(caller, {"terms": TERMS}, shown), 409)
    assert told(caller.get(POLICY))["reset_needs_second_admin"] is False


def test_m1_people_are_selected_and_deselected_by_name_and_by_filter(caller: Caller) -> None:
    world = caller.world
    ben = {"selected": True, "ids": [member_id(world, BEN)]}
    assert told(caller.post(f"{POLICY}/preview", {"picks": [ben]}))["selected"] == 1
    told(saved(caller, {"picks": [ben]}))
    assert selected(world) == {BEN}
    staff = {"selected": True, "found_by": {"kind": "staff"}}
    told(saved(caller, {"picks": [staff, {**ben, "selected": False}]}))
    assert STAFF - selected(world) == {BEN}
    listed = told(caller.get(f"{POLICY}/people?kind=staff"))["items"]
    assert {each["email"] for each in listed if each["is_selected"]} == selected(world)
    assert selected(world, "harbor") == set()


def test_what_can_not_be_taken_is_refused_by_its_field(caller: Caller) -> None:
    many = [str(number) for number in range(501)]
    for change, field in (
        ({"terms": {**TERMS, "products": [{"product": "platform"}]}}, "products"),
        ({"terms": {**TERMS, "methods": ["carrier pigeon"]}}, "terms.methods.0"),
        ({"terms": {**TERMS, "modes": {"staff": "off"}}}, "terms.modes.customer"),
        (
            {"terms": {**TERMS, "products": [{"product": "lms", "minutes": 1441}]}},
            "terms.products.0.minutes",
        ),
        ({"picks": [{"selected": True}]}, "picks"),
        ({"picks": [{"selected": True, "ids": ["x"], "found_by": {}}]}, "picks"),
        ({"picks": [{"selected": True, "ids": many}]}, "picks.0.ids"),
        ({"picks": [{"selected": True, "ids": many[:300]}] * 2 + [_other(many)]}, "picks"),
    ):
        for sent, end in ((change, "preview"), ({**change, "confirmed": ""}, "change")):
            refused = is_problem(caller.post(f"{POLICY}/{end}", sent), 422)
            assert field in refused["errors"], refused
    assert policy(caller.world) == {}


def _other(many: list[str]) -> dict[str, Any]:
    return {"selected": False, "ids": [f"x{each}" for each in many[:300]]}


def test_the_policy_is_for_who_may_see_it_and_a_change_for_a_recent_sign_in(world: World) -> None:
    unable = person(world, scope="people.read people.manage")
    for method, path in (
        ("GET", ""),
        ("GET", "/people"),
        ("POST", "/preview"),
        ("POST", "/change"),
    ):
        is_problem(unable(method, f"{POLICY}{path}", {} if method == "POST" else None), 403)
    hers = person(world)
    digest = told(hers.post(f"{POLICY}/preview", {"terms": TERMS}))["digest"]
    world.run("UPDATE grants SET shown_at = shown_at - :late", late=RECENT + 1)
    answer = saved(hers, {"terms": TERMS}, digest)
    assert is_problem(answer, 401)["code"] == "insufficient_user_authentication"
    assert 'max_age="900"' in answer.headers["WWW-Authenticate"]
    assert policy(world) == {}


def test_a_preview_keeps_no_writer_waiting(caller: Caller) -> None:
    """It is a question, though it takes a body: it has no name of its own to be sent again."""
    asked = sessions_of(caller.world)
    answer = caller.post(f"{POLICY}/preview", {"terms": TERMS}, Idempotency_Key="k")
    assert (answer.status_code, set(asked)) == (200, {"reading"})


def test_n1_why_somebody_needs_a_second_factor_is_told_product_by_product(caller: Caller) -> None:
    world, here = caller.world, factors(caller.world, BEN)
    is_problem(person(world, scope="audit.read").get(here), 403)
    free = {each["product"]: each for each in told(caller.get(here))["items"]}
    assert {each["next"] for each in free.values()} == {"nothing"}
    assert not any(each["may_skip"] or each["has_skipped"] for each in free.values())
    staff = {**TERMS, "products": [{"product": "lms", "minutes": 15}]}
    told(saved(caller, {"terms": staff}))
    [lms] = told(caller.get(f"{here}?product=lms"))["items"]
    assert (lms["next"], lms["max_age_seconds"]) == ("enrol", 900)
    assert [each["why"] for each in lms["reasons"]] == ["kind_required", "tenant_product"]
    assert lms["reasons"][0]["sentence"] == "Northwind Lending requires it of its staff."
    assert lms["methods"] == ["passkey", "totp"]
    enrolled(world, BEN, 5.0)
    [lms] = told(caller.get(f"{here}?product=lms"))["items"]
    assert lms["next"] == "prove"
    assert lms["counting"] == [{"method": "totp", "enrolled_at": "1970-01-01T00:00:05Z"}]
    assert told(caller.get(f"{here}?product=none"))["items"] == []


def test_m9_a_person_resets_after_a_second_factor_and_a_program_never(caller: Caller) -> None:
    world = caller.world
    enrolled(world, BEN, 5.0)
    there = f"{factors(world, BEN)}/reset"
    is_problem(caller.post(there), 403)
    weak = person(world).post(there)
    assert is_problem(weak, 401)["code"] == "insufficient_user_authentication"
    challenge = weak.headers["WWW-Authenticate"]
    assert 'acr_values="aal2"' in challenge
    assert 'max_age="900"' in challenge
    assert owned(world, BEN) == 1
    hers = raised(world)
    assert told(hers.post(there)) == {"waiting": None}
    assert owned(world, BEN) == 0
    [event] = world.audit("person.second_factors_reset")
    assert event["client"] == APP
    is_problem(hers.post(f"{factors(world, AMARA)}/reset"), 403)
    assert list(is_problem(hers.post(f"{factors(world, PRIYA)}/reset"), 422)["errors"]) == ["reset"]


def test_m9_a_second_factor_that_is_old_is_asked_for_again(either_world: World) -> None:
    hers = raised(either_world)
    either_world.run("UPDATE grants SET second_factor_at = second_factor_at - :t", t=RECENT + 1)
    refused = hers.post(f"{factors(either_world, BEN)}/reset")
    is_problem(refused, 401)
    assert 'acr_values="aal2"' in refused.headers["WWW-Authenticate"]


def test_n5_a_second_admin_approves_or_refuses(either_world: World) -> None:
    world = either_world
    second_admin(world)
    give_role(world, DANA, "account_admin")
    enrolled(world, BEN, 5.0)
    amara, dana = raised(world), raised(world, DANA)
    there = f"{factors(world, BEN)}/reset"
    asked = told(amara.post(there))["waiting"]
    assert (asked["member"], asked["asked_by_name"]) == (member_id(world, BEN), "Amara Okafor")
    assert told(dana.get(RESETS))["items"] == [asked]
    is_problem(amara.post(f"{RESETS}/{asked['id']}/approve"), 403)
    is_problem(person(world, DANA).post(f"{RESETS}/{asked['id']}/approve"), 401)
    is_problem(tenants_machine(world).post(f"{RESETS}/{asked['id']}/approve"), 403)
    assert dana.post(f"{RESETS}/{asked['id']}/refuse").status_code == 204
    is_problem(dana.post(f"{RESETS}/{asked['id']}/approve"), 422)
    assert owned(world, BEN) == 1
    again = told(amara.post(there))["waiting"]["id"]
    assert dana.post(f"{RESETS}/{again}/approve").status_code == 204
    assert owned(world, BEN) == 0
    assert told(dana.get(RESETS))["items"] == []


def test_another_companys_resets_are_not_there(either_world: World) -> None:
    world = either_world
    second_admin(world)
    asked = told(raised(world).post(f"{factors(world, BEN)}/reset"))["waiting"]
    hana = person(world, HANA, "harbor")
    assert told(hana.get("/tenants/harbor/factor-resets"))["items"] == []
    for decide in ("approve", "refuse"):
        is_problem(hana.post(f"/tenants/harbor/factor-resets/{asked['id']}/{decide}"), 404)
        is_problem(hana.post(f"{RESETS}/{asked['id']}/{decide}"), 404)
