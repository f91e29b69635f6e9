"""What is filled in about a company's own identity provider, and what of it can be taken."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, NamedTuple

import sqlalchemy as sa

from idp.directory import account_admins, granting, memberships, users
from idp.directory.acting import Administration, Forbidden, Mistake, Rights
from idp.directory.identity_providers import CompanyProvider, checked_issuer
from idp.directory.memberships import STATUS_NOW, Membership
from idp.directory.products import CONSOLE
from idp.directory.roles import Role
from idp.directory.upstream_providers import is_open_to_all
from idp.directory.users import User
from idp.directory.wording import one_line
from idp.errors import told

MAX_NAME = 60
MAX_LEFT_OUT = 5
MAX_WORDS = 20
ADMITS = "people.manage"
EMAIL_CLAIM, NAME_CLAIM = "email", "name"
VISIBLE = re.compile(r"[!-~]{1,512}")
CLAIM = re.compile(r"[a-z][a-z0-9_]{0,63}|https?://[!-~]{1,200}")
HOSTED_DOMAIN = re.compile(r"[a-z0-9.-]{0,253}")
WORD = re.compile(r"[!-~]{1,200}")
SINGLE = frozenset({"pwd", "pin", "kba", "geo", "rba"})  # RFC 8176: one factor, or none at all


class Filled(NamedTuple):
    """`left_out` are ids of memberships. An empty `secret` keeps the one that is there, an empty
    `admits_role_id` lets nobody in by themselves. The trusted words are separated by spaces or
    lines."""

    name: str = ""
    issuer: str = ""
    client_id: str = ""
    secret: str = ""
    hosted_domain: str = ""
    email_claim: str = EMAIL_CLAIM
    name_claim: str = NAME_CLAIM
    is_only_way: bool = False
    left_out: Collection[str] = ()
    admits_role_id: str = ""
    trusted_acr: str = ""
    trusted_amr: str = ""


def as_filled(provider: CompanyProvider) -> Filled:
    """As the form has it; who is left out is told with their names elsewhere."""
    kept = {name: getattr(provider, name) for name in Filled._fields if name in _SENTENCES}
    kept |= {"is_only_way": provider.is_only_way, "left_out": ()}
    return Filled(**{**kept, "admits_role_id": provider.admits_role_id or ""})


def stated(
    admin: Administration, rights: Rights, filled: Filled, before: CompanyProvider | None
) -> dict[str, Any]:
    """The columns, but for the secret. Raises Mistake, or Forbidden for a role that the actor may
    not let people have."""
    left_out = _left_out(admin, filled.left_out)
    found: dict[str, Any] = {
        "name": one_line(filled.name, MAX_NAME),
        "issuer": _issuer(filled.issuer.strip()),
        "hosted_domain": _hosted_domain(filled),
        "client_id": _matched(VISIBLE, filled.client_id.strip()),
        "email_claim": _matched(CLAIM, filled.email_claim.strip() or EMAIL_CLAIM),
        "name_claim": _matched(CLAIM, filled.name_claim.strip() or NAME_CLAIM),
        "is_only_way": filled.is_only_way,
        "left_out": left_out,
        "admits_role_id": _role_id(admin, filled.admits_role_id),
        "trusted_acr": _words(filled.trusted_acr),
        "trusted_amr": _words(filled.trusted_amr),
    }
    errors = {name: _SENTENCES[name] for name, value in found.items() if value is None}
    errors |= _why_not_secret(filled, found["issuer"], before)
    if filled.is_only_way and left_out is not None and not _opens_without(admin, left_out):
        errors["left_out"] = told("Choose at least one account admin who needs no provider.")
    if errors:
        raise Mistake(**errors)
    found["admits_role_id"] = found["admits_role_id"] or None
    _check_may_admit(admin, rights, found["admits_role_id"], before)
    return found


def may_admit(role: Role) -> bool:
    """Whether people may come to have the role by signing in: never one that administers."""
    administers = any(product == CONSOLE for product, _ in granting.nodes_of(role))
    return not role.all_permissions and not administers


_SENTENCES = {
    "name": told("Enter a name of at most 60 letters."),
    "issuer": told("Enter the issuer as it is, such as https://login.example.com."),
    "client_id": told("Enter the client ID that your provider gave you."),
    "hosted_domain": told(
        "Anybody can open an account at Google. Enter the domain of your Google Workspace."
    ),
    "email_claim": told("Enter the name of a claim, such as email."),
    "name_claim": told("Enter the name of a claim, such as name."),
    "left_out": told("At most 5 active people of the company can be left out."),
    "admits_role_id": told("Choose a role that opens no part of the console."),
    "trusted_acr": told("Enter at most 20 words without spaces."),
    "trusted_amr": told("Enter at most 20 words, and none that tells of a single factor."),
}


def _issuer(claimed: str) -> str | None:
    try:
        return checked_issuer(claimed) if len(claimed) <= 512 else None
    except ValueError:
        return None


def _hosted_domain(filled: Filled) -> str | None:
    found = _matched(HOSTED_DOMAIN, filled.hosted_domain.strip().lower())
    issuer = _issuer(filled.issuer.strip()) or ""
    return None if found is None or is_open_to_all(issuer, found) else found


def _matched(pattern: re.Pattern[str], claimed: str) -> str | None:
    return claimed if pattern.fullmatch(claimed) else None


def _words(claimed: str) -> str | None:
    words = list(dict.fromkeys(claimed.split()))
    is_sound = len(words) <= MAX_WORDS and all(WORD.fullmatch(each) for each in words)
    return " ".join(words) if is_sound and not SINGLE & set(words) else None


def _why_not_secret(
    filled: Filled, issuer: str | None, before: CompanyProvider | None
) -> dict[str, str]:
    """The secret that one provider gave us is not brought to another."""
    if filled.secret.strip():
        is_sound = VISIBLE.fullmatch(filled.secret.strip())
        return {} if is_sound else {"secret": told("Enter the secret that your provider gave you.")}
    if before is None:
        return {"secret": told("Enter the secret that your provider gave you.")}
    if issuer is not None and issuer != before.issuer:
        return {"secret": told("Another issuer needs another secret: enter it too.")}
    return {}


def _left_out(admin: Administration, claimed: Collection[str]) -> str | None:
    wanted = set(claimed)
    if len(wanted) > MAX_LEFT_OUT:
        return None
    found = admin.rows.scalars(
        sa.select(Membership.user_id)
        .join(User, User.id == Membership.user_id)
        .where(
            Membership.id.in_(wanted),
            Membership.source == memberships.HOME,
            STATUS_NOW == memberships.ACTIVE,
            User.status == users.ACTIVE,
        ),
        {"now": admin.now},
    ).all()
    return " ".join(sorted(found)) if len(found) == len(wanted) else None


def _opens_without(admin: Administration, left_out: str) -> bool:
    return account_admins.is_one_among(admin, left_out.split())


def _role_id(admin: Administration, claimed: str) -> str | None:
    """Empty for none."""
    if not claimed:
        return ""
    role = admin.rows.get(Role, claimed)
    return role.id if role and may_admit(role) else None


def _check_may_admit(
    admin: Administration, rights: Rights, role_id: str | None, before: CompanyProvider | None
) -> None:
    """To say what newcomers get is to give it."""
    if role_id is None or (before is not None and before.admits_role_id == role_id):
        return
    if not rights.holds(frozenset({(CONSOLE, ADMITS)})):
        raise Forbidden(f"{ADMITS} is missing")
    granting.check_may_grant(admin, rights, [admin.get(Role, role_id)], None)
