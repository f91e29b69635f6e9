"""Where the API tells of itself, to everybody: `/api/v1/openapi.json` and `/api/v1/docs`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson
from flask import Blueprint, Response, render_template
from pydantic import BaseModel

from idp.web.context import catalog, provider
from idp.web.manage import api_document
from idp.web.manage.api import Noun, Route
from idp.web.manage.problems import PREFIX


def blueprint_for(nouns: Sequence[Noun]) -> Blueprint:
    about = Blueprint("api_about", __name__, url_prefix=PREFIX)

    @about.get("/openapi.json", provide_automatic_options=False)
    def document() -> Response:
        described = api_document.document(nouns, provider().settings, catalog())
        return Response(orjson.dumps(described), mimetype="application/json")

    @about.get("/docs", provide_automatic_options=False)
    def page() -> str:
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
        )

    return about


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
