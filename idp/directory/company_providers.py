"""A company's own identity providers, as its admins see and set them up (product.md T9).

Whoever says who vouches for a company's people can come in as any of them. So a person who does is
an account admin of the company itself, has just proven a second factor, and is nobody's visitor
(security.md S79); a program has the permission alone. Every change is conditional on what was seen.
An issuer is changed, and a provider removed, together with the accounts that are linked there
(`grants/provider_changes.py`).
"""

from __future__ import annotations

from collections.abc import Collection
from hashlib import sha256
from typing import Any, NamedTuple

import orjson
import sqlalchemy as sa

from idp.directory import (
    account_admins,
    catalog_version,
    company_provider_form,
    domains,
    granting,
    memberships,
    users,
)
from idp.directory.acting import Administration, Changed, Forbidden, Mistake, Rights
from idp.directory.catalog_version import NO_CLIENT
from idp.directory.company_provider_form import Filled, may_admit
from idp.directory.domains import Domain, RoutedDomain
from idp.directory.identity_providers import ACTIVE, DISABLED, SECRET_PURPOSE, CompanyProvider
from idp.directory.memberships import STATUS_NOW, Membership
from idp.directory.roles import Role
from idp.directory.users import User
from idp.errors import told
from idp.secret_values import SecretKeys, new_id

PERMISSION = "identity_providers.manage"
MAX_PROVIDERS = 5
KINDS: dict[str, type[Domain | CompanyProvider]] = {
    "domain": Domain,
    "provider": CompanyProvider,
}
TOLD = (
    *("name", "issuer", "client_id", "hosted_domain", "email_claim", "name_claim"),
    *("is_only_way", "left_out", "admits_role_id", "trusted_acr", "trusted_amr", "status"),
)


class Colleague(NamedTuple):
    """`id` is of the membership."""

    id: str
    user_id: str
    name: str
    email: str


class Shown(NamedTuple):
    """A provider with what its ids stand for. `admits` is None also where the role is gone, or
    administers by now: then nobody is let in by it."""

    provider: CompanyProvider
    left_out: list[Colleague]
    admits: Role | None
    domains: list[Domain]
    digest: str


class Routable(NamedTuple):
    """A verified domain, and the id of the provider that it routes to."""

    domain: Domain
    provider_id: str | None


def listing(admin: Administration) -> list[Shown]:
    """In the order in which they were added. Raises Forbidden."""
    admin.check(PERMISSION)
    ordered = sa.select(CompanyProvider).order_by(CompanyProvider.created_at, CompanyProvider.id)
    return [_shown(admin, provider) for provider in admin.rows.scalars(ordered).all()]


def get(admin: Administration, provider_id: str) -> Shown:
    """Raises Forbidden, NotFound."""
    admin.check(PERMISSION)
    return _shown(admin, admin.get(CompanyProvider, provider_id))


def may_change(admin: Administration) -> bool:
    """Whether to offer it; who would have to prove a second factor is asked when they do."""
    is_program = admin.actor.user_id is None
    return admin.may(PERMISSION) and (is_program or granting.is_account_admin(admin))


def in_turn(admin: Administration, **named: str) -> Rights:
    """Before every change, of the `provider` or the `domain` that is named: nobody is asked for a
    proof for the sake of what is not there. Raises NotFound, Forbidden, SecondFactorNeeded,
    RecentSignInNeeded."""
    rights = granting.in_turn(admin, PERMISSION)
    for kind, key in named.items():
        admin.get(KINDS[kind], key)
    if not may_change(admin):
        raise Forbidden("no account admin of the company's own")
    if admin.actor.user_id is not None:
        admin.check_second_factor()
    return rights


def add(admin: Administration, keys: SecretKeys, filled: Filled) -> CompanyProvider:
    """Active, and nobody's way in until a domain routes to it. Raises Mistake, Forbidden,
    SecondFactorNeeded."""
    rights = in_turn(admin)
    stated = company_provider_form.stated(admin, rights, filled, None)
    count = admin.rows.scalar(sa.select(sa.func.count()).select_from(CompanyProvider)) or 0
    if count >= MAX_PROVIDERS:
        raise Mistake(name=told("A company has at most 5 identity providers."))
    provider = CompanyProvider(
        id=new_id(),
        tenant_id=admin.tenant.id,
        sealed_secret=sealed(keys, filled.secret),
        status=ACTIVE,
        created_at=admin.now,
        **stated,
    )
    admin.rows.add(provider)
    note(admin, "identity_provider.added", provider, before=None, after=values(provider))
    return provider


def set_status(admin: Administration, provider_id: str, seen: str, status: str) -> None:
    """ACTIVE or DISABLED. Raises Changed, Mistake, NotFound, Forbidden, SecondFactorNeeded."""
    in_turn(admin, provider=provider_id)
    provider = find_seen(admin, provider_id, seen)
    if provider.status == status:
        return
    if status == ACTIVE and provider.is_only_way:
        _check_somebody_needs_it_not(admin, provider)
    before, provider.status = {"status": provider.status}, status
    tag = "identity_provider.disabled" if status == DISABLED else "identity_provider.enabled"
    note(admin, tag, provider, before=before, after={"status": status})


def _check_somebody_needs_it_not(admin: Administration, provider: CompanyProvider) -> None:
    """While it was disabled they could be taken away."""
    if not account_admins.is_one_among(admin, provider.left_out.split()):
        raise Mistake(
            status=told(
                "Nobody whom it leaves out is an account admin any more. Change that first."
            )
        )


