"""A reset of second factors: by whom, of whom, what it ends, and when it takes two (M9, N5)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from threading import Barrier, Thread
from typing import Any

import orjson
import pytest

from idp.directory import skipping
from idp.directory.acting import (
    RECENT,
    Administration,
    Forbidden,
    Mistake,
    NotFound,
    RecentSignInNeeded,
    SecondFactorNeeded,
)
from idp.directory.products import CONSOLE
from idp.directory.tenants import Tenant
from idp.grants import factor_reset, reset_requests
from idp.operators import visits
from idp.policies import second_factor_policy
from tests.console.administering import administering, proven, with_roles
from tests.console.operations import operation, operator, send
from tests.console.people_of import (
    add_clerk,
    address,
    company,
    give_role,
    letters,
    member_id,
    user_id,
)
from tests.console.test_multi_factor import enrolled, policy, proposed, save
from tests.security.second_factors import require_of_staff
from tests.world import AMARA, BEN, DANA, HANA, OLU, PRIYA, Visitor, World

DAY = 86400.0


def owned(world: World, email: str) -> int:
    ((count,),) = world.run(
        "SELECT count(*) FROM totp_authenticators WHERE user_id = :u", u=user_id(world, email)
    )
    return int(count)


def second_admin(world: World) -> None:
    world.run(
        "UPDATE tenants SET policy = :p WHERE slug = 'northwind'",
        p=orjson.dumps({"reset_needs_second_admin": True}).decode(),
    )


def waiting(world: World, admin: Administration) -> list[str]:
    """Whose."""
    page = reset_requests.waiting(admin, world.held.secret_keys)
    return [each.email for each in page.resets]


def reset(world: World, email: str, by: str = AMARA) -> Any:
    with proven(world, by) as admin:
        return factor_reset.reset(admin, member_id(world, email))


def test_m9_a_reset_unlinks_one_person_and_touches_nobody_else(either_world: World) -> None:
    either_world.clock.move(10)
    for email in (BEN, DANA):
        enrolled(either_world, email, either_world.clock() - 5)
        whose = user_id(either_world, email), company(either_world, "northwind").id
        with either_world.held.database.transaction() as db:
            skipping.skip(db, *whose, either_world.clock())
    bens, danas = either_world.browser(), either_world.browser()
    tokens = bens.tokens(BEN), danas.tokens(DANA)
    assert reset(either_world, BEN) is None
    assert (owned(either_world, BEN), owned(either_world, DANA)) == (0, 1)
    assert _skips(either_world) == {DANA}
    assert either_world.userinfo(tokens[0]["access_token"]).status_code == 401
    assert either_world.refresh(tokens[0]["refresh_token"]).status_code == 400
    assert either_world.userinfo(tokens[1]["access_token"]).status_code == 200
    assert 'name="password"' in bens.follow(bens.authorize()).text
    (letter,) = [each for each in letters(either_world) if "reset" in each["template"]]
    assert letter["to"] == BEN
    (event,) = either_world.audit("person.second_factors_reset")
    assert (event["factors"], event["membership"]) == (["totp"], member_id(either_world, BEN))
    either_world.clock.move(1)
    assert either_world.browser().tokens(BEN)["access_token"]


def _skips(world: World) -> set[str]:
    rows = world.run(
        "SELECT u.email FROM memberships m JOIN users u ON u.id = m.user_id"
        " WHERE m.second_factor_skipped_at IS NOT NULL"
    )
    return {email for (email,) in rows}


def test_sec_79_nobody_resets_somebody_above_themselves_or_themselves(
    either_world: World,
) -> None:
    add_clerk(either_world, BEN)
    for email in (AMARA, BEN):
        enrolled(either_world, email, 5.0)
        with pytest.raises(Forbidden):
            reset(either_world, email, by=BEN)
    with pytest.raises(Forbidden):
        reset(either_world, AMARA, by=AMARA)
    assert (owned(either_world, AMARA), owned(either_world, BEN)) == (1, 1)


def test_it_needs_the_permission(world: World) -> None:
    with_roles(world, DANA, {"reader": {"permissions": {"console": ["people.read"]}}})
    for act in (factor_reset.reset, factor_reset.approve, factor_reset.refuse):
        with proven(world, DANA) as admin, pytest.raises(Forbidden):
            act(admin, member_id(world, BEN))


def test_sec_54_it_needs_a_recent_second_factor_of_the_admins_own(either_world: World) -> None:
    enrolled(either_world, BEN, 5.0)
    ben = member_id(either_world, BEN)
    with administering(either_world) as admin, pytest.raises(SecondFactorNeeded):
        factor_reset.reset(admin, ben)
    with proven(either_world, age=RECENT + 1) as admin, pytest.raises(SecondFactorNeeded):
        factor_reset.reset(admin, ben)
    with proven(either_world) as admin:
        late = replace(admin, actor=replace(admin.actor, auth_time=admin.now - RECENT - 1))
        with pytest.raises(RecentSignInNeeded):
            factor_reset.reset(late, ben)
        program = replace(admin, actor=replace(admin.actor, user_id=None, auth_time=None))
        with pytest.raises(Forbidden):
            factor_reset.reset(program, ben)
    assert owned(either_world, BEN) == 1


def test_another_companys_person_is_not_there(either_world: World) -> None:
    with proven(either_world) as admin, pytest.raises(NotFound):
        factor_reset.reset(admin, member_id(either_world, HANA, "harbor"))


def test_who_is_at_home_in_two_companies_is_reset_by_a_visiting_operator_alone(
    either_world: World,
) -> None:
    """Else an admin of one would come closer to what the other one protects."""
    enrolled(either_world, PRIYA, 5.0)
    priya = member_id(either_world, PRIYA)
    for email, slug in ((AMARA, "northwind"), (HANA, "harbor")):
        with proven(either_world, email, slug=slug) as admin, pytest.raises(Mistake):
            factor_reset.reset(admin, member_id(either_world, PRIYA, slug))
    assert owned(either_world, PRIYA) == 1
    with visiting(either_world) as admin:
        factor_reset.reset(admin, priya)
    assert owned(either_world, PRIYA) == 0
    told = {each["to"]: each["template"] for each in letters(either_world)}
    assert told[PRIYA] == "person/second_factors_reset"
    assert told[HANA] == "person/second_factors_reset_elsewhere"


def test_an_operator_is_reset_by_an_operator_alone(either_world: World) -> None:
    either_world.run("UPDATE users SET is_operator = true WHERE email = :e", e=BEN)
    with pytest.raises(Mistake):
        reset(either_world, BEN)
    with visiting(either_world) as admin:
        factor_reset.reset(admin, member_id(either_world, BEN))


def test_a_visiting_operator_helps_the_last_account_admin(either_world: World) -> None:
    enrolled(either_world, AMARA, 5.0)
    with visiting(either_world) as admin:
        factor_reset.reset(admin, member_id(either_world, AMARA))
    assert owned(either_world, AMARA) == 0


@contextmanager
def visiting(world: World) -> Iterator[Administration]:
    with operation(world) as operated:
        tenant = operated.rows.get_one(Tenant, company(world, "northwind").id)
        visits.begin(operated, tenant, "They asked for help", 30)
    with world.held.database.connection() as db:
        visit = visits.find_live(db, "northwind", user_id(world, OLU), world.clock())
    assert visit
    with administering(world) as admin:
        console = admin.catalog.products[CONSOLE]
        actor = visits.visitor(visit, user_id(world, OLU), world.clock(), console)
        yield replace(admin, actor=replace(actor, second_factor_at=world.clock()))


def test_n5_a_reset_can_take_a_second_admin(either_world: World) -> None:
    second_admin(either_world)
    give_role(either_world, DANA, "account_admin")
    enrolled(either_world, BEN, 5.0)
    asked = reset(either_world, BEN)
    assert owned(either_world, BEN) == 1
    assert {each["to"] for each in letters(either_world)} >= {AMARA, DANA}
    with proven(either_world) as admin, pytest.raises(Forbidden):
        factor_reset.approve(admin, asked.id)
    with pytest.raises(Mistake):
        reset(either_world, BEN, by=DANA)
    with proven(either_world, DANA) as admin:
        factor_reset.approve(admin, asked.id)
    assert owned(either_world, BEN) == 0
    (event,) = either_world.audit("person.second_factors_reset")
    assert (event["request"], event["actor"]) == (asked.id, user_id(either_world, DANA))
    with proven(either_world, DANA) as admin, pytest.raises(Mistake):
        factor_reset.approve(admin, asked.id)


def test_n5_it_is_refused_taken_back_or_lapses_after_a_day(either_world: World) -> None:
    second_admin(either_world)
    give_role(either_world, DANA, "account_admin")
    enrolled(either_world, BEN, 5.0)
    for by in (DANA, AMARA):
        asked = reset(either_world, BEN)
        with administering(either_world, by) as admin:
            factor_reset.refuse(admin, asked.id)
        with proven(either_world, DANA) as admin, pytest.raises(Mistake):
            factor_reset.approve(admin, asked.id)
    asked = reset(either_world, BEN)
    either_world.clock.move(DAY)
    with proven(either_world, DANA) as admin:
        assert waiting(either_world, admin) == []
        with pytest.raises(Mistake):
            factor_reset.approve(admin, asked.id)
    assert owned(either_world, BEN) == 1
    again = reset(either_world, BEN, by=DANA)
    assert again.id != asked.id
    assert len(either_world.audit("person.second_factors_reset_refused")) == 2


def test_n5_who_approves_needs_what_who_asks_needs(either_world: World) -> None:
    second_admin(either_world)
    add_clerk(either_world, BEN)
    give_role(either_world, DANA, "account_admin")
    asked = reset(either_world, DANA)
    with proven(either_world, BEN) as admin, pytest.raises(Forbidden):
        factor_reset.approve(admin, asked.id)
    asked = reset(either_world, BEN)
    with administering(either_world, DANA) as admin, pytest.raises(SecondFactorNeeded):
        factor_reset.approve(admin, asked.id)


def test_n5_of_two_who_approve_at_once_one_does(either_world: World) -> None:
    second_admin(either_world)
    for email in (DANA, PRIYA):
        give_role(either_world, email, "account_admin")
    asked, together, outcomes = reset(either_world, BEN), Barrier(2), []

    def approve(email: str) -> None:
        together.wait()
        try:
            with proven(either_world, email) as admin:
                factor_reset.approve(admin, asked.id)
            outcomes.append("done")
        except Mistake:
            outcomes.append("late")

    threads = [Thread(target=approve, args=(email,)) for email in (DANA, PRIYA)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["done", "late"]
    assert len(either_world.audit("person.second_factors_reset")) == 1


def with_second_factor(world: World, email: str) -> Visitor:
    """A browser whose session has a second factor, proven now."""
    browser = world.browser()
    browser.enter("/manage/northwind", email)
    prove_a_second_factor(world, email)
    return browser


def prove_a_second_factor(world: World, email: str) -> None:
    """In all sessions of theirs."""
    at = world.clock()
    proofs = orjson.dumps({"password": [at, 0.0], "totp": [at, 0.0]}).decode()
    whose = user_id(world, email)
    world.run("UPDATE sessions SET proofs = :p WHERE user_id = :u", p=proofs, u=whose)


def test_the_form_asks_for_a_second_factor_first(either_world: World) -> None:
    browser = either_world.browser()
    browser.enter("/manage/northwind")
    page = f"{address(either_world, BEN)}/reset-factors"
    for answer in (_post(browser, either_world, page),):
        assert answer.status_code == 303
        assert answer.headers["Location"].startswith("/authorize")
        there = browser.get(answer.headers["Location"]).headers["Location"]
        assert there.startswith(("/login/enrol", "/login/second_factor"))
    assert either_world.audit("person.second_factors_reset") == []


def _post(browser: Visitor, world: World, page: str) -> Any:
    """With the token of another form of theirs."""
    form = browser.get(address(world, BEN))
    token = re.findall(r'name="csrf_token" value="([^"]+)"', form.text)[0]
    return browser.post(page, csrf_token=token)


def test_m9_and_n5_at_the_pages(either_world: World) -> None:
    enrolled(either_world, BEN, 5.0)
    browser = with_second_factor(either_world, AMARA)
    page = f"{address(either_world, BEN)}/reset-factors"
    done = browser.follow(browser.submit(browser.get(page), page))
    assert "Their second factors are gone" in done.text
    second_admin(either_world)
    give_role(either_world, DANA, "account_admin")
    asked = browser.follow(browser.submit(browser.get(page), page))
    assert "Another admin has 24 hours" in asked.text
    assert "Take it back" in asked.text
    other = with_second_factor(either_world, DANA)
    (reset_id,) = either_world.run("SELECT id FROM factor_resets WHERE status = 'waiting'")[0]
    approval = other.get(f"{page}/{reset_id}/approve")
    assert "Approve and reset" in approval.text
    assert other.submit(approval, f"{page}/{reset_id}/approve").status_code == 303
    late = other.submit(approval, f"{page}/{reset_id}/approve")
    assert late.status_code == 422
    assert "This does not wait for anybody any more." in late.text
    elsewhere = f"{address(either_world, PRIYA)}/reset-factors/{reset_id}/refuse"
    assert other.submit(approval, elsewhere).status_code == 404


def test_n5_the_rule_of_two_is_loosened_by_no_password_alone(either_world: World) -> None:
    second_admin(either_world)
    loose = proposed(either_world, reset_needs_second_admin=False)
    with pytest.raises(SecondFactorNeeded):
        save(either_world, loose)
    with proven(either_world, AMARA) as admin:
        keys = either_world.held.secret_keys
        seen = second_factor_policy.preview(admin, keys, loose).digest
        second_factor_policy.save(admin, loose, seen)
    assert policy(either_world)["reset_needs_second_admin"] is False


def test_the_page_is_not_shown_to_who_may_not_reset(world: World) -> None:
    with_roles(world, DANA, {"reader": {"permissions": {"console": ["people.read"]}}})
    browser = with_second_factor(world, DANA)
    page = f"{address(world, BEN)}/reset-factors"
    assert browser.get(page).status_code == 403
    assert _post(browser, world, page).status_code == 403


def test_a_program_learns_of_no_request_by_approving_it(world: World) -> None:
    with administering(world) as admin:
        program = replace(admin, actor=replace(admin.actor, user_id=None))
        with pytest.raises(Forbidden):
            factor_reset.approve(program, "no such request")


def test_a_guest_is_reset_at_home_alone(either_world: World) -> None:
    """Else whoever lets somebody in could take their second factor away everywhere."""
    enrolled(either_world, BEN, 5.0)
    either_world.run(
        "UPDATE memberships SET source = 'cross_tenant' WHERE id = :m",
        m=member_id(either_world, BEN),
    )
    with pytest.raises(Forbidden):
        reset(either_world, BEN)
    assert owned(either_world, BEN) == 1


def test_sec_57_a_reset_ends_what_outlived_a_sign_out_and_what_was_half_finished(
    either_world: World,
) -> None:
    offline = either_world.browser()
    kept = offline.tokens(BEN, scope="openid offline_access")
    offline.submit(offline.get("/logout"), decision="sign_out")
    either_world.browser().sign_in(BEN)
    require_of_staff(either_world)
    half = either_world.browser()
    page = half.sign_in(BEN)
    assert page.request.path == "/login/enrol"
    either_world.clock.move(1)
    reset(either_world, BEN)
    assert either_world.refresh(kept["refresh_token"]).status_code == 400
    attempt = re.findall(r"attempt=([\w-]+)", page.text)[0]
    again = half.follow(half.get(f"/login/enrol?attempt={attempt}&method=totp"))
    assert 'name="password"' in again.text
    bens = "SELECT ended_at IS NULL FROM sessions WHERE user_id = :u"
    assert not any(is_open for (is_open,) in either_world.run(bens, u=user_id(either_world, BEN)))


def test_m9_a_visiting_operator_resets_at_the_page_by_a_second_factor(either_world: World) -> None:
    enrolled(either_world, BEN, 5.0)
    browser = operator(either_world)
    about = {"minutes": "15", "reason": "Their only admin is on leave"}
    send(browser, "/operate/tenants/northwind/visit", **about)
    page = f"{address(either_world, BEN)}/reset-factors"
    away = browser.follow(browser.submit(browser.get(page), page))
    assert away.request.path == "/login/enrol", "a password alone is not enough"
    prove_a_second_factor(either_world, OLU)
    done = browser.follow(browser.submit(browser.get(page), page))
    assert "Their second factors are gone" in done.text
    assert owned(either_world, BEN) == 0


def test_a_home_in_a_company_that_has_ended_protects_nothing(either_world: World) -> None:
    enrolled(either_world, PRIYA, 5.0)
    either_world.run("UPDATE tenants SET status = 'ended' WHERE slug = 'harbor'")
    assert reset(either_world, PRIYA) is None
    assert owned(either_world, PRIYA) == 0


def test_a_reset_leaves_no_request_for_one_waiting(either_world: World) -> None:
    second_admin(either_world)
    assert reset(either_world, BEN)
    either_world.run("UPDATE tenants SET policy = '{}' WHERE slug = 'northwind'")
    assert reset(either_world, BEN) is None
    assert either_world.run("SELECT status FROM factor_resets") == [("lapsed",)]
