"""Where somebody belongs who opens an account by themselves: one pure rule."""

from __future__ import annotations

from typing import Any

import pytest

from idp.directory import tenants
from idp.directory.domain_holders import DefaultRole, Holder, Stated
from idp.directory.domain_names import of_address
from idp.directory.domains import FOUND
from idp.policies.belonging import ADMITTED, APPROVAL, CLOSED, FOUNDER, dated, place_of

PLAIN = DefaultRole("role-1", "agent", administers=False, made_at=1.0)
ADMIN = DefaultRole("role-2", "admin", administers=True, made_at=1.0)
YOUNGER = PLAIN._replace(made_at=9.5)
STATED_AT = 9.0
SILENT = Stated()
ADMITS = Stated(ADMITTED, PLAIN, STATED_AT)


def holder(stated: Stated = SILENT, **changed: Any) -> Holder:
    found = Holder("tenant-1", "Acme", tenants.ACTIVE, "{}", 2.0, FOUND, stated=stated)
    return found._replace(**changed)


def test_whose_domain_nobody_has_verified_founds_a_company() -> None:
    assert place_of("fresh.example", None) == (FOUNDER, None)


@pytest.mark.parametrize("domain", ["gmail.com", "outlook.com", "mail.gmail.com", "web.de"])
def test_a_public_mailbox_is_nobodys_whoever_has_verified_it(domain: str) -> None:
    assert place_of(domain, holder(ADMITS)) == (FOUNDER, None)
    assert place_of(f"{domain}.acme.example", holder()).way == APPROVAL


@pytest.mark.parametrize(
    ("stated", "role", "way"),
    [
        (None, None, APPROVAL),
        (None, PLAIN, APPROVAL),
        (APPROVAL, None, APPROVAL),
        (APPROVAL, PLAIN, APPROVAL),
        (ADMITTED, PLAIN, ADMITTED),
        (ADMITTED, None, APPROVAL),
        (ADMITTED, ADMIN, APPROVAL),
        (ADMITTED, YOUNGER, APPROVAL),
        (CLOSED, PLAIN, CLOSED),
        ("something new", PLAIN, CLOSED),
        ("", PLAIN, CLOSED),
    ],
)
def test_a_company_decides_about_its_domain(
    stated: str | None, role: DefaultRole | None, way: str
) -> None:
    its = holder(Stated(stated, role, STATED_AT))
    found = place_of("acme.example", its)
    assert (found.way, found.holder) == (way, its)
    assert found.role_key == (PLAIN.key if way == ADMITTED else None)


@pytest.mark.parametrize(
    ("changed", "way"),
    [
        ({"verified_at": STATED_AT}, ADMITTED),
        ({"verified_at": STATED_AT + 0.1}, APPROVAL),
        ({"failing_since": 8.0}, APPROVAL),
        ({"outcome": "missing", "failing_since": 8.0}, APPROVAL),
        ({"outcome": "unanswered"}, APPROVAL),
        ({"outcome": "unanswered", "failing_since": 8.0}, APPROVAL),
        ({"outcome": None}, APPROVAL),
        ({"is_known_address": True}, APPROVAL),
        ({"stated": ADMITS._replace(since=None)}, APPROVAL),
    ],
)
def test_it_admits_those_alone_that_it_meant(changed: dict[str, Any], way: str) -> None:
    assert place_of("acme.example", holder(**{"stated": ADMITS, **changed})).way == way


@pytest.mark.parametrize("way", [APPROVAL, CLOSED])
def test_nothing_of_that_lets_anybody_in_whom_it_does_not_admit(way: str) -> None:
    stated = ADMITS._replace(way=way)
    for changed in ({}, {"outcome": "unanswered"}, {"is_known_address": True}):
        assert place_of("acme.example", holder(stated, **changed)).way == way


@pytest.mark.parametrize("status", [tenants.SUSPENDED, tenants.ENDED])
@pytest.mark.parametrize("stated", [None, APPROVAL, ADMITTED, CLOSED])
def test_a_company_that_is_not_in_force_lets_nobody_in(status: str, stated: str | None) -> None:
    found = place_of("acme.example", holder(ADMITS._replace(way=stated), status=status))
    assert (found.way, found.is_suspended) == (CLOSED, True)


def test_a_statement_has_the_time_at_which_it_came_to_admit() -> None:
    admits = {"sign_up": "admitted", "sign_up_role": "agent", "other": 1}
    first = dated(admits, {}, 10.0)
    assert first == {**admits, "sign_up_since": 10.0}
    assert dated(admits, first, 20.0) == first, "the same is said as before"
    another = {**admits, "sign_up_role": "clerk"}
    assert dated(another, first, 20.0)["sign_up_since"] == 20.0
    assert dated({"sign_up": "closed"}, first, 20.0) == {"sign_up": "closed"}
    assert dated({"sign_up_since": 5.0}, first, 20.0) == {}
    assert dated(admits, {"sign_up": "closed"}, 20.0)["sign_up_since"] == 20.0


@pytest.mark.parametrize(
    ("email", "domain"),
    [
        ("a@acme.example", "acme.example"),
        ("a@acme.example.", "acme.example"),
        ("a@xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("a@my_host.example", None),
        ("a@-acme.example", None),
        ("a@192.168.0.1", None),
    ],
)
def test_an_address_has_the_domain_of_the_dns(email: str, domain: str | None) -> None:
    assert of_address(email) == domain
