"""Changing and removing a company's identity provider, with the accounts that are linked there.

A link says that an issuer vouches for a person. It ends with the provider, and where the provider
becomes another issuer; who was linked is linked anew at the next sign-in. What rests on a provider
alone ends with it (`grant.why_dead`); under another issuer it goes on until it runs out.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import sqlalchemy as sa

from idp.credentials.passkeys import Passkey
from idp.credentials.password import Password
from idp.directory import company_provider_form, company_providers
from idp.directory.acting import Administration
from idp.directory.company_provider_form import Filled
from idp.directory.company_providers import Shown
from idp.directory.identity_providers import CompanyProvider
from idp.federation import linked_accounts
from idp.federation.linked_accounts import LinkedAccount
from idp.secret_values import SecretKeys


class Linked(NamedTuple):
    """So many people are linked; so many of them have neither a password nor a passkey here."""

    people: int
    without_another: int


def linked(admin: Administration, shown: Shown) -> Linked:
    """Whom the provider signs in by now."""
    has_another = sa.or_(
        sa.exists().where(Password.user_id == LinkedAccount.user_id),
        sa.exists().where(Passkey.user_id == LinkedAccount.user_id),
    )
    counts = sa.select(sa.func.count(), sa.func.count().filter(sa.not_(has_another))).where(
        LinkedAccount.provider_key == shown.provider.id,
    )
    people, without = admin.rows.execute(counts).one()
    return Linked(people, without)


def change(
    admin: Administration, keys: SecretKeys, provider_id: str, seen: str, filled: Filled
) -> CompanyProvider:
    """The secret stays where none is filled in. Raises Changed, Mistake, NotFound, Forbidden,
    SecondFactorNeeded."""
    rights = company_providers.in_turn(admin, provider=provider_id)
    provider = company_providers.find_seen(admin, provider_id, seen)
    stated = company_provider_form.stated(admin, rights, filled, provider)
    before, more = company_providers.values(provider), _secret(keys, provider, filled)
    if stated["issuer"] != provider.issuer:
        more["unlinked"] = linked_accounts.unlink_all(admin.db, provider.id)
    for name, value in stated.items():
        setattr(provider, name, value)
    after = company_providers.values(provider)
    changed = [name for name in after if after[name] != before[name]]
    if changed or more:
        was, becomes = ({name: state[name] for name in changed} for state in (before, after))
        tag = "identity_provider.changed"
        company_providers.note(admin, tag, provider, before=was, after=becomes, **more)
    return provider


def remove(admin: Administration, provider_id: str, seen: str) -> CompanyProvider:
    """With its routing, and the accounts that are linked there. Raises Changed, NotFound,
    Forbidden, SecondFactorNeeded."""
    company_providers.in_turn(admin, provider=provider_id)
    provider = company_providers.find_seen(admin, provider_id, seen)
    domains = [each.name for each in company_providers.get(admin, provider_id).domains]
    before = {**company_providers.values(provider), "domains": domains}
    unlinked = linked_accounts.unlink_all(admin.db, provider.id)
    admin.rows.delete(provider)
    tag = "identity_provider.removed"
    company_providers.note(admin, tag, provider, before=before, after=None, unlinked=unlinked)
    return provider


def _secret(keys: SecretKeys, provider: CompanyProvider, filled: Filled) -> dict[str, Any]:
    if not filled.secret.strip():
        return {}
    provider.sealed_secret = company_providers.sealed(keys, filled.secret)
    return {"has_another_secret": True}
