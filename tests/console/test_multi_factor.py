"""Multi-factor: a company says who needs a second factor, by what and where, and sees whom a change
asks before it is saved (product.md M1, M3, M7, N1)."""

from __future__ import annotations

import re
from typing import Any

import orjson
import pytest
from werkzeug.test import TestResponse

from idp.directory.acting import RECENT, Changed, Forbidden, Mistake
from idp.directory.people import Wanted
from idp.policies import second_factor_policy, second_factor_selection
from idp.policies.mfa import Mode
from idp.policies.second_factor_policy import Proposal
from idp.policies.second_factor_selection import Pick
from idp.secret_values import new_id
from tests.console.administering import administering, with_roles
from tests.console.people_of import member_id, user_id
from tests.world import AMARA, BEN, DANA, PASSWORD, PRIYA, Visitor, World

MULTI_FACTOR = "/manage/northwind/multi-factor"
EVERYBODY = Wanted()
STAFF = {AMARA, BEN, DANA, PRIYA}


def selected(world: World, slug: str = "northwind") -> set[str]:
    rows = world.run(
        "SELECT u.email FROM memberships m JOIN users u ON u.id = m.user_id"
        " JOIN tenants t ON t.id = m.tenant_id WHERE t.slug = :s AND m.second_factor_selected",
        s=slug,
    )
    return {email for (email,) in rows}


def policy(world: World, slug: str = "northwind") -> dict[str, Any]:
    ((found,),) = world.run("SELECT policy FROM tenants WHERE slug = :slug", slug=slug)
    return dict(orjson.loads(found))


def enrolled(world: World, email: str, at: float, table: str = "totp_authenticators") -> None:
    """An authenticator app, as far as a policy looks at it."""
    world.run(
        f"INSERT INTO {table} (user_id, id, sealed_secret, last_step, enrolled_at)"
        " VALUES (:u, :i, '', 0, :at)",
        u=user_id(world, email),
        i=new_id(),
        at=at,
    )


def proposed(world: World, **changed: Any) -> Proposal:
    """The terms as they are, with some changed; `modes` one by one."""
    with administering(world) as admin:
        terms = second_factor_policy.terms(admin)
    modes = {**terms.modes, **changed.pop("modes", {})}
    return Proposal(terms._replace(modes=modes, **changed))


def save(world: World, proposal: Proposal, email: str = AMARA) -> None:
    with administering(world, email) as admin:
        keys = world.held.secret_keys
        confirmed = second_factor_policy.preview(admin, keys, proposal).digest
        second_factor_policy.save(admin, proposal, confirmed)


def asked(world: World, proposal: Proposal, email: str = AMARA) -> Any:
    with administering(world, email) as admin:
        return second_factor_policy.preview(admin, world.held.secret_keys, proposal).preview


def fields(page: TestResponse, action: str) -> dict[str, str]:
    """The hidden fields of the form that is sent there."""
    form = re.search(
        rf'<form[^>]*action="{re.escape(action)}[^"]*".*?</form>', page.text, re.DOTALL
    )
    assert form, page.text
    return dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', form[0]))


def press(browser: Visitor, page: TestResponse, do: str, **more: Any) -> TestResponse:
    """A button of the list of people; `member` are those who are checked."""
    path = f"{MULTI_FACTOR}/people"
    sent = {**fields(page, path), **more}
    was = re.findall(r'name="was" value="([^"]+)"', page.text)
    return browser.client.post(path, data={**sent, "was": was, "do": do}, headers=browser.headers)


def confirm(browser: Visitor, page: TestResponse) -> TestResponse:
    return browser.post(f"{MULTI_FACTOR}/save", **fields(page, f"{MULTI_FACTOR}/save"))


