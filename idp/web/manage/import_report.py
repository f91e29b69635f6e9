"""What became of each line of an import, as a table: the page's download and the API's."""

from __future__ import annotations

from flask import Response
from flask_babel import gettext as _

from idp.directory import imports, people_file
from idp.directory.acting import Administration
from idp.directory.imports import ImportLine

MEDIA_TYPE = "text/csv"
COLUMNS = ("line", "email", "kind", "roles", "planned", "done", "reason")


def download(admin: Administration, import_id: str) -> Response:
    rows = [_fields(line) for line in imports.lines(admin, import_id, size=None)]
    answer = Response(people_file.written([COLUMNS, *rows]), mimetype=MEDIA_TYPE)
    answer.headers["Content-Disposition"] = 'attachment; filename="import-report.csv"'
    return answer


def _fields(line: ImportLine) -> list[str]:
    words = [line.plan or "", line.outcome or "", _(line.reason) if line.reason else ""]
    return [str(line.number), line.email, line.kind, line.roles, *words]
