"""The management API under `/api/v1`: how a noun declares its routes.

A view is a function of an `Administration` (below `/tenants/<tenant>`) or an `Operation` (below
`/platform`), with the names in its path. What it takes and gives are its annotations: `query` and
`body` are `Sent`, the answer is a pydantic model, or None for an empty one. The document at
`/api/v1/openapi.json` is made of the same declarations, and so can't say anything else. A file is
sent as `data`, `Annotated` by an `Upload`, and answered as a Response `Annotated` by a `Download`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property, partial
from typing import Annotated, Any, Generic, TypeVar, get_type_hints

from flask import Blueprint, Response, request
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from idp.directory.acting import Administration, Forbidden, NotFound
from idp.directory.operating import Operation
from idp.errors import told
from idp.web.context import judge_afresh
from idp.web.manage import bearer, json_reading, repeats
from idp.web.manage.json_reading import Sent
from idp.web.manage.problems import PREFIX

TENANT = "/tenants/<tenant>"
PLATFORM = "/platform"
SLUG = r"[a-z][a-z0-9-]{1,62}"
LOCALE = r"^[a-z]{2,3}(-[A-Z]{2})?$"
NAME = r"[A-Za-z0-9][A-Za-z0-9._:@~-]{0,127}"

Needs = str | tuple[str, ...]
Read = Callable[..., Any]
View = TypeVar("View", bound=Callable[..., Any])
Item = TypeVar("Item")
Told = TypeVar("Told", bound="Answer")
Mark = TypeVar("Mark")


class Answer(BaseModel):
    """What is told; made from rows and tuples, of which it takes the declared fields alone, so that
    no secret comes along (security.md S82)."""

    model_config = ConfigDict(from_attributes=True, extra="ignore")


class Part(Sent):
    """Which part of a list. A cursor goes with what the list was narrowed to."""

    limit: int = Field(50, ge=1, le=100)
    cursor: str = Field("", max_length=4096, description=told("The `next` of the part before."))


class Listing(Answer, Generic[Item]):
    """`next` is the cursor of the next part, null at the end."""

    items: list[Item]
    next: str | None = None


def listed(model: type[Told], rows: Iterable[Any], following: str | None = None) -> Listing[Told]:
    """`following` is the cursor of the next part."""
    kind: type[Listing[Told]] = Listing[model]  # type: ignore[valid-type]
    return kind.model_validate({"items": list(rows), "next": following})


def _moment(at: float | datetime | None) -> datetime | None:
    return datetime.fromtimestamp(at, UTC) if isinstance(at, float | int) else at


Moment = Annotated[datetime, BeforeValidator(_moment)]


@dataclass(frozen=True)
class Upload:
    """A body that is a file: of which media types, and of how many bytes at most. `look` makes
    `data` of it, before the transaction, since that may take long; `check`, which gets the names
    in the path, says beforehand who may send it."""

    media_types: tuple[str, ...]
    largest: int
    check: Callable[..., object]
    look: Callable[[bytes], Any] = bytes


@dataclass(frozen=True)
class Download:
    """An answer that is a file, of one of these media types."""

    media_types: tuple[str, ...]


@dataclass(frozen=True)
class Route:
    """`path` follows the prefix. One of `needs` has to be held; none is any of the product's.
    `current` reads what a change is made to, for If-Match. `is_for_people` tells that its rule
    takes no program's token; `is_reading` that nothing is written, and no writer kept waiting."""

    noun: str
    method: str
    path: str
    says: str
    needs: tuple[str, ...]
    view: Callable[..., Any]
    status: int
    current: Read | None
    is_for_people: bool = False
    is_reading: bool = False

    @property
    def is_tenants(self) -> bool:
        return self.path.startswith(TENANT)

    @property
    def names(self) -> list[str]:
        return re.findall(r"<(\w+)>", self.path)

    @property
    def is_named(self) -> bool:
        """Whether it can be sent again under a name of its own, and is done once."""
        return self.method == "POST" and not self.download and not self.is_reading

    @cached_property
    def hints(self) -> dict[str, Any]:
        return get_type_hints(self.view, include_extras=True)

    @property
    def query(self) -> type[Sent] | None:
        return self.hints.get("query")

    @property
    def body(self) -> type[Sent] | None:
        return self.hints.get("body")

    @cached_property
    def upload(self) -> Upload | None:
        return _marked(self.hints.get("data"), Upload)

    @cached_property
    def download(self) -> Download | None:
        return _marked(self.hints["return"], Download)

    @cached_property
    def answer(self) -> Any:
        """The model, if it is one."""
        found = self.hints["return"]
        return None if found is type(None) or self.download else found


def _marked(hint: Any, kind: type[Mark]) -> Mark | None:
    """What the annotation is marked by."""
    marks = getattr(hint, "__metadata__", ())
    return next((each for each in marks if isinstance(each, kind)), None)


