"""Requests as they may come over the wire: sound ones, and whatever they can be turned into."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from typing import Any
from urllib.parse import quote_plus

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from werkzeug.test import create_environ, run_wsgi_app

from idp.endpoints.messages import FORM

SCRIPT = "<script>alert(1)"
TEXTS = (
    "",
    " ",
    "null",
    "[]",
    "{}",
    '{"id_token":{"acr":{"essential":true,"values":[[]]}}}',
    '{"id_token":{"acr":{"essential":true,"value":{}}},"userinfo":null}',
    '{"id_token":' * 300 + "1" + "}" * 300,
    "-1",
    "9" * 400,
    "\u0662\u0663",
    "\x00",
    "a\x00b",
    "\r\nSet-Cookie: a=b",
    "\u202e\u200b\ufeff",
    "İı\u212a\u00df\u0301",
    "💩" * 50,
    f'"><{SCRIPT[1:]}</script>',
    "javascript:alert(1)",
    "//evil.example",
    "\\\\evil.example",
    "https://evil.example/callback",
    "http://localhost:8001/callback/../evil",
    "http://localhost:8001@evil.example/callback",
    "http://[::1",
    "{{7*7}}",
    "%s%n%(x)s",
    "' OR 1=1 --",
    "../../../../etc/passwd",
    "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.",
    "a.b.c",
    "x" * 4097,
    "y" * 20_000,
)
WIRE = (
    "%",
    "%zz",
    "%ff",
    "%c3%28",
    "%ed%a0%80",  # a lone surrogate
    "%f8%88%80%80%80",
    "%00",
    "%u0041",
    "%0d%0aLocation:%20//evil.example",
    "\xff\xfe",
    "é",
    "=",
    "&&",
    ";a=b",
    "a[b]=c",
    "%26state=b",
    "+",
    "&".join("ab" for _ in range(70)),
)
METHODS = ("GET", "POST", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW", "get")
CONTENT_TYPES = (
    FORM,
    f"{FORM}; charset=utf-8",
    f"{FORM}; charset=utf-7",
    FORM.upper(),
    "",
    "application/json",
    "text/plain",
    "multipart/form-data",
    "multipart/form-data; boundary=x",
    "multipart/form-data; boundary=" + "b" * 500,
    "\xff/\xfe",
    ";;;",
)
LENGTHS = ("", "0", "1", "-1", "+5", "abc", "1e3", "\xb2", "99999999999999999999", " 5")
ODD_HEADERS = {
    "HTTP_HOST": ("localhost:8000", "evil.example", "", "a b", "[::1", "\xff", "localhost:port"),
    "HTTP_ORIGIN": ("null", "https://evil.example", "http://[", "", "\xff"),
    "HTTP_SEC_FETCH_SITE": ("same-origin", "cross-site", "none", "\xff"),
    "HTTP_REFERER": ("https://evil.example/", "\xff", "http://["),
    "HTTP_X_FORWARDED_FOR": ("127.0.0.1", "'", ",,,", "\xff" * 40),
    "HTTP_X_FORWARDED_HOST": ("evil.example",),
    "HTTP_X_FORWARDED_PROTO": ("https", "javascript"),
    "HTTP_FORWARDED": ("for=evil;host=evil.example",),
    "HTTP_ACCEPT_LANGUAGE": ("es", "*", "en;q=abc", "x" * 3000, "\xff", "en_US@%s", ",;q=,"),
    "HTTP_ACCEPT": ("application/json", "*/*;q=", "\xff"),
    "HTTP_USER_AGENT": ("", "\xff\x01", "u" * 5000, SCRIPT),
    "HTTP_TRANSFER_ENCODING": ("chunked",),
    "HTTP_RANGE": ("bytes=0-1",),
    "HTTP_IF_NONE_MATCH": ("*", "\xff"),
    "HTTP_X_PADDING": ("z" * 17_000,),
}


def examples(number: int) -> settings:
    """The same ones every time, so that a failure is everybody's failure."""
    return settings(
        max_examples=number,
        derandomize=True,
        deadline=None,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


@dataclass(frozen=True)
class Sent:
    """One request; `query` and `body` are as on the wire, `headers` by their WSGI names."""

    method: str
    path: str
    query: str = ""
    body: str = ""
    content_type: str = FORM
    length: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Got:
    status: int
    headers: list[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        found = [value for key, value in self.headers if key.lower() == name.lower()]
        return found[0] if found else ""


def send(app: Any, sent: Sent) -> Got:
    body = sent.body.encode("latin-1", "xmlcharrefreplace")
    environ = create_environ(sent.path, method="GET")
    environ |= {
        "REQUEST_METHOD": sent.method,
        "QUERY_STRING": sent.query,
        "CONTENT_TYPE": sent.content_type,
        "CONTENT_LENGTH": str(len(body)) if sent.length is None else sent.length,
        "wsgi.input": BytesIO(body),
        "REMOTE_ADDR": "127.0.0.1",
        **sent.headers,
    }
    chunks, status, headers = run_wsgi_app(app, environ)
    return Got(int(status.split()[0]), list(headers), b"".join(chunks))


def form_of(pairs: Sequence[tuple[str, str]]) -> str:
    return "&".join(f"{name}={value}" for name, value in pairs)


wire_values = st.one_of(
    st.sampled_from(TEXTS).map(quote_plus),
    st.text(max_size=20).map(quote_plus),
    st.sampled_from(WIRE),
    st.binary(max_size=10).map(quote_plus),
)


@st.composite
def forms(draw: st.DrawFn, sound: Mapping[str, Sequence[str]]) -> str:
    """A sound form with some of its fields dropped, replaced, repeated or added to."""
    pairs = [(name, quote_plus(draw(st.sampled_from(values)))) for name, values in sound.items()]
    for _ in range(draw(st.integers(0, 3))):
        place = draw(st.integers(0, len(pairs) - 1)) if pairs else 0
        mutation = draw(st.sampled_from(["replace", "replace", "drop", "repeat", "add"]))
        if mutation == "add" or not pairs:
            pairs.append((draw(wire_values), draw(wire_values)))
        elif mutation == "drop":
            pairs.pop(place)
        elif mutation == "repeat":
            pairs.append((pairs[place][0], draw(wire_values)))
        else:
            pairs[place] = (pairs[place][0], draw(wire_values))
    return form_of(pairs)


@st.composite
def requests(
    draw: st.DrawFn,
    path: str,
    method: str,
    fields: st.SearchStrategy[str],
    headers: Mapping[str, st.SearchStrategy[str | None]],
) -> Sent:
    """Mostly a sound envelope around `fields`, now and then an odd one. A header may be None."""
    odd = draw(
        st.sets(st.sampled_from(["method", "type", "length", "header", "place"]), max_size=2)
    )
    chosen = {name: draw(values) for name, values in headers.items()}
    if "header" in odd:
        name = draw(st.sampled_from(sorted(ODD_HEADERS)))
        chosen[name] = draw(st.sampled_from(ODD_HEADERS[name]))
    in_query = (method == "GET") != ("place" in odd)
    text = draw(fields)
    return Sent(
        method=draw(st.sampled_from(METHODS)) if "method" in odd else method,
        path=path,
        query=text if in_query else draw(st.sampled_from(["", "", "", "a=b", "%ff"])),
        body="" if in_query else text,
        content_type=draw(st.sampled_from(CONTENT_TYPES)) if "type" in odd else FORM,
        length=draw(st.sampled_from(LENGTHS)) if "length" in odd else None,
        headers={name: value for name, value in chosen.items() if value is not None},
    )


def basic(name: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{name}:{secret}".encode()).decode()


def authorizations(*sound: str) -> st.SearchStrategy[str | None]:
    """Mostly a sound Authorization header."""
    unsound = (
        *("Basic", "Basic ", "Basic %%%", "Basic /w==", "Basic AAAA", "Bearer", "Bearer  "),
        *("Bearer a.b.c", "Bearer \xff", "Digest a", "\xff", "Basic " + "A" * 20_000),
        *(basic(text, text) for text in TEXTS[:24]),
        basic("lms", "wrong"),
        basic("%00", "%ff"),
    )
    return st.one_of(*map(st.just, sound), st.none(), st.sampled_from(unsound))


def cookies(*sound: str) -> st.SearchStrategy[str | None]:
    unsound = (
        "latchkey-session=",
        "latchkey-session=a; latchkey-session=b",
        "latchkey-browser=\xff; latchkey-form=\xff",
        "latchkey-form=eyJ.a.b",
        ";;;=;=a;a=;",
        '"',
        "a=" + "b" * 15_000,
    )
    return st.one_of(*map(st.just, sound), st.none(), st.sampled_from(unsound))
