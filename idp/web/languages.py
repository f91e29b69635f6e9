"""Languages: the person's, by `ui_locales`, then by their browser; and their time zone.

Catalogs are read as `.po`.
"""

from __future__ import annotations

from functools import cache
from io import BytesIO
from pathlib import Path

from babel import Locale, UnknownLocaleError
from babel.messages.catalog import Catalog
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.support import NullTranslations, Translations
from flask import Flask, g, request
from flask_babel import Babel, Domain, get_locale

from idp.settings import LANGUAGES

OWN_NAMES = {"en": "English", "es": "Español"}
_FOLDER = Path(__file__).with_name("translations")


class _ReadableCatalogs(Domain):  # type: ignore[misc]  # Flask-Babel is not typed
    """Compiles a `.po` when it is first used, so that no binary has to be kept in step with it."""

    def get_translations(self) -> NullTranslations:
        return _translations(page_language())


@cache
def _translations(language: str) -> NullTranslations:
    catalog = read_catalog(language)
    if not len(catalog):
        return NullTranslations()
    compiled = BytesIO()
    write_mo(compiled, catalog)
    compiled.seek(0)
    return Translations(compiled)


def read_catalog(language: str) -> Catalog:
    """All that is said in a language: a file for each part of the provider, read as one."""
    whole = Catalog(locale=language)
    for path in sorted((_FOLDER / language / "LC_MESSAGES").glob("*.po")):
        with path.open("rb") as text:
            for message in read_po(text, locale=language):
                whole[message.id] = message
    return whole


def page_language() -> str:
    """Of what is being written: a page, or a letter."""
    return str(get_locale() or LANGUAGES[0]).partition("_")[0]


def language_name(tag: str) -> str:
    """In its own words; the tag itself where nobody has words for it."""
    try:
        name = Locale.parse(tag, sep="-").get_display_name()
    except (UnknownLocaleError, ValueError):
        name = None
    return name[:1].upper() + name[1:] if name else tag


def _select() -> str:
    wanted = (g.get("ui_locales") or request.args.get("ui_locales") or "").split()
    for tag in wanted:
        if tag.partition("-")[0].lower() in LANGUAGES:
            return tag.partition("-")[0].lower()
    return request.accept_languages.best_match(LANGUAGES) or LANGUAGES[0]


def _zone() -> str | None:
    """The person's own where a page knows it, else UTC."""
    zone: str | None = g.get("zone")
    return zone


def install(app: Flask) -> None:
    babel = Babel(app, locale_selector=_select, timezone_selector=_zone)
    babel.domain_instance = _ReadableCatalogs()  # for letters too, which no request asks for