class Noun:
    """A noun's part of the API: `title` is for people."""

    def __init__(self, key: str, title: str) -> None:
        self.key = key
        self.title = title
        self.routes: list[Route] = []
        self.blueprint = Blueprint(f"api_{key}", __name__, url_prefix=PREFIX)
        self.blueprint.after_request(bearer.give_nonce)

    def get(self, path: str, says: str, needs: Needs) -> Callable[[View], View]:
        return partial(self._declare, "GET", path, says, needs, 200, None, is_reading=True)

    def post(
        self, path: str, says: str, needs: Needs, status: int = 201, *, is_for_people: bool = False
    ) -> Callable[[View], View]:
        """201 answers what was made, which has an `id`; 200 and 204 are for what is done."""
        declare = partial(self._declare, "POST", path, says, needs, status, None)
        return partial(declare, is_for_people=is_for_people)

    def ask(self, path: str, says: str, needs: Needs) -> Callable[[View], View]:
        """A question that takes a body, and changes nothing."""
        return partial(self._declare, "POST", path, says, needs, 200, None, is_reading=True)

    def put(self, path: str, says: str, needs: Needs, current: Read) -> Callable[[View], View]:
        """A change, answered by what it has become, in the same words as `current` reads it."""
        return partial(self._declare, "PUT", path, says, needs, 200, current)

    def patch(self, path: str, says: str, needs: Needs, current: Read) -> Callable[[View], View]:
        """The same, of the fields that are sent."""
        return partial(self._declare, "PATCH", path, says, needs, 200, current)

    def delete(
        self, path: str, says: str, needs: Needs, current: Read | None = None
    ) -> Callable[[View], View]:
        return partial(self._declare, "DELETE", path, says, needs, 204, current)

    def _declare(
        self,
        method: str,
        path: str,
        says: str,
        needs: Needs,
        status: int,
        current: Read | None,
        view: View,
        **more: bool,
    ) -> View:
        needed = (needs,) if isinstance(needs, str) else needs
        route = Route(self.key, method, path, says, needed, view, status, current, **more)
        self.routes.append(route)
        self.blueprint.add_url_rule(
            path,
            f"{method.lower()}_{view.__name__}",
            partial(_answer, route),
            methods=[method],
            provide_automatic_options=False,
        )
        return view


def _answer(route: Route, **names: str) -> Response:
    """Who it is, then whether they may, then what they sent: all as it is once that has arrived."""
    sent = _sent(route, names)
    data = route.upload.look(sent) if route.upload else None
    judge_afresh()
    with _enter(route, names) as admin:
        _check_needs(route, admin)
        given = {**names, **_read(route, sent, data)}
        current = partial(route.current, admin, **names) if route.current else None
        if current:
            repeats.check_is_unchanged(
                admin, lambda: _dumped(current()), is_demanded=route.method != "DELETE"
            )
        do = partial(_do, route, admin, given, current)
        return repeats.once(admin, do, sent) if route.is_named else do()


def _sent(route: Route, names: dict[str, str]) -> bytes:
    """A file is awaited from who may send it, so that nobody else makes us read it, or look."""
    if route.upload:
        own = dict(names)
        with _enter(route, own) as admin:
            _check_needs(route, admin)
            route.upload.check(admin, **own)
        request.max_content_length = route.upload.largest
    return request.get_data() if route.body or route.upload else b""


def _check_needs(route: Route, admin: Administration | Operation) -> None:
    if route.needs and not any(admin.may(permission) for permission in route.needs):
        raise Forbidden(f"{' or '.join(route.needs)} is missing")


def _enter(
    route: Route, names: dict[str, str]
) -> AbstractContextManager[Administration] | AbstractContextManager[Operation]:
    enter: Any = bearer.at_platform
    if route.is_tenants:
        enter = partial(bearer.at_tenant, names.pop("tenant"))
    entering = enter(is_reading=route.is_reading)
    if not all(re.fullmatch(NAME, name) for name in names.values()):
        raise NotFound("no name of ours has such characters")
    return entering  # type: ignore[no-any-return]


def _read(route: Route, sent: bytes, data: Any) -> dict[str, Any]:
    query = json_reading.query(route.query or Sent, request.args.items(multi=True))
    read: dict[str, Any] = {"query": query} if route.query else {}
    if route.body:
        read["body"] = json_reading.body(route.body, sent, request.mimetype)
    if route.upload:
        json_reading.check_media_type(request.mimetype, route.upload.media_types)
        read["data"] = data
    return read


def _do(
    route: Route,
    admin: Administration | Operation,
    given: dict[str, Any],
    current: Callable[[], BaseModel] | None,
) -> Response:
    """The ETag is of what is read at the address, also where a change is answered by more."""
    answer = route.view(admin, **given)
    if answer is None:
        return Response(status=route.status)
    if isinstance(answer, Response):
        return answer
    body = _dumped(answer)
    response = Response(body, route.status, mimetype=json_reading.MEDIA_TYPE)
    response.headers["ETag"] = repeats.tag_of(_dumped(current()) if current else body)
    if route.status == 201:
        response.headers["Location"] = f"{request.path}/{answer.id}"
    if route.method == "GET":
        response.make_conditional(request)
    return response


def _dumped(answer: BaseModel) -> bytes:
    return answer.model_dump_json().encode()
