"""An audit log as a file that an outsider can verify: the page's download and the API's."""

from __future__ import annotations

from tempfile import TemporaryFile

from flask import Response, send_file

from idp import evidence
from idp.directory.history import Reader
from idp.web import downloads
from idp.web.context import now, provider

MEDIA_TYPE = "application/jsonl"


def download(reader: Reader, whose: str) -> Response:
    """The whole chain with its proof (docs/operate.md). Written down before any of it is sent: of a
    damaged one nothing is given."""
    return downloads.download(whose, lambda: _file(reader, whose))


def _file(reader: Reader, whose: str) -> Response:
    held = provider()
    lines = evidence.export_for(reader, held.key_ring.current(now()), held.settings.issuer)
    file = TemporaryFile()  # noqa: SIM115 - the answer closes it
    try:
        file.writelines(lines)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    name = f"{whose}-audit.jsonl"
    return send_file(file, MEDIA_TYPE, as_attachment=True, download_name=name)