def test_m1_an_admin_checks_who_must_enrol_and_saves(either_world: World) -> None:
    """M1: a check box each, Select all, Deselect all, Save."""
    browser = either_world.browser()
    page = browser.enter("/manage/northwind/settings")
    assert "User authentication" in page.text
    page = browser.get(MULTI_FACTOR)
    ben = member_id(either_world, BEN)
    preview = press(browser, page, "save", member=[ben])
    assert "1 person is selected." in preview.text
    assert selected(either_world) == set()
    assert "It is saved" in browser.follow(confirm(browser, preview)).text
    assert selected(either_world) == {BEN}
    (event,) = either_world.audit("policy.people_selected")
    assert (event["selected"], event["deselected"]) == (1, 0)
    page = press(browser, browser.get(MULTI_FACTOR), "all", member=[ben])
    assert "Not saved yet" in page.text
    assert confirm(browser, press(browser, page, "save", member=_all(page))).status_code == 303
    assert selected(either_world) >= STAFF
    assert selected(either_world, "harbor") == set()
    assert "/authorize" in browser.get(MULTI_FACTOR).headers["Location"]  # she is one of them


def test_m1_deselect_all_deselects_everybody(either_world: World) -> None:
    save(either_world, Proposal(picks=(Pick(True, (member_id(either_world, BEN),)),)))
    browser = either_world.browser()
    page = browser.enter(MULTI_FACTOR)
    page = press(browser, page, "none", member=_all(page))
    assert confirm(browser, press(browser, page, "save")).status_code == 303
    assert selected(either_world) == set()


def _all(page: TestResponse) -> list[str]:
    return re.findall(r'name="member" value="([^"]+)"', page.text)


def test_what_is_checked_on_one_page_is_kept_on_the_next(either_world: World) -> None:
    browser = either_world.browser()
    page = browser.enter(MULTI_FACTOR)
    ben, dana = member_id(either_world, BEN), member_id(either_world, DANA)
    found = press(browser, page, "show", member=[ben], search="dana")
    assert _all(found) == [dana]
    preview = press(browser, found, "save", member=[dana], search="dana")
    confirm(browser, preview)
    assert selected(either_world) == {BEN, DANA}


def test_all_who_are_found_are_selected_by_one_statement(either_world: World) -> None:
    picks = second_factor_selection.added((), Pick(True, wanted=Wanted(search="da")))
    picks = second_factor_selection.added(picks, Pick(True, (member_id(either_world, BEN),)))
    save(either_world, Proposal(picks=picks))
    assert selected(either_world) == {BEN, DANA}
    picks = (Pick(False, wanted=Wanted(kind="staff")),)
    save(either_world, Proposal(picks=picks))
    assert selected(either_world) == set()


def test_picks_replace_one_another_and_are_bounded() -> None:
    picks = second_factor_selection.added((Pick(True, ("a", "b")),), Pick(False, ("b",)))
    assert picks == (Pick(True, ("a",)), Pick(False, ("b",)))
    assert second_factor_selection.added(picks, Pick(False, ("c",)))[-1] == Pick(False, ("b", "c"))
    assert second_factor_selection.added(picks, Pick(True, wanted=EVERYBODY)) == (
        Pick(True, wanted=EVERYBODY),
    )
    full: tuple[Pick, ...] = ()
    for number in range(second_factor_selection.MOST_PICKS):
        full = second_factor_selection.added(full, Pick(True, wanted=Wanted(search=str(number))))
    with pytest.raises(Mistake):
        second_factor_selection.added(full, Pick(True, wanted=Wanted(search="one more")))
    many = tuple(f"m{number}" for number in range(second_factor_selection.MOST_NAMED + 1))
    with pytest.raises(Mistake):
        second_factor_selection.added((), Pick(True, many))


def test_another_companys_people_are_never_selected(either_world: World) -> None:
    hana = member_id(either_world, "hana@harbor.example", "harbor")
    save(either_world, Proposal(picks=(Pick(True, (hana,)), Pick(True, wanted=EVERYBODY))))
    assert selected(either_world, "harbor") == set()


