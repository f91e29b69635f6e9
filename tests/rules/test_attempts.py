"""What an attempt keeps of what was proven and chosen in it, and for whom."""

from __future__ import annotations

from typing import Any

import pytest

from idp.login.attempt import PAGE, Attempt
from idp.policies.assurance import Proof

FRESH = Attempt("first", "a-browser", PAGE, 0.0)
CHOICES: dict[str, Any] = {
    "account_confirmed": True,
    "tenant_id": "a-tenant",
    "consented": {"scope": ["openid"]},
    "turned_back": True,
    "skipped": True,
}


@pytest.mark.parametrize("name", CHOICES)
def test_what_one_person_chose_is_forgotten_once_another_one_chooses(name: str) -> None:
    hers = FRESH.choose("amara", **{name: CHOICES[name]})
    assert getattr(hers.choose("amara", other_account=True), name) == CHOICES[name]
    assert getattr(hers.choose("ben", other_account=True), name) == getattr(FRESH, name)


def test_what_one_person_proved_is_forgotten_once_another_one_proves() -> None:
    hers = FRESH.prove("amara", "password", 1.0).prove("amara", "totp", 2.0, 1.5, first=True)
    assert hers.proven == {"password": Proof(1.0), "totp": Proof(2.0, 1.5)}
    assert hers.first_enrolled_at == 2.0
    again = hers.prove("amara", "password", 3.0)
    assert (set(again.proven), again.first_enrolled_at) == ({"password", "totp"}, 2.0)
    his = hers.prove("ben", "password", 3.0)
    assert (his.proven, his.first_enrolled_at) == ({"password": Proof(3.0)}, 0.0)


def test_each_proof_has_an_id_of_its_own_and_knows_the_one_that_it_began_as() -> None:
    once = FRESH.prove("amara", "password", 1.0)
    twice = once.prove("amara", "totp", 2.0)
    assert len({FRESH.id, once.id, twice.id}) == 3
    assert (once.began_as, twice.began_as) == (FRESH.id, FRESH.id)
    assert (once.left, twice.left) == ("", once.id), "what has no proof stays for a second sending"


def test_who_proves_themselves_is_no_other_account_any_more() -> None:
    asking = FRESH.choose("", other_account=True)
    assert asking.other_account
    assert not asking.prove("amara", "password", 1.0).other_account
