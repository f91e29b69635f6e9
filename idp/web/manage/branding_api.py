"""Branding at the API. The logo has an address of its own, where everybody may see it."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from flask import url_for
from pydantic import Field

from idp.directory import branding
from idp.directory.acting import Administration
from idp.directory.branding import Wanted
from idp.directory.pictures import MAX_BYTES
from idp.errors import told
from idp.web.context import provider
from idp.web.manage.api import TENANT, Answer, Noun, Upload
from idp.web.manage.json_reading import Sent

api = Noun("branding", told("Branding"))

BRANDING = f"{TENANT}/branding"
LOGO = f"{BRANDING}/logo"
NEEDS = branding.PERMISSION

Picture = Annotated[
    bytes, Upload(("image/png", "image/jpeg", "image/webp"), MAX_BYTES, branding.stored)
]


class BrandingTold(Answer):
    """Empty where nothing was chosen. `product_names` maps keys of products to names; `logo` is an
    address."""

    display_name: str
    accent: str
    product_names: dict[str, str]
    logo: str | None


class NewBranding(Sent):
    """All of it but the logo: what is left out is as if nothing had been chosen."""

    example: ClassVar[dict[str, Any]] = {
        "display_name": "Northwind",
        "accent": "#0f6b5c",
        "product_names": {"lms": "Loan desk"},
    }

    display_name: str = Field("", max_length=200)
    accent: str = Field("", max_length=20, description="#rrggbb")
    product_names: dict[str, Annotated[str, Field(max_length=200)]] = Field({}, max_length=200)


@api.get(BRANDING, told("See the branding"), needs=NEEDS)
def show(admin: Administration) -> BrandingTold:
    row = branding.stored(admin)
    seen = row.logo_digest
    path = url_for("brands.logo", digest=seen) if seen else None
    return BrandingTold(
        display_name=row.display_name,
        accent=row.accent,
        product_names=row.product_names,
        logo=path and provider().settings.issuer + path,
    )


@api.put(BRANDING, told("Change the branding"), needs=NEEDS, current=show)
def change(admin: Administration, body: NewBranding) -> BrandingTold:
    return _saved(admin, Wanted(body.display_name, body.accent, body.product_names))


@api.put(LOGO, told("Send a logo"), needs=NEEDS, current=show)
def send_logo(admin: Administration, data: Picture) -> BrandingTold:
    """If-Match is the ETag of the branding."""
    return _saved(admin, _as_it_is(admin)._replace(logo=data))


@api.delete(LOGO, told("Remove the logo"), needs=NEEDS, current=show)
def remove_logo(admin: Administration) -> None:
    _saved(admin, _as_it_is(admin)._replace(drops_logo=True))


def _as_it_is(admin: Administration) -> Wanted:
    row = branding.stored(admin)
    return Wanted(row.display_name, row.accent, row.product_names)


def _saved(admin: Administration, wanted: Wanted) -> BrandingTold:
    branding.save(admin, branding.digest(branding.stored(admin)), wanted)
    return show(admin)