def test_m3_a_policy_by_kind_is_previewed_then_saved(either_world: World) -> None:
    browser = either_world.browser()
    page = browser.enter(MULTI_FACTOR)
    sent = {**fields(page, f"{MULTI_FACTOR}/policy"), "staff": "required", "customer": "optional"}
    sent |= {"organization": "off", "method": "totp", "product": "lms", "minutes-lms": "5"}
    preview = browser.post(f"{MULTI_FACTOR}/policy", **sent, second_admin="1")
    assert "Staff: from “Selected people” to “Required”." in preview.text
    assert "Code by SMS counts no more." in preview.text
    assert "at most 5 minutes old" in preview.text
    assert policy(either_world) == {}
    assert confirm(browser, preview).status_code == 303
    assert policy(either_world) == {
        "second_factor": {"staff": {"mode": "required"}, "customer": {"mode": "optional"}},
        "second_factor_methods": ["passkey", "totp"],
        "second_factor_products": {"lms": 5},
        "reset_needs_second_admin": True,
    }
    (event,) = either_world.audit("policy.changed")
    assert event["after"] == policy(either_world)
    assert event["before"]["second_factor_products"] is None


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"staff": "sometimes"}, "modes"),
        ({"method": "carrier pigeon"}, "methods"),
        ({"product": "platform"}, "products"),
        ({"product": "lms", "minutes-lms": "0"}, "minutes-lms"),
        ({"product": "lms", "minutes-lms": "1441"}, "minutes-lms"),
        ({"product": "lms", "minutes-lms": "five"}, "minutes-lms"),
    ],
)
def test_what_no_policy_can_say_is_refused(world: World, sent: dict[str, str], field: str) -> None:
    browser = world.browser()
    page = browser.enter(MULTI_FACTOR)
    kinds = {"staff": "off", "customer": "off", "organization": "off"}
    hidden = fields(page, f"{MULTI_FACTOR}/policy")
    answer = browser.post(f"{MULTI_FACTOR}/policy", **{**hidden, **kinds, **sent})
    assert answer.status_code == 422
    assert f'href="#{field}"' in answer.text
    assert policy(world) == {}


def test_n1_the_preview_says_whom_a_change_asks(either_world: World) -> None:
    before = asked(either_world, Proposal())
    assert (before.now, before.then, before.new) == (0, 0, 0)
    strict = proposed(either_world, modes={"staff": Mode.REQUIRED})
    found = asked(either_world, strict)
    assert {each.email for each in found.people} == STAFF
    assert (found.then, found.new, found.need_a_key) == (len(STAFF), len(STAFF), 0)
    enrolled(either_world, DANA, either_world.clock() - 5)
    assert asked(either_world, strict).new == found.new - 1
    assert DANA not in {each.email for each in asked(either_world, strict).people}


def test_n1_the_preview_says_who_is_locked_out_without_a_passkey(either_world: World) -> None:
    enrolled(either_world, DANA, either_world.clock() - 5)
    strict = proposed(either_world, modes={"staff": Mode.REQUIRED}, methods=frozenset({"passkey"}))
    found = asked(either_world, strict)
    assert found.need_a_key == found.new == len(STAFF)
    free = strict.terms._replace(modes={"staff": Mode.OPTIONAL})  # type: ignore[union-attr]
    assert asked(either_world, Proposal(free)).need_a_key == 0


def test_n1_selected_people_and_products_are_previewed_too(either_world: World) -> None:
    ben = Proposal(picks=(Pick(True, (member_id(either_world, BEN),)),))
    assert [each.email for each in asked(either_world, ben).people] == [BEN]
    payments = asked(either_world, proposed(either_world, products={"payments": None}))
    assert BEN not in {each.email for each in payments.people}  # his roles do not open it
    assert DANA in {each.email for each in payments.people}


