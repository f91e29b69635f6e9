"""People in a set-up file: a password is set once, and a disabling takes effect at once."""

import math
from typing import Any

import pytest
import sqlalchemy as sa

from idp.audit import NOWHERE
from idp.credentials import password
from idp.credentials.password import Password, SignInRefused
from idp.directory import users
from idp.directory.catalog_version import CatalogVersion
from idp.directory.users import User
from idp.errors import SetupMistake
from idp.setup import users as setup_users
from tests.setup.conftest import PASSWORD, Desk, small

OTHER_PASSWORD = "another-Password-of-16"


def person(**fields: Any) -> dict[str, Any]:
    """The small file with other fields in its person, and no password but what they say."""
    content = small()
    del content["users"][0]["password"]
    content["users"][0] |= fields
    return content


def stored(desk: Desk) -> User:
    with desk.provider.database.session() as session:
        found = session.scalars(sa.select(User)).one()
        session.expunge_all()
    return found


def has_password(desk: Desk, text: str) -> bool:
    held = desk.provider
    try:
        password.verify(
            *(held.database, held.hasher, held.secret_keys, held.settings),
            *("mia@acme.example", text, desk.now, NOWHERE),
        )
    except SignInRefused:
        return False
    return True


def test_a_person_with_a_password_can_sign_in(desk: Desk) -> None:
    desk.apply(person(password=PASSWORD))
    assert has_password(desk, PASSWORD)
    assert stored(desk).email_verified_at == desk.now


def test_a_password_is_never_reset(desk: Desk) -> None:
    desk.apply(person(password=PASSWORD))
    before = desk.dump()["passwords"]
    desk.now += 60
    assert desk.apply(person(password=OTHER_PASSWORD)).changes == []
    assert desk.dump()["passwords"] == before
    assert has_password(desk, PASSWORD)
    assert not has_password(desk, OTHER_PASSWORD)


def test_a_person_without_a_password_gets_the_given_one(desk: Desk) -> None:
    desk.apply(person())
    (change,) = desk.apply(person(password=PASSWORD)).changes
    assert change.fields == {"password": (None, "set"), "email_verified": (False, True)}
    assert has_password(desk, PASSWORD)


