"""Of many who use one sign-up link, or decide about one person, at once: one does."""

from __future__ import annotations

from collections import Counter

import pytest

from idp import new_accounts
from idp.audit import NOWHERE
from idp.credentials import sign_up_links
from idp.directory import letting_in
from idp.directory.acting import Mistake
from idp.errors import Refusal
from idp.login import new_password, sign_up
from idp.login.sign_up import LinkOver
from idp.new_accounts import ElsewhereNow
from idp.secret_values import LETTER_SECRET
from tests.console.administering import administering
from tests.mailed import NEW
from tests.signing_up import (
    FREDA,
    NADIA,
    link_for,
    memberships_of,
    requests_of,
    state,
    verify_domain,
)
from tests.signing_up import sign_up as signed_up
from tests.storage.crew import threads_at_once
from tests.world import PASSWORD, World

AT_ONCE = 20


def test_sec_56_of_many_threads_one_opens_the_account(either_world: World) -> None:
    world, held = either_world, either_world.held
    token = link_for(world, FREDA).partition("token=")[2]
    [(companies,)] = world.run("SELECT count(*) FROM tenants")
    found = sign_up.look(held.database, token, world.clock())

    owner = new_accounts.owner_of(found, "Freda", "Fresh")
    prepared = new_password.prepare(held.database, held.hasher, held.settings, owner, (), NEW)

    def use(number: int) -> bool:
        account = (token, owner, prepared, f"Company {number}", world.clock(), NOWHERE)
        try:
            new_accounts.open_account(held.database, held.secret_keys, *account)
        except Refusal:
            return False
        return True

    assert Counter(threads_at_once(use, AT_ONCE)) == {True: 1, False: AT_ONCE - 1}
    assert len(memberships_of(world, FREDA)) == 1
    assert world.run("SELECT count(*) FROM tenants") == [(companies + 1,)]
    assert len(world.audit("sign_up.done")) == 1


def test_sec_56_of_many_who_use_both_links_one_opens_the_account(either_world: World) -> None:
    world, held = either_world, either_world.held
    tokens = [link_for(world, FREDA).partition("token=")[2] for _ in range(2)]
    found = sign_up.look(held.database, tokens[0], world.clock())
    owner = new_accounts.owner_of(found, "Freda", "Fresh")
    prepared = new_password.prepare(held.database, held.hasher, held.settings, owner, (), NEW)

    def use(number: int) -> bool:
        token = tokens[number % 2]
        account = (token, owner, prepared, f"Company {number}", world.clock(), NOWHERE)
        try:
            new_accounts.open_account(held.database, held.secret_keys, *account)
        except Refusal:
            return False
        return True

    assert Counter(threads_at_once(use, AT_ONCE)) == {True: 1, False: AT_ONCE - 1}
    assert len(memberships_of(world, FREDA)) == 1
    assert world.run("SELECT count(*) FROM sign_up_links") == [(0,)]


def test_sec_56_of_many_links_that_are_made_at_once_two_are_good(either_world: World) -> None:
    held, now = either_world.held, either_world.clock()

    def make(number: int) -> str:
        with held.database.transaction() as db:
            asked = (FREDA, f"product-{number}", "en", "")
            sealed = sign_up_links.make(db, held.secret_keys, *asked, now)
        return held.secret_keys.decrypt(sealed, LETTER_SECRET).decode()

    tokens = threads_at_once(make, AT_ONCE)
    with held.database.connection() as db:
        opened = [sign_up_links.look(db, token, now) for token in tokens]
    good = [(place, each.product_key) for place, each in enumerate(opened) if each]
    assert len(good) == 2
    assert len(set(good)) == 2


def test_of_many_decisions_about_one_person_one_counts(either_world: World) -> None:
    world = either_world
    verify_domain(world)
    signed_up(world, NADIA)
    [(request_id,)] = world.run("SELECT id FROM join_requests")

    def decide(number: int) -> str:
        with administering(world) as admin:
            try:
                if number % 2:
                    letting_in.approve(admin, request_id, "staff", ["agent"])
                    return "approved"
                letting_in.refuse(admin, request_id, "Not one of us")
            except Mistake:
                return "late"
            return "refused"

    outcomes = Counter(threads_at_once(decide, AT_ONCE))
    [won] = set(outcomes) - {"late"}
    assert outcomes == {won: 1, "late": AT_ONCE - 1}
    assert requests_of(world, NADIA) == [won]
    assert len(memberships_of(world, NADIA)) == (won == "approved")
    events = [*world.audit("join.approved"), *world.audit("join.refused")]
    assert [event["tag"] for event in events] == [f"join.{won}"]


@pytest.mark.parametrize("change", ["closed", "suspended", "the domain is another's", "known"])
def test_what_changes_while_a_password_is_hashed_counts(either_world: World, change: str) -> None:
    """The link is as good as before, and nobody was made."""
    world, held = either_world, either_world.held
    email = FREDA if change == "the domain is another's" else NADIA
    verify_domain(world)
    token = link_for(world, email).partition("token=")[2]
    found = sign_up.look(held.database, token, world.clock())
    company = "" if found.place.holder else "Fresh"
    owner = new_accounts.owner_of(found, "Somebody", company)
    prepared = new_password.prepare(held.database, held.hasher, held.settings, owner, (), NEW)
    if change == "closed":
        state(world, sign_up="closed")
    elif change == "suspended":
        world.run("UPDATE tenants SET status = 'suspended' WHERE slug = 'northwind'")
    elif change == "known":
        world.apply(users=[{"email": NADIA, "name": "Nadia", "password": PASSWORD}])
    else:
        verify_domain(world, "fresh.example", "harbor")
    before = [world.run(f"SELECT count(*) FROM {table}") for table in ("users", "tenants")]
    account = (token, owner, prepared, company, world.clock(), NOWHERE)
    with pytest.raises(LinkOver if change == "known" else ElsewhereNow):
        new_accounts.open_account(held.database, held.secret_keys, *account)
    after = [world.run(f"SELECT count(*) FROM {table}") for table in ("users", "tenants")]
    assert after == before
    assert world.run("SELECT count(*) FROM sign_up_links") == [(1,)]
    assert world.audit("sign_up.done") == []


def test_an_account_is_for_the_address_of_its_link_alone(either_world: World) -> None:
    world, held = either_world, either_world.held
    mine, theirs = (link_for(world, each).partition("token=")[2] for each in (FREDA, NADIA))
    found = sign_up.look(held.database, theirs, world.clock())
    owner = new_accounts.owner_of(found, "Somebody", "Fresh")
    prepared = new_password.prepare(held.database, held.hasher, held.settings, owner, (), NEW)
    account = (mine, owner, prepared, "Fresh", world.clock(), NOWHERE)
    with pytest.raises(LinkOver):
        new_accounts.open_account(held.database, held.secret_keys, *account)
    assert memberships_of(world, FREDA) == memberships_of(world, NADIA) == []