def route(admin: Administration, domain_id: str, seen: str, provider_id: str) -> None:
    """Whose provider signs the domain's addresses in: an empty id is nobody's, and `seen` is whose
    it was. Raises Changed, Mistake, NotFound, Forbidden, SecondFactorNeeded."""
    to = {"provider": provider_id} if provider_id else {}
    in_turn(admin, domain=domain_id, **to)
    domain = _verified(admin, domain_id)
    routed = admin.rows.get(RoutedDomain, domain.id)
    before = routed.provider_id if routed else ""
    if seen != before:
        raise Changed(f"the routing of {domain.name}")
    if before == provider_id:
        return
    if routed:
        admin.rows.delete(routed)
        admin.rows.flush()
    if provider_id:
        row = RoutedDomain(domain_id=domain.id, provider_id=provider_id, tenant_id=admin.tenant.id)
        admin.rows.add(row)
    catalog_version.touch(admin.db, NO_CLIENT)
    about = {"domain": domain.id, "name": domain.name}
    admin.record("domain.routed", **about, before=before or None, after=provider_id or None)


def _verified(admin: Administration, domain_id: str) -> Domain:
    """Locked, so that it is not lost meanwhile. Raises Mistake."""
    mine = sa.select(Domain).where(Domain.id == domain_id, Domain.verified_at.is_not(None))
    found = admin.rows.scalar(
        mine.with_for_update().execution_options(populate_existing=True),
    )
    if found is None:
        raise Mistake(domain=told("Only a domain that is verified can be signed in by a provider."))
    return found


def routing_of(admin: Administration, domain_id: str) -> str | None:
    """The id of the provider that signs the domain in. Raises Forbidden, NotFound."""
    admin.check(PERMISSION)
    admin.get(Domain, domain_id)
    return domains.provider_of(admin, domain_id)


def routable(admin: Administration) -> list[Routable]:
    """The company's verified domains, by name. Raises Forbidden."""
    admin.check(PERMISSION)
    found = (
        sa.select(Domain, RoutedDomain.provider_id)
        .outerjoin(RoutedDomain, RoutedDomain.domain_id == Domain.id)
        .where(Domain.verified_at.is_not(None))
        .order_by(Domain.name)
    )
    return [Routable._make(row) for row in admin.rows.execute(found)]


def to_leave_out(admin: Administration, shown: Shown | None) -> list[Colleague]:
    """Who is offered: the account admins, and who is left out already."""
    admins = admin.rows.scalars(account_admins.IN_FORCE, {"now": admin.now}).all()
    so_far = [each.user_id for each in shown.left_out] if shown else []
    return _colleagues(admin, {*admins, *so_far})


def to_admit_with(admin: Administration) -> list[Role]:
    """The roles that newcomers may get by what the actor may give, the highest first."""
    ordered = admin.rows.scalars(sa.select(Role).order_by(Role.rank.desc(), Role.name)).all()
    rights = admin.actor.rights
    return [r for r in ordered if may_admit(r) and granting.may_grant(rights, r, is_own=False)]


def _colleagues(admin: Administration, user_ids: Collection[str]) -> list[Colleague]:
    """Those of them who are in the company now, by name."""
    found = (
        sa.select(Membership.id, User.id, User.name, User.email)
        .join(User, User.id == Membership.user_id)
        .where(
            User.id.in_(user_ids),
            Membership.source == memberships.HOME,
            STATUS_NOW == memberships.ACTIVE,
            User.status == users.ACTIVE,
        )
        .order_by(Membership.sort_name, Membership.id)
    )
    return [Colleague._make(row) for row in admin.rows.execute(found, {"now": admin.now})]


def find_seen(admin: Administration, provider_id: str, seen: str) -> CompanyProvider:
    """Raises NotFound, Changed."""
    provider = admin.get(CompanyProvider, provider_id)
    if seen != digest(provider):
        raise Changed("the identity provider")
    return provider


def digest(provider: CompanyProvider) -> str:
    """Of everything that somebody can change."""
    state = [*values(provider).values(), provider.sealed_secret]
    return sha256(orjson.dumps(state)).hexdigest()[:32]


def values(provider: CompanyProvider) -> dict[str, Any]:
    """What may be told of it: all but the secret."""
    return {name: getattr(provider, name) for name in TOLD}


def sealed(keys: SecretKeys, secret: str) -> str:
    return keys.encrypt(secret.strip().encode(), SECRET_PURPOSE)


def note(admin: Administration, tag: str, provider: CompanyProvider, **detail: Any) -> None:
    """Tell the log, the account admins, and every process."""
    catalog_version.touch(admin.db, NO_CLIENT)
    admin.record(tag, provider=provider.id, name=provider.name, **detail)


def _shown(admin: Administration, provider: CompanyProvider) -> Shown:
    role = admin.rows.get(Role, provider.admits_role_id) if provider.admits_role_id else None
    routed = (
        sa.select(Domain)
        .join(RoutedDomain, RoutedDomain.domain_id == Domain.id)
        .where(RoutedDomain.provider_id == provider.id)
        .order_by(Domain.name)
    )
    return Shown(
        provider,
        _colleagues(admin, provider.left_out.split()),
        role if role and may_admit(role) else None,
        list(admin.rows.scalars(routed)),
        digest(provider),
    )