def test_nothing_is_hashed_for_those_who_have_a_password(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.apply(person(password=PASSWORD))

    def fail(_: str) -> str:
        raise AssertionError("hashed")

    monkeypatch.setattr(desk.provider.hasher, "hash", fail)
    assert desk.apply(person(password=OTHER_PASSWORD)).changes == []
    desk.apply(small() | {"users": [{**small()["users"][0], "email": "b@b.example"}]}, dry_run=True)


def test_no_lock_is_held_while_hashing(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    slow = desk.provider.hasher.hash
    written = []

    def write_meanwhile(text: str) -> str:
        with desk.provider.database.session() as session:
            session.execute(sa.update(CatalogVersion).values(version=99))
        written.append(True)
        return slow(text)

    monkeypatch.setattr(desk.provider.hasher, "hash", write_meanwhile)
    desk.apply(person(password=PASSWORD))
    assert written == [True]


def test_a_password_that_went_meanwhile_is_told(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    desk.apply(person(password=PASSWORD))
    hash_new = setup_users.hash_new_passwords

    def drop_afterwards(*arguments: Any) -> dict[str, str]:
        hashes = hash_new(*arguments)
        with desk.provider.database.session() as session:
            session.execute(sa.delete(Password))
        return hashes

    monkeypatch.setattr("idp.setup.applying.hash_new_passwords", drop_afterwards)
    with pytest.raises(SetupMistake, match="apply it again"):
        desk.apply(person(password=PASSWORD))


@pytest.mark.parametrize("fields", [{}, {"invitation": True}])
def test_a_person_who_is_to_be_invited_has_no_password_yet(
    desk: Desk, fields: dict[str, Any]
) -> None:
    desk.apply(person(**fields))
    assert stored(desk).email_verified_at is None
    assert desk.dump()["passwords"] == []
    assert desk.apply(person(**fields)).changes == []


def test_an_invitation_takes_nothing_from_those_who_have_a_password(desk: Desk) -> None:
    desk.apply(person(password=PASSWORD))
    assert desk.apply(person(invitation=True)).changes == []
    assert has_password(desk, PASSWORD)


def test_an_address_can_be_vouched_for_and_stays_verified(desk: Desk) -> None:
    desk.apply(person(password=PASSWORD, email_verified=False))
    assert stored(desk).email_verified_at is None
    (change,) = desk.apply(person(email_verified=True)).changes
    assert change.fields == {"email_verified": (False, True)}
    assert desk.apply(person(email_verified=False)).changes == []
    assert stored(desk).email_verified_at == desk.now


def test_disabling_ends_everything_that_was_proven(desk: Desk) -> None:
    desk.apply(person(password=PASSWORD))
    assert stored(desk).sessions_valid_after == 0.0
    desk.now += 60
    desk.apply(person(status="disabled"))
    disabled = stored(desk)
    assert disabled.status == users.DISABLED
    assert disabled.sessions_valid_after == math.nextafter(desk.now, math.inf), "now is past"
    assert not has_password(desk, PASSWORD)


def test_a_second_disabling_and_an_enabling_move_nothing(desk: Desk) -> None:
    desk.apply(person(password=PASSWORD))
    desk.apply(person(status="disabled"))
    ended_at, desk.now = desk.now, desk.now + 60
    assert desk.apply(person(status="disabled")).changes == []
    desk.apply(person(status="active"))
    assert stored(desk).sessions_valid_after == math.nextafter(ended_at, math.inf)
    assert has_password(desk, PASSWORD)


def test_a_person_is_found_by_any_spelling_of_the_address(desk: Desk) -> None:
    desk.apply(person(password=PASSWORD))
    user_id = stored(desk).id
    (change,) = desk.apply(person(email="Mia@ACME.example")).changes
    assert change.fields == {"email": ("mia@acme.example", "Mia@ACME.example")}
    assert stored(desk).id == user_id


def test_what_is_known_of_a_person_has_the_time_of_its_change(desk: Desk) -> None:
    desk.apply(person())
    desk.now += 60
    desk.apply(person(memberships=[{"tenant": "acme", "kind": "customer"}]))
    assert stored(desk).updated_at == desk.now - 60
    desk.apply(person(family_name="Lund"))
    assert stored(desk).updated_at == desk.now


def test_a_membership_that_is_not_named_stays(desk: Desk) -> None:
    content = person()
    content["tenants"].append({"slug": "zenith", "name": "Zenith"})
    content["users"][0]["memberships"].append({"tenant": "zenith", "roles": ["account_admin"]})
    desk.apply(content)
    content["users"][0]["memberships"].pop()
    assert desk.apply(content).changes == []
    assert len(desk.dump()["memberships"]) == 2


def test_a_role_of_another_tenant_is_no_role_here(desk: Desk) -> None:
    content = person()
    content["tenants"].append({"slug": "zenith", "name": "Zenith"})
    content["users"][0]["memberships"] = [{"tenant": "zenith", "roles": ["agent"]}]
    with pytest.raises(SetupMistake, match="there is no role agent"):
        desk.apply(content)


def test_every_new_tenant_has_an_account_admin_with_every_permission(desk: Desk) -> None:
    desk.apply(person())
    roles = {row[2]: row[5] for row in desk.dump()["roles"]}
    assert roles == {"account_admin": True, "agent": False}


def test_the_account_admin_can_be_called_otherwise(desk: Desk) -> None:
    content = person()
    content["tenants"][0]["roles"].append({"key": "account_admin", "name": "Boss"})
    made = [change.name for change in desk.apply(content).changes if change.kind == "role"]
    assert made == ["acme/agent", "acme/account_admin"]
    assert desk.apply(content).changes == []
    roles = {row[2]: (row[3], row[5]) for row in desk.dump()["roles"]}
    assert roles["account_admin"] == ("Boss", True)
