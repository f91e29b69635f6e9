"""S60: what was linked by somebody who should not have had the account is not left to them, and
nothing is linked to an account that has changed hands."""

from __future__ import annotations

import pytest

from idp.app import create_pages
from idp.grants import factor_reset
from idp.web import letters as writing
from tests.account.proving import mail_to
from tests.console.administering import proven
from tests.console.company_providers_of import add, only_way
from tests.console.company_providers_of import link as link_to_company
from tests.console.people_of import member_id, user_id
from tests.credentials.proving import code_of, enrol_app
from tests.federation.companies import changed, key_of, northwinds
from tests.federation.known import upstream
from tests.federation.signing_in import come_back, leave, link, sign_in
from tests.machine.upstream.accounts import Account
from tests.machine.upstream.provider import UpstreamProvider
from tests.mailed import by_link, link_for
from tests.world import AMARA, BEN, HANA, PASSWORD, Visitor, World, sent_back

__all__ = ["northwinds", "upstream"]

DAY = 86400.0


@pytest.fixture
def visitor(either_world: World, upstream: UpstreamProvider) -> Visitor:
    return either_world.browser()


def linked(world: World) -> int:
    [(count,)] = world.run("SELECT count(*) FROM linked_accounts")
    return int(count)


def test_sec_60_an_account_that_has_another_address_by_now_is_not_linked(
    either_world: World, visitor: Visitor
):
    """Given back, or given away, after the browser has come back and before the proof."""
    page = sign_in(visitor)
    either_world.run(
        "UPDATE users SET email = 'new@x.example', email_canonical = 'new@x.example'"
        " WHERE email_canonical = :e",
        e=AMARA,
    )
    answer = visitor.submit(page, email="new@x.example", password=PASSWORD)
    assert "code" in sent_back(visitor.follow(answer))
    assert linked(either_world) == 0


def test_sec_60_nor_one_whose_address_is_not_verified_any_more(
    either_world: World, visitor: Visitor
):
    page = sign_in(visitor)
    either_world.run(
        "UPDATE users SET email_verified_at = NULL WHERE email_canonical = :e", e=AMARA
    )
    visitor.follow(visitor.submit(page, email=AMARA, password=PASSWORD))
    assert linked(either_world) == 0


def test_sec_60_who_has_a_second_factor_links_by_it_though_nobody_demands_one(
    either_world: World, visitor: Visitor
):
    secret = enrol_app(either_world)
    page = link(visitor, AMARA)
    assert page.request.path == "/login/second_factor"
    assert linked(either_world) == 0
    either_world.clock.move(31)
    visitor.follow(visitor.submit(page, code=code_of(secret, either_world.clock.now)))
    assert linked(either_world) == 1


def test_sec_60_who_gets_no_further_than_the_products_door_links_nothing(
    either_world: World, upstream: UpstreamProvider, visitor: Visitor
):
    page = sign_in(visitor)
    either_world.run("DELETE FROM membership_roles")
    page = visitor.follow(visitor.submit(page, email=AMARA, password=PASSWORD))
    assert page.request.path == "/login/not_open"
    answer = visitor.follow(visitor.submit(page, decision="back"))
    assert sent_back(answer)["error"] == "access_denied"
    assert linked(either_world) == 0


@pytest.mark.parametrize("form", ["temporary", "link"])
def test_sec_60_a_forgotten_password_unlinks_what_was_linked_within_a_week(
    either_world: World, visitor: Visitor, form: str
):
    link(visitor, AMARA)
    if form == "link":
        by_link(either_world)
    either_world.clock.move(7 * DAY - 120)
    forget(either_world, form)
    assert linked(either_world) == 0
    assert len(either_world.audit("account.unlinked")) == 1


def test_sec_60_and_leaves_what_the_owner_has_had_for_longer(either_world: World, visitor: Visitor):
    link(visitor, AMARA)
    either_world.clock.move(7 * DAY)
    forget(either_world, "temporary")
    assert linked(either_world) == 1


def forget(world: World, form: str) -> None:
    browser = world.browser()
    page = browser.get(link_for(world))
    fields = {"password": "Quiet otters paint 57 barges"} if form == "link" else {}
    assert browser.submit(page, **fields).status_code in (200, 303)


def test_sec_60_an_admins_reset_unlinks_what_was_linked(
    either_world: World, upstream: UpstreamProvider, visitor: Visitor
):
    upstream.account = Account("77", BEN)
    link(visitor, BEN)
    with proven(either_world, AMARA) as admin:
        factor_reset.reset(admin, member_id(either_world, BEN))
    assert linked(either_world) == 0
    [event] = either_world.audit("person.second_factors_reset")
    assert event["linked"] == ["google"]
    letter = {**mail_to(either_world, BEN, "account/unlinked"), "locale": "en"}
    text = writing.write(create_pages(either_world.held), letter).body
    assert "your account at Google signs you in no more" in text
    assert "An admin has reset how you sign in." in text


