"""Requests as the bytes that go over the wire, and what the flows take out of answers."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlencode

import orjson

from bench.driver import Answer, Unexpected

_CODE = re.compile(rb"[?&]code=([^&]*)")


def get(target: str, **headers: str) -> bytes:
    return _request("GET", target, headers, b"")


def post(target: str, form: Mapping[str, str], **headers: str) -> bytes:
    sent = {"Content-Type": "application/x-www-form-urlencoded", **headers}
    return _request("POST", target, sent, urlencode(form).encode())


def post_json(target: str, body: Mapping[str, Any], **headers: str) -> bytes:
    sent = {"Content-Type": "application/json", **headers}
    return _request("POST", target, sent, orjson.dumps(body))


def put_json(target: str, body: Mapping[str, Any], **headers: str) -> bytes:
    sent = {"Content-Type": "application/json", **headers}
    return _request("PUT", target, sent, orjson.dumps(body))


def _request(method: str, target: str, headers: Mapping[str, str], body: bytes) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", "Host: 127.0.0.1", "Accept: */*"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    if method != "GET":
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body


def basic(client_id: str, secret: str) -> str:
    return "Basic " + base64.b64encode(f"{client_id}:{secret}".encode()).decode()


def expect(answer: Answer, status: int) -> Answer:
    """Raises Unexpected with what came instead."""
    if answer.status != status:
        raise Unexpected(f"{status} was expected: {answer.head!r} {answer.body[:600]!r}")
    return answer


def tokens(answer: Answer) -> dict[str, Any]:
    found: dict[str, Any] = orjson.loads(expect(answer, 200).body)
    return found


def code(answer: Answer) -> str:
    """The authorization code in a redirect to the product, which peers make by 302."""
    found = _CODE.search(expect(answer, 302 if answer.status == 302 else 303).header(b"location"))
    if found is None:
        raise Unexpected(f"no code: {answer.head!r}")
    return found[1].decode()
