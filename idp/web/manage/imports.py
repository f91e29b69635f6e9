"""Importing people from a file: what it would do, line by line, before it does it."""

from __future__ import annotations

from flask import Blueprint, Response, flash, redirect, request
from flask_babel import get_locale, lazy_gettext
from flask_babel import gettext as _
from werkzeug.wrappers import Response as AnyResponse

from idp.directory import imports, people_file
from idp.directory.acting import Administration, Mistake
from idp.web.manage import filled_in, guard, import_report, shell

blueprint = Blueprint("manage_imports", __name__)

ADDRESS = "/manage/<tenant>/imports"
UPLOAD = "manage_imports.upload"
LOOK_AGAIN = 2  # seconds

PLANS = {
    imports.INVITE: lazy_gettext("Invite"),
    imports.CHANGE: lazy_gettext("Change roles"),
    imports.SAME: lazy_gettext("Nothing to do"),
    imports.REFUSE: lazy_gettext("Refuse"),
}

Answer = AnyResponse | str | tuple[str, int]


@blueprint.get(f"{ADDRESS}/new")
@guard.administers()
def offer(admin: Administration) -> str:
    admin.check("people.manage")
    return _form(admin, {})


@blueprint.post(f"{ADDRESS}/new")
@guard.administers()
def upload(admin: Administration) -> Answer:
    sent = request.files.get("file")
    data = sent.stream.read(people_file.MAX_BYTES + 1) if sent else b""
    try:
        made = imports.upload(admin, data, str(get_locale()))
    except Mistake as mistake:
        return _form(admin, mistake.errors), mistake.status
    return _to(admin, made)


@blueprint.get(f"{ADDRESS}/<people_import>")
@guard.administers()
def show(admin: Administration, people_import: str) -> AnyResponse:
    return _page(admin, people_import, {})


@blueprint.post(f"{ADDRESS}/<people_import>/start")
@guard.administers()
def start(admin: Administration, people_import: str) -> AnyResponse:
    try:
        imports.start(admin, people_import)
    except Mistake as mistake:
        return _page(admin, people_import, mistake.errors, mistake.status)
    return _to(admin, people_import)


@blueprint.post(f"{ADDRESS}/<people_import>/drop")
@guard.administers()
def drop(admin: Administration, people_import: str) -> AnyResponse:
    try:
        imports.drop(admin, people_import)
    except Mistake as mistake:
        return _page(admin, people_import, mistake.errors, mistake.status)
    flash(_("The import has been dropped. Nothing was changed."))
    return redirect(f"/manage/{admin.tenant.slug}/people", 303)


@blueprint.get(f"{ADDRESS}/<people_import>/report.csv")
@guard.administers()
def report(admin: Administration, people_import: str) -> Response:
    return import_report.download(admin, people_import)


def _form(admin: Administration, errors: dict[str, str]) -> str:
    return shell.tenant_page(
        admin,
        "manage/import_new.html",
        open_one=imports.open_one(admin),
        errors={field: _(sentence) for field, sentence in errors.items()},
    )


def _page(
    admin: Administration, import_id: str, errors: dict[str, str], status: int = 200
) -> AnyResponse:
    """While the worker is at it, the page looks again by itself."""
    progress = imports.progress(admin, import_id)
    after = request.args.get("after", "")
    lines = imports.lines(admin, import_id, filled_in.whole_number(after) or 0)
    page = shell.tenant_page(
        admin,
        "manage/import.html",
        progress=progress,
        lines=lines,
        next=lines[-1].number if len(lines) == imports.PAGE else None,
        plans=PLANS,
        may_start=progress.state == imports.CHECKED,
        does_something=any(progress.plans.get(each) for each in (imports.INVITE, imports.CHANGE)),
        errors={field: _(sentence) for field, sentence in errors.items()},
    )
    answer = Response(page, status)
    if progress.is_under_way:
        answer.headers["Refresh"] = str(LOOK_AGAIN)
    return answer


def _to(admin: Administration, import_id: str) -> AnyResponse:
    return redirect(f"/manage/{admin.tenant.slug}/imports/{import_id}", 303)
