"""A form is looked at before it is taken apart, which costs more than to send it (security.md
S74)."""

from __future__ import annotations

from io import BytesIO
from typing import IO, Any

from flask import Request
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.formparser import FormDataParser

from idp.oidc.parameters import has_broken_escapes

URL_ENCODED = "application/x-www-form-urlencoded"
MAX_FIELDS = 2000  # more than our longest form has, the ticks of a whole permission tree


class BoundedForm(FormDataParser):
    """Of files and their fields werkzeug counts the parts itself."""

    def parse(self, stream: IO[bytes], mimetype: str, *described: Any, **named: Any) -> Any:
        """Raises RequestEntityTooLarge."""
        if mimetype == URL_ENCODED:
            sent = stream.read()
            text = sent.decode("latin-1")
            if text.count("&") >= MAX_FIELDS or has_broken_escapes(text):
                raise RequestEntityTooLarge
            stream = BytesIO(sent)
        return super().parse(stream, mimetype, *described, **named)


class PageRequest(Request):
    form_data_parser_class = BoundedForm
