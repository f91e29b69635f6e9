"""What the audit log tells is mailed to whom it concerns (product.md T10; security.md S84)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from idp import audit
from idp.app import create_pages
from idp.audit import TAGS
from idp.audit_chain import MESSAGE
from idp.directory import event_letters, person
from idp.directory.clients import Client
from idp.directory.operating import Operation
from idp.errors import Refusal
from idp.operators import clients, ending, tenants
from idp.web import letters as writing
from tests.console.administering import administering
from tests.console.operations import operation
from tests.console.people_of import (
    ask,
    company,
    give_role,
    letters,
    member_id,
    post_everything,
    user_id,
)
from tests.world import AMARA, BEN, DANA, HANA, OLU, World

TEMPLATES = Path(__file__).parents[2] / "templates" / "mail"
CANARY = "canary-5e2c1f"
PERSON, ADMINS, OPERATORS = {BEN}, {AMARA, DANA}, {OLU}
WHO = {
    "sign_in.new_device": PERSON,
    "password.changed": PERSON,
    "password.worn_out": PERSON,
    "consent.given": PERSON,
    "backchannel_request.asked": PERSON,
    "account.linked": PERSON,
    "account.unlinked": PERSON,
    "email.change_asked": PERSON,
    "email.given_back": PERSON,
    "factor.enrolled": PERSON,
    "factor.removed": PERSON,
    "recovery_codes.made": PERSON,
    "recovery_codes.used": PERSON,
    "second_factor.paused": PERSON,
    "second_factor.switched_off": PERSON,
    "passkey.count_fell": PERSON,
    "database.restored": OPERATORS,
    "signing_key.revoked": OPERATORS,
    "tenant.confirmed": ADMINS,
    "tenant.suspended": ADMINS | OPERATORS,
    "tenant.resumed": ADMINS,
    "tenant.ended": ADMINS | OPERATORS,
    "tenant.evidence_refused": OPERATORS,
    "invitation.accepted": PERSON | ADMINS,
    "sign_up.held_up": OPERATORS,
    "join.asked": ADMINS,
    "join.admitted": ADMINS,
    "join.approved": PERSON | ADMINS,
    "join.refused": PERSON,
    "person.roles_changed": PERSON | ADMINS,
    "person.disabled": PERSON,
    "person.enabled": PERSON,
    "person.sessions_ended": PERSON,
    "person.second_factors_reset": PERSON,
    "person.second_factors_reset_asked": ADMINS,
    "person.second_factors_reset_refused": ADMINS,
    "person.second_factors_reset_elsewhere": ADMINS,
    "domain.verified": ADMINS,
    "domain.lost": ADMINS,
    "domain.routed": ADMINS,
    "identity_provider.added": ADMINS,
    "identity_provider.changed": ADMINS,
    "identity_provider.disabled": ADMINS,
    "identity_provider.enabled": ADMINS,
    "identity_provider.removed": ADMINS,
    "client.registered": ADMINS,
    "client.disabled": ADMINS,
    "client.enabled": ADMINS,
    "client.secret_rotated": ADMINS,
    "client.secret_removed": ADMINS,
    "registration_token.made": OPERATORS,
    "operator.added": PERSON | OPERATORS,
    "operator.removed": PERSON | OPERATORS,
    "visit.started": ADMINS,
    "policy.changed": ADMINS,
    "audit.chain_broken": ADMINS | OPERATORS,
}
OF_THEMSELVES = (
    *("password.", "sign_in.", "consent.", "factor.", "passkey."),
    *("recovery_codes.", "second_factor.", "email.", "account."),
)
OF_THE_PLATFORM = ("operator.", "database.", "signing_key.", "registration_token.", *OF_THEMSELVES)
DETAIL: dict[str, Any] = {
    "before": ["agent"],
    "after": ["account_admin", "agent"],
    "membership": "m",
    "name": "northwind.example",
    "changed": "lms",
    "token": "partners",
    "reason": "They asked",
    "tries": 5,
    "until": 1_795_000_900.0,
    "kid": "key-1",
    "method": "totp",
    "left": 9,
    "factors": ["totp", "passkey"],
    "label": "Blue key",
    "provider": "google",
    "user_agent": "Mozilla/5.0 (Windows NT 10.0) Firefox/140.0",
    "secret": CANARY,
}


@pytest.fixture
def told(either_world: World) -> World:
    """Northwind with two account admins."""
    give_role(either_world, DANA, "account_admin")
    return either_world


def tell(world: World, tag: str, **changed: Any) -> list[dict[str, Any]]:
    """Record it about Ben, and take what is then to be posted."""
    world.run("DELETE FROM outbox")
    tenant = None if tag.startswith(OF_THE_PLATFORM) else company(world, "northwind").id
    actor = user_id(world, BEN if tag.startswith(OF_THEMSELVES) else AMARA)
    values = {"actor": actor, "tenant": tenant, "client": "lms", "person": user_id(world, BEN)}
    with world.held.database.transaction() as db:
        audit.record(db, tag, world.clock(), **{**values, **DETAIL, **changed})
    return letters(world)


def recipients(written: list[dict[str, Any]]) -> list[str]:
    return sorted(letter["to"] for letter in written)


def test_each_event_is_mailed_to_whom_it_concerns_and_nothing_else_is(told: World) -> None:
    """Every letter can be read in both languages, and has no secret in it."""
    app = create_pages(told.held)
    for tag in TAGS:
        written = tell(told, tag)
        assert recipients(written) == sorted(WHO.get(tag, ())), tag
        for letter in written:
            english, spanish = (
                writing.write(app, {**letter, "locale": locale}) for locale in ("en", "es-ES")
            )
            assert english.subject != spanish.subject
            for each in (english, spanish):
                text = f"{each.subject}\n{each.body}"
                assert each.subject
                for wrong in ("%(", "None", "Undefined", CANARY, "\n\n\n"):
                    assert wrong not in text, (tag, text)
            assert CANARY not in str(letter)


def test_every_letter_has_its_template_and_every_template_its_letter() -> None:
    files = {str(path.relative_to(TEMPLATES)) for path in TEMPLATES.rglob("*/*.txt")}
    assert files == {f"{event_letters.template(tag)}.txt" for tag in WHO}


def test_who_is_several_things_gets_one_letter_and_who_can_not_sign_in_none(told: World) -> None:
    told.run("UPDATE users SET is_operator = true WHERE email = :e", e=AMARA)
    assert recipients(tell(told, "tenant.suspended")) == sorted({AMARA, DANA, OLU})
    assert recipients(tell(told, "operator.added", person=user_id(told, AMARA))) == [AMARA, OLU]
    told.run("UPDATE users SET status = 'disabled' WHERE email = :e", e=DANA)
    assert recipients(tell(told, "policy.changed")) == [AMARA]
    told.run("UPDATE memberships SET status = 'disabled' WHERE id = :m", m=member_id(told, AMARA))
    assert tell(told, "policy.changed") == []
    assert tell(told, "password.worn_out", actor=None) == []


def test_n5_who_asked_for_a_reset_hears_what_another_admin_decided(told: World) -> None:
    """By a letter of their own, also where they are an account admin."""
    app = create_pages(told.held)
    here = f"{told.settings.issuer}/manage/northwind/people/m"
    for asker in (DANA, HANA):
        for event, word in (("reset", "approved"), ("reset_refused", "refused")):
            tag = f"person.second_factors_{event}"
            letters_told = tell(told, tag, asked_by=user_id(told, asker))
            written = {each["to"]: each for each in letters_told}
            assert set(written) == WHO[tag] | {asker}
            letter = writing.write(app, written[asker])
            assert f"that you asked for was {word}" in letter.subject
            assert "By: Amara Okafor" in letter.body
            assert here in letter.body
            others = [writing.write(app, written[each]) for each in WHO[tag] - {asker}]
            assert not any("asked for" in each.subject for each in others)


def test_who_may_approve_a_reset_is_led_to_where_it_waits(told: World) -> None:
    for letter in tell(told, "person.second_factors_reset_asked"):
        assert letter["url"] == f"{told.settings.issuer}/manage/northwind/factor-resets"


def test_admins_hear_of_new_admins_and_of_no_other_roles(told: World) -> None:
    for before, after in ((["account_admin"], ["agent"]), ([], ["agent"]), ([], ["gone"])):
        given = {"before": before, "after": after}
        assert recipients(tell(told, "person.roles_changed", **given)) == [BEN]
    assert recipients(tell(told, "invitation.accepted", before=None, after=[])) == [BEN]
    harbors = tell(told, "policy.changed", tenant=company(told, "harbor").id)
    assert recipients(harbors) == [HANA]


def test_what_was_taken_back_is_not_mailed_and_what_was_refused_is(told: World) -> None:
    northwind = company(told, "northwind").id
    ordered = f"SELECT count(*) FROM outbox WHERE kind = '{MESSAGE}'"

    def record_and_fail(problem: Exception) -> None:
        with told.held.database.transaction() as db:
            audit.record(db, "policy.changed", told.clock(), tenant=northwind)
            raise problem

    def suspend_and_fail(opened: Operation) -> None:
        with opened.rows.begin_nested():
            tenants.suspend(opened, tenants.get_tenant(opened, "northwind"))
            raise ValueError("x")

    for problem, count in ((ValueError("x"), 0), (Refusal("forbidden", "x"), 1)):
        with pytest.raises(type(problem)):
            record_and_fail(problem)
        assert ask(told, ordered) == [(count,)]
    with operation(told) as opened, pytest.raises(ValueError, match="x"):
        suspend_and_fail(opened)
    assert ask(told, ordered) == [(1,)]


def test_what_operators_and_admins_really_do_is_mailed(told: World) -> None:
    """By the rules themselves; a tenant's end reaches those whose memberships it has ended."""
    with administering(told, AMARA) as admin:
        person.change_roles(admin, member_id(told, BEN), {"account_admin"}, set())
    admins = {AMARA, BEN, DANA}
    assert recipients(letters(told)) == sorted(admins)
    acts: list[tuple[Any, set[str]]] = [
        (tenants.suspend, admins | {OLU}),
        (tenants.resume, admins),
        (lambda opened, _: clients.rotate_secret(opened, lms(opened), 1), {OLU}),
        (lambda opened, tenant: ending.end(opened, tenant, "northwind"), admins | {OLU}),
    ]
    for act, expected in acts:
        told.run("DELETE FROM outbox")
        with operation(told) as opened:
            act(opened, tenants.get_tenant(opened, "northwind"))
        assert recipients(letters(told)) == sorted(expected)


def lms(opened: Operation) -> Client:
    found: Client = opened.rows.get_one(Client, "lms")
    return found


def test_the_worker_posts_them(told: World) -> None:
    told.run("UPDATE audit_chains SET mac = 'x' WHERE chain = 'platform'")
    with told.held.database.transaction() as db:
        audit.record(db, "setup.applied", told.clock(), changes=[])
    post_everything(told)
    assert ask(told, "SELECT kind, status FROM outbox WHERE kind = 'audit_event'") == [
        ("audit_event", "delivered")
    ]
    (letter,) = letters(told)
    assert (letter["to"], letter["template"]) == (OLU, "audit/chain_broken")
    assert letter["url"].startswith(f"{told.settings.issuer}/operate/audit/")