def test_n1_who_is_asked_already_is_not_new(either_world: World) -> None:
    save(either_world, proposed(either_world, modes={"staff": Mode.REQUIRED}))
    found = asked(either_world, proposed(either_world, products={"payments": None}))
    assert (found.now, found.then) == (len(STAFF), len(STAFF))
    assert (found.new, found.need_a_key, found.people) == (0, 0, [])


def test_n1_who_has_skipped_is_not_asked_until_it_is_required(either_world: World) -> None:
    save(either_world, proposed(either_world, modes={"staff": Mode.OPTIONAL}))
    assert asked(either_world, Proposal()).now == len(STAFF)
    either_world.run(
        "UPDATE memberships SET second_factor_skipped_at = :at WHERE id = :m",
        at=either_world.clock(),
        m=member_id(either_world, BEN),
    )
    assert asked(either_world, Proposal()).now == len(STAFF) - 1
    strict = asked(either_world, proposed(either_world, modes={"staff": Mode.REQUIRED}))
    assert [each.email for each in strict.people] == [BEN]


def test_what_is_no_members_id_is_not_kept(either_world: World) -> None:
    browser = either_world.browser()
    page = browser.enter(MULTI_FACTOR)
    for odd in ("", " ", "a b", "x" * 65, "'", "%"):
        kept = press(browser, page, "show", member=[odd])
        assert kept.status_code == 200
        assert "Not saved yet" not in kept.text, odd


def test_m5_turning_it_off_and_on_again_asks_those_who_had_enrolled(either_world: World) -> None:
    """M5, seen in the preview: the same function decides at the sign-in."""
    enrolled(either_world, DANA, either_world.clock() - 5)
    save(either_world, proposed(either_world, modes={"staff": Mode.REQUIRED}))
    assert asked(either_world, Proposal()).now == len(STAFF) - 1
    save(either_world, proposed(either_world, modes={"staff": Mode.OFF}))
    either_world.clock.move(10)
    again = proposed(either_world, modes={"staff": Mode.REQUIRED})
    assert DANA in {each.email for each in asked(either_world, again).people}
    save(either_world, again)
    assert policy(either_world)["second_factor"]["staff"]["since"] == either_world.clock()


def test_the_new_people_are_listed_page_by_page(either_world: World) -> None:
    strict = proposed(either_world, modes={"staff": Mode.REQUIRED})
    keys, found, cursor = either_world.held.secret_keys, [], ""
    with administering(either_world) as admin:
        whole = second_factor_policy.preview(admin, keys, strict).preview
        while True:
            part = second_factor_policy.preview(admin, keys, strict, cursor, 2).preview
            found += part.people
            if part.next is None:
                break
            cursor = part.next
    assert found == whole.people
    assert len(found) == whole.new > 2


def test_what_was_not_previewed_is_not_saved(either_world: World) -> None:
    strict = proposed(either_world, modes={"staff": Mode.REQUIRED})
    with administering(either_world) as admin:
        seen = second_factor_policy.preview(admin, either_world.held.secret_keys, strict).digest
    for wrong in ("", seen[::-1]):
        with administering(either_world) as admin, pytest.raises(Changed):
            second_factor_policy.save(admin, strict, wrong)
    other = proposed(either_world, modes={"staff": Mode.OPTIONAL})
    with administering(either_world) as admin, pytest.raises(Changed):
        second_factor_policy.save(admin, other, seen)
    save(either_world, proposed(either_world, password_after_enrolment=True))
    with administering(either_world) as admin, pytest.raises(Changed):
        second_factor_policy.save(admin, strict, seen)
    assert policy(either_world) == {"password_after_enrolment": True}


def test_a_selection_that_changed_meanwhile_is_previewed_again(either_world: World) -> None:
    browser = either_world.browser()
    page = browser.enter(MULTI_FACTOR)
    preview = press(browser, page, "save", member=[member_id(either_world, BEN)])
    save(either_world, Proposal(picks=(Pick(True, wanted=Wanted(search="ben")),)))
    told = confirm(browser, preview)
    assert told.status_code == 409
    assert "This is not what was shown any more." in told.text


