"""Where somebody belongs who opens an account by themselves: one pure rule."""

from __future__ import annotations

import pytest

from idp.directory import tenants
from idp.directory.domain_holders import DefaultRole, Holder
from idp.policies.belonging import ADMITTED, APPROVAL, CLOSED, FOUNDER, domain_of, place_of

PLAIN = DefaultRole("role-1", "agent", administers=False)
ADMIN = DefaultRole("role-2", "admin", administers=True)


def holder(
    stated: str | None = None, role: DefaultRole | None = None, status: str = tenants.ACTIVE
) -> Holder:
    return Holder("tenant-1", "Acme", status, "{}", stated, role)


def test_whose_domain_nobody_has_verified_founds_a_company() -> None:
    assert place_of("fresh.example", None) == (FOUNDER, None, None)


@pytest.mark.parametrize("domain", ["gmail.com", "outlook.com", "mail.gmail.com", "web.de"])
def test_a_public_mailbox_is_nobodys_whoever_has_verified_it(domain: str) -> None:
    assert place_of(domain, holder(ADMITTED, PLAIN)) == (FOUNDER, None, None)
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
        (CLOSED, PLAIN, CLOSED),
        ("something new", PLAIN, CLOSED),
        ("", PLAIN, CLOSED),
    ],
)
def test_a_company_decides_about_its_domain(
    stated: str | None, role: DefaultRole | None, way: str
) -> None:
    found = place_of("acme.example", holder(stated, role))
    assert found.way == way
    assert found.holder == holder(stated, role)
    assert found.role_id == (PLAIN.id if way == ADMITTED else None)


@pytest.mark.parametrize("status", [tenants.SUSPENDED, tenants.ENDED])
@pytest.mark.parametrize("stated", [None, APPROVAL, ADMITTED, CLOSED])
def test_a_company_that_is_not_in_force_lets_nobody_in(status: str, stated: str | None) -> None:
    assert place_of("acme.example", holder(stated, PLAIN, status)).way == CLOSED


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
    assert domain_of(email) == domain
