"""The menu under the person's name: products, tenants, account, sign out.

Fed by the identity provider's product switcher. Without it the menu still shows who is signed in,
where, the account and sign out.
"""

import re
from dataclasses import dataclass
from typing import Any

from relying_parties.base.product import Product
from relying_parties.base.provider import ProviderAway
from relying_parties.base.sessions import AppSession

FRESH_SECONDS = 30
FALLBACK_FRESH_SECONDS = 5
QUIET_COLOR = "#6b7280"


@dataclass(frozen=True)
class MenuProduct:
    name: str
    color: str
    icon: str
    url: str
    is_current: bool
    asks_a_step: bool


@dataclass(frozen=True)
class MenuTenant:
    slug: str
    name: str
    is_current: bool


@dataclass(frozen=True)
class ProfileMenu:
    person: str
    email: str
    tenant: str
    account_url: str
    console_url: str | None = None
    enable_mfa_url: str | None = None
    products: tuple[MenuProduct, ...] = ()
    tenants: tuple[MenuTenant, ...] = ()

    @property
    def initials(self) -> str:
        words = re.findall(r"\w+", self.person)
        letters = [word[0] for word in (words[:1] + words[1:][-1:])]
        return "".join(letters).upper() or "?"


def menu_of(session: AppSession, product: Product) -> ProfileMenu:
    """The session's menu, asked for again when it is half a minute old."""
    now = product.clock()
    if session.menu is None or session.menu_expires_at <= now:
        found = _find_menu(session, product)
        session.menu = found or _menu_without_provider(session, product)
        session.menu_expires_at = now + (FRESH_SECONDS if found else FALLBACK_FRESH_SECONDS)
    return session.menu


def _find_menu(session: AppSession, product: Product) -> ProfileMenu | None:
    try:
        answer = product.provider.fetch_menu(session.tokens.access_token)
        return _read(answer) if answer else None
    except (ProviderAway, KeyError, TypeError, AttributeError):
        return None


def _read(answer: dict[str, Any]) -> ProfileMenu:
    return ProfileMenu(
        person=str(answer["person"]["name"]),
        email=str(answer["person"]["email"]),
        tenant=str(answer["tenant"]["name"]),
        account_url=_web_url(answer["account_url"]),
        console_url=_optional_url(answer["console_url"]),
        enable_mfa_url=_optional_url(answer["enable_mfa_url"]),
        products=tuple(_read_product(entry) for entry in answer["products"] if entry["url"]),
        tenants=tuple(
            MenuTenant(str(entry["slug"]), str(entry["name"]), bool(entry["current"]))
            for entry in answer["tenants"]
        ),
    )


def _read_product(entry: dict[str, Any]) -> MenuProduct:
    color = str(entry["color"])
    return MenuProduct(
        name=str(entry["name"]),
        color=color if re.fullmatch(r"#[0-9a-fA-F]{6}", color) else QUIET_COLOR,
        icon=str(entry["icon"]).removeprefix("ti-"),
        url=_web_url(entry["url"]),
        is_current=bool(entry["current"]),
        asks_a_step=bool(entry.get("step")),
    )


def _optional_url(claimed_url: Any) -> str | None:
    return _web_url(claimed_url) if claimed_url else None


def _web_url(claimed_url: Any) -> str:
    """Only http and https: a `javascript:` link must not reach the page."""
    if not re.match(r"https?://", str(claimed_url)):
        raise TypeError("not a web address")
    return str(claimed_url)


def _menu_without_provider(session: AppSession, product: Product) -> ProfileMenu:
    return ProfileMenu(
        person=session.name,
        email=str(session.claims.get("email", "")),
        tenant=session.tenant.replace("-", " ").capitalize(),
        account_url=product.configuration.issuer.rstrip("/") + "/account",
    )
