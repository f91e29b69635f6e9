"""What a company reads of those whom its own provider signs in, or does not."""

from __future__ import annotations

from dataclasses import replace

import pytest

from idp.app import create_pages
from idp.directory import history, own_history
from idp.directory.history import Wanted
from idp.grants import factor_reset
from idp.web import letters as writing
from tests.account.proving import mail_to
from tests.console.administering import administering, proven
from tests.console.people_of import member_id, user_id
from tests.federation.companies import by_company, key_of, northwinds
from tests.federation.known import known_to
from tests.federation.signing_in import sign_in
from tests.machine.upstream.provider import UpstreamProvider
from tests.world import AMARA, BEN, World

__all__ = ["northwinds"]

REFUSED = "sign_in.federated_refused"


def in_log(world: World, tag: str) -> list[dict[str, object]]:
    """Northwind's, as its admin reads it: who did it, and what it says."""
    with administering(world) as admin:
        found = history.events(admin, world.held.secret_keys, Wanted(tag))
        return [{"actor": each.entry.actor_id, **each.entry.detail} for each in found.events]


def in_own_history(world: World, email: str, tag: str) -> int:
    with world.held.database.connection() as db:
        whose = user_id(world, email)
        return len(own_history.of(db, world.held.secret_keys, whose, tag).events)


def test_a_company_reads_why_its_people_are_refused(
    either_world: World, northwinds: UpstreamProvider
):
    by_company(either_world.browser())
    northwinds.account = replace(northwinds.account, sub="another-account")
    by_company(either_world.browser())
    [event] = in_log(either_world, REFUSED)
    assert event["provider"] == key_of(either_world)
    assert "has another account there" in str(event["reason"])
    assert event["person"] == user_id(either_world, BEN)
    with administering(either_world) as admin:
        bens = (admin, either_world.held.secret_keys, member_id(either_world, BEN))
        tags = [each.entry.tag for each in history.of_person(*bens).events]
    assert tags == [REFUSED, "person.account_linked"]
    assert in_own_history(either_world, BEN, REFUSED) == 1


def test_also_of_who_is_nobody_here(either_world: World, northwinds: UpstreamProvider):
    northwinds.account = replace(northwinds.account, email="stranger@northwind.example")
    by_company(either_world.browser())
    [event] = in_log(either_world, REFUSED)
    assert (event["person"], event["actor"]) == (None, None)


def test_no_company_reads_of_the_platforms_providers(either_world: World):
    with known_to(either_world) as google:
        google.account = replace(google.account, email="nobody@elsewhere.example")
        sign_in(either_world.browser())
    assert len(either_world.audit(REFUSED)) == 1
    assert in_log(either_world, REFUSED) == []


@pytest.mark.parametrize("what", ["linked", "unlinked"])
def test_it_reads_of_what_is_linked_there_and_the_person_once_in_their_own(
    either_world: World, northwinds: UpstreamProvider, what: str
):
    by_company(either_world.browser())
    if what == "unlinked":
        with proven(either_world, AMARA) as admin:
            factor_reset.reset(admin, member_id(either_world, BEN))
    [event] = in_log(either_world, f"person.account_{what}")
    doer = BEN if what == "linked" else AMARA
    assert event["actor"] == user_id(either_world, doer)
    assert event["person"] == user_id(either_world, BEN)
    assert in_own_history(either_world, BEN, f"account.{what}") == 1
    letter = {**mail_to(either_world, BEN, f"account/{what}"), "locale": "en"}
    text = writing.write(create_pages(either_world.held), letter).body
    assert "your account at Northwind Entra" in text
    assert "knows your password" not in text
    assert ("An admin has reset" in text) == (what == "unlinked")
