"""Where the API tells of itself, to everybody: `/api/v1/openapi.json` and `/api/v1/docs`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import orjson
from flask import Blueprint, Response, render_template, request
from flask_babel import get_locale
from pydantic import BaseModel

from idp.web.context import catalog, provider
from idp.web.manage import api_document, repeats
from idp.web.manage.api import Noun, Route
from idp.web.manage.problems import PREFIX


class _Made(NamedTuple):
    """What was made `of` something, and its ETag."""

    of: object
    body: bytes
    tag: str


class _Kept:
    """What costs much to make and hardly ever changes: the last of each name, of which there are
    few."""

    def __init__(self) -> None:
        self._made: dict[str, _Made] = {}

    def answer(self, name: str, of: object, make: Callable[[], bytes], mimetype: str) -> Response:
        """Made anew if it would be of something else; 304 to who has it."""
        made = self._made.get(name)
        if made is None or made.of != of:
            body = make()
            made = self._made[name] = _Made(of, body, repeats.tag_of(body))
        response = Response(made.body, mimetype=mimetype)
        response.headers["ETag"] = made.tag
        response.vary.add("Accept-Language")
        return response.make_conditional(request)  # type: ignore[return-value]


def blueprint_for(nouns: Sequence[Noun]) -> Blueprint:
    about = Blueprint("api_about", __name__, url_prefix=PREFIX)
    kept = _Kept()

    @about.get("/openapi.json", provide_automatic_options=False)
    def document() -> Response:
        settings, named = provider().settings, api_document.scopes(catalog())
        return kept.answer(
            "document",
            named,
            lambda: orjson.dumps(api_document.document(nouns, settings, named)),
            "application/json",
        )

    @about.get("/docs", provide_automatic_options=False)
    def page() -> Response:
        return kept.answer(f"page {get_locale()}", None, lambda: _page(nouns), "text/html")

    return about


def _page(nouns: Sequence[Noun]) -> bytes:
    return render_template(
        "manage/api.html",
        nouns=nouns,
        prefix=PREFIX,
        base=provider().settings.issuer + PREFIX,
        for_people=api_document.FOR_PEOPLE,
        refusals=api_document.REFUSALS,
        refusals_of=api_document.refusals,
        parameters_of=_parameters,
        fields_of=_fields,
    ).encode()


class Field(NamedTuple):
    name: str
    value: str
    meaning: str
    required: bool


def _parameters(route: Route) -> list[Field]:
    return [
        Field(
            each["name"],
            _value(each["schema"]),
            each.get("description", ""),
            each.get("required", False),
        )
        for each in api_document.parameters(route)
    ]


def _fields(model: type[BaseModel] | None) -> list[Field]:
    if model is None:
        return []
    schema = model.model_json_schema(mode="serialization")
    needed = schema.get("required", ())
    return [
        Field(name, _value(field), field.get("description", ""), name in needed)
        for name, field in schema.get("properties", {}).items()
    ]


def _value(schema: dict[str, Any]) -> str:
    """A schema in a word or two."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "enum" in schema:
        return " | ".join(str(each) for each in schema["enum"])
    if "anyOf" in schema:
        return " | ".join(_value(each) for each in schema["anyOf"])
    if schema.get("type") == "array":
        return f"[{_value(schema['items'])}]"
    return str(schema.get("format") or schema.get("type") or "any")
