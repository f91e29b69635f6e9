"""The evidence of a company's end as a file: the page's download and the API's."""

from __future__ import annotations

from flask import Response, send_file

from idp.directory.operating import Operation
from idp.operators import evidence, tenants
from idp.web import downloads
from idp.web.context import now, provider

MEDIA_TYPE = "application/zip"


def download(operation: Operation, slug: str) -> Response:
    return downloads.download(slug, lambda: _pack(operation, slug))


def _pack(operation: Operation, slug: str) -> Response:
    tenant = tenants.get_tenant(operation, slug)
    ring, issuer = provider().key_ring.current(now()), provider().settings.issuer
    pack = evidence.pack(operation, tenant, ring, issuer)
    return send_file(pack, MEDIA_TYPE, as_attachment=True, download_name=f"{slug}-ended.zip")