def test_the_gap_to_the_recommended_policy_is_told_and_closed(either_world: World) -> None:
    browser = either_world.browser()
    page = browser.enter(MULTI_FACTOR)
    assert "Less than recommended" in page.text
    preview = browser.submit(page, f"{MULTI_FACTOR}/recommended")
    assert "Code by e-mail counts no more." in preview.text
    assert confirm(browser, preview).status_code == 303
    assert policy(either_world)["second_factor_methods"] == ["passkey", "totp"]
    with administering(either_world) as admin:
        assert second_factor_policy.gap(admin) is None


def test_a_proposal_of_another_company_or_none_of_ours_is_refused(world: World) -> None:
    browser, other = world.browser(), world.browser()
    page = browser.enter(MULTI_FACTOR)
    theirs = other.enter("/manage/harbor/multi-factor", "hana@harbor.example")
    stolen = fields(theirs, "/manage/harbor/multi-factor/people")["picks"]
    for sealed in ("", "x", stolen):
        assert press(browser, page, "show", picks=sealed).status_code == 400


def test_it_needs_the_permission_and_a_recent_sign_in(world: World) -> None:
    """M3: only admins whose role has the permission see and change it."""
    browser = world.browser()
    page = browser.enter(MULTI_FACTOR)
    preview = press(browser, page, "save", member=[member_id(world, BEN)])
    world.clock.move(RECENT + 1)
    asked_again = browser.follow(confirm(browser, preview))
    assert 'name="password"' in asked_again.text
    assert selected(world) == set()
    kept = browser.follow(browser.submit(asked_again, email=AMARA, password=PASSWORD))
    assert browser.submit(kept, f"{MULTI_FACTOR}/save").status_code == 303
    assert selected(world) == {BEN}
    with_roles(world, DANA, {"reader": {"permissions": {"console": ["people.read"]}}})
    clerk = world.browser()
    assert MULTI_FACTOR not in clerk.enter("/manage/northwind", DANA).text
    for path in (MULTI_FACTOR, "/manage/northwind/settings"):
        assert clerk.get(path).status_code == 403
    for act in (
        second_factor_policy.terms,
        lambda admin: second_factor_policy.members(admin, world.held.secret_keys, EVERYBODY),
        lambda admin: second_factor_policy.preview(admin, world.held.secret_keys, Proposal()),
        lambda admin: second_factor_policy.save(admin, Proposal(), ""),
    ):
        with administering(world, DANA) as admin, pytest.raises(Forbidden):
            act(admin)


def sessions_of(world: World) -> list[str]:
    """How each session is opened from now on."""
    asked: list[str] = []
    database = world.held.database
    session = database.session

    def watched(read_only: bool = False) -> Any:
        asked.append("reading" if read_only else "writing")
        return session(read_only)

    object.__setattr__(database, "session", watched)
    return asked


def test_n1_a_preview_keeps_no_writer_waiting(either_world: World) -> None:
    """It is worked out of everybody, which may take seconds."""
    browser = either_world.browser()
    page = browser.enter(MULTI_FACTOR)
    asked = sessions_of(either_world)
    preview = press(browser, page, "all", member=[])
    preview = press(browser, preview, "save", member=_all(preview))
    more = fields(preview, f"{MULTI_FACTOR}/save")
    assert browser.post(f"{MULTI_FACTOR}/preview", **more).status_code == 200
    recommended = fields(page, f"{MULTI_FACTOR}/recommended")
    assert browser.post(f"{MULTI_FACTOR}/recommended", **recommended).status_code == 200
    assert set(asked) == {"reading"}
    late = browser.post(f"{MULTI_FACTOR}/save", **{**more, "confirmed": "0" * 32})
    assert (late.status_code, asked[-2:]) == (409, ["writing", "reading"])
