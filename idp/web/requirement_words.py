"""What is required of somebody and why, in words: the same for whoever signs in, on their account
page, and for their admins (product.md N1)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any, Literal

from babel.lists import format_list
from flask_babel import get_locale, lazy_gettext
from flask_babel import gettext as _

from idp.policies.assurance import (
    EMAIL,
    PASSKEY,
    PHISHING_RESISTANT,
    RECOVERY,
    SECURITY_KEY,
    SMS,
    TOTP,
)
from idp.policies.mfa import METHODS, Demand, Requirement, Why

METHOD_WORDS = {
    PASSKEY: lazy_gettext("passkey or security key"),
    TOTP: lazy_gettext("authenticator app"),
    SMS: lazy_gettext("code by SMS"),
    EMAIL: lazy_gettext("code by e-mail"),
}
OWNED_WORDS = {
    **METHOD_WORDS,
    PASSKEY: lazy_gettext("passkey"),
    SECURITY_KEY: lazy_gettext("security key"),
    RECOVERY: lazy_gettext("recovery codes"),
}


def reasons(requirement: Requirement) -> list[str]:
    """A sentence for each demand."""
    return [reason(demand) for demand in requirement.demands]


def reason(demand: Demand) -> str:
    if demand.why in (Why.ACR, Why.ACR_VALUES):
        return _of_class(demand)
    return str(_SENTENCES[demand.why](demand))


def _of_class(demand: Demand) -> str:
    if demand.acr == PHISHING_RESISTANT:
        return str(_("What is to be done asks for a passkey or security key."))
    return str(_("What is to be done asks for a second factor."))


def _of_kind(demand: Demand) -> Any:
    name = demand.tenant_name
    return {
        "staff": _("%(company)s requires it of its staff.", company=name),
        "customer": _("%(company)s requires it of its customers.", company=name),
        "organization": _("%(company)s requires it of its client contacts.", company=name),
    }[demand.kind]


def _of_kind_freely(demand: Demand) -> Any:
    name = demand.tenant_name
    return {
        "staff": _("%(company)s asks its staff for it, who may skip it.", company=name),
        "customer": _("%(company)s asks its customers for it, who may skip it.", company=name),
        "organization": _(
            "%(company)s asks its client contacts for it, who may skip it.", company=name
        ),
    }[demand.kind]


_SENTENCES: dict[Why, Any] = {
    Why.PRODUCT: lambda d: _("%(product)s always asks for one.", product=d.product_name),
    Why.TENANT_PRODUCT: lambda d: _(
        "%(company)s asks for one in %(product)s.",
        company=d.tenant_name,
        product=d.product_name,
    ),
    Why.KIND_REQUIRED: _of_kind,
    Why.KIND_OPTIONAL: _of_kind_freely,
    Why.SELECTED: lambda d: _(
        "%(company)s has selected this person for it.", company=d.tenant_name
    ),
    Why.GRANT: lambda _d: _("The access to this company was approved on that condition."),
    Why.PLATFORM: lambda _d: _("The platform requires it of its operators."),
    Why.OWN_LEVEL: lambda _d: _("It changes how somebody signs in who has one."),
}


def methods(allowed: Collection[str]) -> str:
    """Those that would do, by the names that policies have for them, as a list in words."""
    return _listed([str(METHOD_WORDS[each]) for each in METHODS if each in allowed], "or")


def freshness(requirement: Requirement) -> str:
    """Empty where it may be as old as the sign-in."""
    if requirement.max_age is None:
        return ""
    minutes = int(requirement.max_age // 60)
    return str(_("not older than %(minutes)s minutes", minutes=minutes))


def owned(method_names: Iterable[str]) -> str:
    return _listed([str(OWNED_WORDS[each]) for each in method_names], "standard")


def _listed(words: list[str], style: Literal["or", "standard"]) -> str:
    return str(format_list(words, style, get_locale())) if words else ""


def next_words() -> dict[str, str]:
    """What comes after the first factor, by `explanation.Next`."""
    return {
        "nothing": _("No second factor is asked for."),
        "password": _("Their own password or passkey is asked for too, and then they set one up."),
        "prove": _("A second factor is asked for."),
        "enrol": _("They are asked to set one up."),
    }
