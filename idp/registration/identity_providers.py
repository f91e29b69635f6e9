"""Other OpenID providers, made like the file."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy.orm import Session

from idp.database import Connection
from idp.directory.identity_providers import SECRET_PURPOSE, IdentityProvider
from idp.errors import FormMistake
from idp.federation import linked_accounts
from idp.registration.changes import Change, Edit
from idp.registration.identity_provider_form import IdentityProviderForm
from idp.secret_values import SecretKeys

PLAIN = ("name", "issuer", "client_id", "hosted_domain", "status")


def apply_identity_providers(
    session: Session, db: Connection, keys: SecretKeys, forms: Iterable[IdentityProviderForm]
) -> list[Change]:
    """One that becomes another issuer ends what was linked at the one before."""
    return [change for form in forms for change in _apply(session, db, keys, form)]


def _apply(
    session: Session, db: Connection, keys: SecretKeys, form: IdentityProviderForm
) -> list[Change]:
    found = session.get(IdentityProvider, form.key)
    provider = found or IdentityProvider(key=form.key)
    edit = Edit("identity_provider", form.key, provider, is_new=found is None)
    if found is not None and form.issuer != found.issuer:
        edit.note("linked_accounts", linked_accounts.unlink_all(db, form.key), 0)
    for column, value in form.stated(PLAIN, edit.is_new).items():
        edit.set(column, value)
    _set_secret(edit, keys, provider, form)
    session.add(provider)
    session.flush()
    return edit.changes()


def _set_secret(
    edit: Edit, keys: SecretKeys, provider: IdentityProvider, form: IdentityProviderForm
) -> None:
    if form.client_secret is None:
        if edit.is_new:
            raise FormMistake(f"identity provider {form.key}", "client_secret", "give one.")
        return
    secret = form.client_secret.get_secret_value()
    if not edit.is_new and keys.decrypt(provider.sealed_secret, SECRET_PURPOSE).decode() == secret:
        return
    edit.note("client_secret", None if edit.is_new else "another", "given")
    provider.sealed_secret = keys.encrypt(secret.encode(), SECRET_PURPOSE)
