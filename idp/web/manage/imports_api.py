"""Importing people from a CSV file, at the API: tried first, then done."""

from __future__ import annotations

from typing import Annotated

from flask import Response
from flask_babel import gettext as _
from pydantic import Field

from idp.directory import imports, people_file
from idp.directory.acting import Administration
from idp.directory.imports import ImportLine
from idp.errors import told
from idp.web.context import provider
from idp.web.manage import import_report
from idp.web.manage.api import (
    LOCALE,
    TENANT,
    Answer,
    Download,
    Listing,
    Moment,
    Noun,
    Part,
    Upload,
    listed,
)
from idp.web.manage.json_reading import Sent

api = Noun("imports", told("Imports of people"))

IMPORTS = f"{TENANT}/imports"
IMPORT = f"{IMPORTS}/<people_import>"
NEEDS = "people.manage"

File = Annotated[bytes, Upload(("text/csv",), people_file.MAX_BYTES, imports.sender)]

Table = Annotated[Response, Download((import_report.MEDIA_TYPE,))]


class Language(Sent):
    locale: str = Field(
        "en", pattern=LOCALE, description=told("The language of letters to who has no account.")
    )


class ImportTold(Answer):
    """`state` goes from `checking` to `checked`, then to `running` and `done`, or to `dropped`.
    `plans` and `outcomes` count lines: `invite`, `change`, `same`, `refuse`."""

    id: str
    state: str
    created_at: Moment
    total: int
    plans: dict[str, int]
    outcomes: dict[str, int]


class LineTold(Answer):
    """`number` is the line's in the file; `roles` are keys. `plan` is what trying it came to, and
    `outcome` what doing it came to; `reason` is of a refusal."""

    number: int
    email: str
    kind: str
    roles: list[str]
    plan: str | None
    outcome: str | None
    reason: str | None


@api.post(IMPORTS, told("Send a file of people"), needs=NEEDS, is_for_people=True)
def upload(admin: Administration, data: File, query: Language) -> ImportTold:
    """Its lines are tried next, and nothing is changed before it is started."""
    return show(admin, imports.upload(admin, data, query.locale))


@api.get(IMPORTS, told("See which import is open"), needs=NEEDS)
def opened(admin: Administration) -> Listing[ImportTold]:
    """One at most: the next is sent when it is done or dropped."""
    found = imports.open_one(admin)
    return listed(ImportTold, [imports.progress(admin, found)] if found else [])


@api.get(IMPORT, told("See how far an import is"), needs=NEEDS)
def show(admin: Administration, people_import: str) -> ImportTold:
    return ImportTold.model_validate(imports.progress(admin, people_import))


@api.get(f"{IMPORT}/lines", told("See what an import does, line by line"), needs=NEEDS)
def report(admin: Administration, people_import: str, query: Part) -> Listing[LineTold]:
    keys = provider().secret_keys
    page = imports.page(admin, keys, people_import, query.cursor, query.limit)
    return listed(LineTold, map(_line_told, page.lines), page.next)


@api.get(f"{IMPORT}/report", told("Take an import's report as a table"), needs=NEEDS)
def table(admin: Administration, people_import: str) -> Table:
    return import_report.download(admin, people_import)


@api.post(f"{IMPORT}/start", told("Start an import"), needs=NEEDS, status=200, is_for_people=True)
def start(admin: Administration, people_import: str) -> ImportTold:
    """By who sent its file, whose rights decide."""
    imports.start(admin, people_import)
    return show(admin, people_import)


@api.post(f"{IMPORT}/drop", told("Drop an import"), needs=NEEDS, status=200)
def drop(admin: Administration, people_import: str) -> ImportTold:
    imports.drop(admin, people_import)
    return show(admin, people_import)


def _line_told(line: ImportLine) -> LineTold:
    names = ("number", "email", "kind", "plan", "outcome")
    plain = {name: getattr(line, name) for name in names}
    reason = _(line.reason) if line.reason else None
    return LineTold(**plain, roles=line.roles.split(), reason=reason)