def test_sec_60_a_reset_tells_each_company_of_its_own_link_alone(either_world: World):
    """Ben was with Harbor, and his account at its provider is linked still."""
    ours = add(either_world)
    theirs = add(either_world, HANA, "harbor")
    for key in (ours, theirs):
        link_to_company(either_world, BEN, key, "1")
    with proven(either_world, AMARA) as admin:
        factor_reset.reset(admin, member_id(either_world, BEN))
    assert linked(either_world) == 0
    [event] = either_world.audit("person.second_factors_reset")
    assert event["linked"] == [ours]
    assert {each["provider"] for each in either_world.audit("account.unlinked")} == {ours, theirs}
    rows = either_world.run(
        "SELECT t.slug, e.actor_id, e.address, e.detail FROM audit_events e"
        " JOIN tenants t ON t.id = e.tenant_id WHERE e.tag = 'person.account_unlinked'"
    )
    told = {slug: (actor, address) for slug, actor, address, detail in rows}
    assert told["harbor"] == (None, "")
    assert told["northwind"][0] == user_id(either_world, AMARA)
    northwinds = either_world.run(
        "SELECT e.detail FROM audit_events e JOIN tenants t ON t.id = e.tenant_id"
        " WHERE t.slug = 'northwind'"
    )
    assert not any(theirs in detail for (detail,) in northwinds)


def test_sec_60_an_account_that_the_company_vouches_for_is_the_companys_to_unlink(
    either_world: World,
):
    """It would be linked again at the next sign-in, without a proof; to who has left it is theirs,
    and whom the company has disabled for a day has not left."""
    linked_id, address = companys_link(either_world)
    owner = either_world.browser()
    page = owner.enter("/account/security", BEN)
    assert "Northwind Entra" in page.text
    assert "Your company decides about it." in page.text
    assert linked_id not in page.text
    for status in ("active", "disabled"):
        either_world.run(
            "UPDATE memberships SET status = :s WHERE id = :m",
            s=status,
            m=member_id(either_world, BEN),
        )
        refused = owner.get(address)
        assert refused.status_code == 403
        assert "Your company decides about it. Ask an account admin there." in refused.text
        assert owner.submit(owner.get("/account/password"), address).status_code == 403
    assert linked(either_world) == 1


def test_sec_60_once_they_have_left_it_is_theirs(either_world: World):
    _, address = companys_link(either_world)
    either_world.run(
        "UPDATE memberships SET status = 'ended' WHERE id = :m", m=member_id(either_world, BEN)
    )
    owner = either_world.browser()
    page = owner.enter(address, BEN)
    assert "prove once" not in page.text
    assert owner.submit(page, address).status_code == 303
    assert linked(either_world) == 0


def companys_link(world: World) -> tuple[str, str]:
    """Ben's; its id, and the address of its page."""
    link_to_company(world, BEN, add(world), "1")
    [(linked_id,)] = world.run("SELECT id FROM linked_accounts")
    return str(linked_id), f"/account/security/linked/{linked_id}"


def test_sec_60_the_session_that_unlinks_goes_on_by_nothing_that_was_said_there(
    either_world: World, northwinds: UpstreamProvider
):
    changed(either_world, northwinds, **only_way(either_world, AMARA))
    owner, key = either_world.browser(), key_of(either_world)
    come_back(owner, leave(owner, owner.sign_in(BEN), key))
    [(linked_id,)] = either_world.run("SELECT id FROM linked_accounts")
    either_world.run(
        "UPDATE memberships SET status = 'ended' WHERE id = :m", m=member_id(either_world, BEN)
    )
    address = f"/account/security/linked/{linked_id}"
    page = owner.get(address)
    assert rests_on(either_world, key)
    assert owner.submit(page, address).status_code == 303
    assert not rests_on(either_world, key)
    assert owner.get("/account/security").status_code == 200


def rests_on(world: World, key: str) -> bool:
    [(proofs,)] = world.run("SELECT proofs FROM sessions WHERE ended_at IS NULL")
    return key in proofs


def test_sec_60_unlinking_ends_all_sessions_but_the_one_that_does_it(
    either_world: World, visitor: Visitor
):
    link(visitor, AMARA)
    owner = either_world.browser()
    owner.enter("/account/security")
    [(linked_id,)] = either_world.run("SELECT id FROM linked_accounts")
    address = f"/account/security/linked/{linked_id}"
    owner.submit(owner.enter(address), address)
    assert linked(either_world) == 0
    assert owner.get("/account/security").status_code == 200
    assert visitor.get("/account/security").status_code == 303
