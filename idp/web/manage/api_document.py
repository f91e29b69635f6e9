"""The API as a document (OpenAPI 3.1), made from what the nouns declare and from nothing else."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from idp.directory.catalog import Catalog
from idp.directory.products import CONSOLE, PLATFORM
from idp.errors import told
from idp.settings import Settings
from idp.web.manage import repeats
from idp.web.manage.api import NAME, SLUG, Noun, Route
from idp.web.manage.problems import MEDIA_TYPE, PREFIX, Problem

Json = dict[str, Any]

SCHEME = "oauth2"
REFUSALS = {
    400: told("The request can't be read: malformed JSON, a name twice, a parameter twice."),
    401: told("No live bearer token for this product, or too old a sign-in for the change."),
    403: told("The token, or the roles behind it, does not allow this."),
    404: told("There is nothing of this company's at the address."),
    408: told("The body did not arrive whole, or not in time."),
    409: told("Something else was changed at the same time. Read again, and try again."),
    411: told("The body's length is not said."),
    412: told("It was changed since it was read."),
    413: told("The body is larger than is taken here: 64 KiB, or what is said of a file."),
    414: told("The query is longer than 16 KiB."),
    415: told("The body is of another media type than this address takes."),
    422: told("A field is missing, unknown, or not as it has to be; `errors` says which."),
    428: told("If-Match is missing."),
    429: told("There was enough of it. Try again after Retry-After seconds."),
    431: told("The headers are longer than 16 KiB."),
    503: told("A store is away, or there is too much work. Try again after Retry-After seconds."),
}
FOR_PEOPLE = told("A person does this: the token of a program is refused (403).")
TEXT = {"type": "string"}
FILE = {"type": "string", "format": "binary"}


def scopes(catalog: Catalog) -> dict[str, str]:
    """Permission -> its name. With the issuer, all that the document depends on."""
    products = (catalog.products[key] for key in (CONSOLE, PLATFORM))
    return {key: name for product in products for key, name in product.permission_names.items()}


def document(nouns: Sequence[Noun], settings: Settings, named: dict[str, str]) -> Json:
    """`named` are the scopes."""
    routes = [route for noun in nouns for route in noun.routes]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Latchkey management API",
            "version": "1",
            "description": "Everything that the console does, by the same rules.",
        },
        "servers": [{"url": settings.issuer + PREFIX}],
        "tags": [{"name": noun.key, "description": noun.title} for noun in nouns],
        "paths": _paths(routes),
        "components": {
            "schemas": _schemas(routes),
            "responses": {f"problem_{status}": _refusal(status) for status in REFUSALS},
            "securitySchemes": {SCHEME: _scheme(settings, named)},
        },
    }


def _paths(routes: Sequence[Route]) -> Json:
    paths: Json = {}
    for route in routes:
        path = re.sub(r"<(\w+)>", r"{\1}", route.path)
        paths.setdefault(path, {})[route.method.lower()] = _operation(route)
    return paths


def _operation(route: Route) -> Json:
    return {
        "operationId": f"{route.noun}_{route.view.__name__}",
        "tags": [route.noun],
        "summary": route.says,
        **_description(route),
        "security": [{SCHEME: [each]} for each in route.needs] or [{SCHEME: []}],
        "parameters": list(parameters(route)),
        **({"requestBody": _body(route)} if route.body or route.upload else {}),
        "responses": {
            str(route.status): _success(route),
            **({"304": {"description": "It is what you have."}} if _is_conditional(route) else {}),
            **{str(s): {"$ref": f"#/components/responses/problem_{s}"} for s in refusals(route)},
        },
    }


def _description(route: Route) -> Json:
    said = [route.view.__doc__, FOR_PEOPLE if route.is_for_people else None]
    words = " ".join(each for each in said if each)
    return {"description": words} if words else {}


def _is_conditional(route: Route) -> bool:
    return route.method == "GET" and not route.download


def parameters(route: Route) -> Iterator[Json]:
    for name in route.names:
        schema = {**TEXT, "pattern": f"^{SLUG if name == 'tenant' else NAME}$"}
        yield {"name": name, "in": "path", "required": True, "schema": schema}
    if route.query:
        yield from _query(route.query)
    if _is_conditional(route):
        yield _header("If-None-Match", told("The ETag that you have."), TEXT)
    if route.is_named:
        schema = {**TEXT, "pattern": f"^{repeats.KEY_PATTERN}$"}
        yield _header(
            repeats.KEY, told("A name of your own: sent again, nothing is done again."), schema
        )
    if route.current:
        yield {
            **_header("If-Match", told("The ETag of what you read, or *."), TEXT),
            "required": route.method != "DELETE",
        }


def _header(name: str, description: str, schema: Json) -> Json:
    return {"name": name, "in": "header", "description": description, "schema": schema}


def _query(model: type[BaseModel]) -> Iterator[Json]:
    schema = model.model_json_schema()
    for name, field in schema["properties"].items():
        told = {key: value for key, value in field.items() if key not in ("title", "default")}
        sorts = [each for each in told.pop("anyOf", []) if each != {"type": "null"}]
        described = {"description": told.pop("description")} if "description" in told else {}
        required = name in schema.get("required", ())
        yield {
            "name": name,
            "in": "query",
            "required": required,
            **described,
            "schema": {**told, **(sorts[0] if sorts else {})},
        }


def _body(route: Route) -> Json:
    if route.upload:
        size = f"At most {route.upload.largest} bytes."
        content: Json = {each: {"schema": FILE} for each in route.upload.media_types}
        return {"required": True, "description": size, "content": content}
    assert route.body
    media = {"schema": {"$ref": f"#/components/schemas/{route.body.__name__}"}}
    return {"required": True, "content": {"application/json": media}}


def _success(route: Route) -> Json:
    if route.download:
        content = {each: {"schema": FILE} for each in route.download.media_types}
        return {"description": "The file.", "content": content}
    if route.answer is None:
        return {"description": "Done."}
    headers = ["ETag", *(["Location"] if route.status == 201 else [])]
    name = _schema_name(route.answer)
    return {
        "description": "Made." if route.status == 201 else "It.",
        "headers": {header: {"schema": TEXT} for header in headers},
        "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}},
    }


def refusals(route: Route) -> Iterator[int]:
    """In order."""
    is_sent = route.body or route.upload
    possible = {
        **dict.fromkeys((400, 401, 403, 404, 414, 422, 431, 503), True),
        **dict.fromkeys((408, 411, 413, 415), is_sent),
        409: not route.is_reading,
        412: route.current,
        428: route.current and route.method != "DELETE",
        429: route.method == "POST" and not route.is_reading,
    }
    yield from sorted(status for status, may_be in possible.items() if may_be)


def _refusal(status: int) -> Json:
    schema = {"$ref": "#/components/schemas/Problem"}
    told: Json = {"description": REFUSALS[status], "content": {MEDIA_TYPE: {"schema": schema}}}
    header = {401: "WWW-Authenticate", 429: "Retry-After", 503: "Retry-After"}.get(status)
    return {**told, "headers": {header: {"schema": TEXT}}} if header else told


def _schemas(routes: Sequence[Route]) -> Json:
    models: dict[Any, JsonSchemaMode] = {Problem: "serialization"}
    for route in routes:
        if route.body:
            models[route.body] = "validation"
        if route.answer:
            models[route.answer] = "serialization"
    template = "#/components/schemas/{model}"
    _, made = models_json_schema(list(models.items()), ref_template=template)
    schemas: Json = made["$defs"]
    return schemas


def _schema_name(model: type[BaseModel]) -> str:
    """As pydantic names it: `Listing[Person]` is `Listing_Person_`."""
    return re.sub(r"\W", "_", model.__name__)


def _scheme(settings: Settings, named: dict[str, str]) -> Json:
    token = f"{settings.issuer}/token"
    return {
        "type": "oauth2",
        "description": "Each permission is a scope. What a token may do is what it was given and"
        " what the roles behind it allow.",
        "flows": {
            "clientCredentials": {"tokenUrl": token, "scopes": named},
            "authorizationCode": {
                "authorizationUrl": f"{settings.issuer}/authorize",
                "tokenUrl": token,
                "scopes": named,
            },
        },
    }
