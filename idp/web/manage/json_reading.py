"""What was sent to the API, read strictly: JSON that has one meaning, then exactly the declared
fields. What was sent is never in an answer."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from idp.directory.acting import Mistake
from idp.errors import PageRefusal, told

NO_SUCH_FIELD = told("There is no such field.")
NEEDED = told("This field is needed.")
SENTENCES = {"extra_forbidden": NO_SUCH_FIELD, "missing": NEEDED}
MEDIA_TYPE = "application/json"
_NAME = re.compile(r"[A-Za-z_][\w.-]{0,63}")


class Sent(BaseModel):
    """A body or a query: unknown fields are refused (security.md S78), and nothing is guessed from
    another type. Each body carries an `example`, which the documentation shows."""

    model_config = ConfigDict(
        extra="forbid", strict=True, allow_inf_nan=False, hide_input_in_errors=True
    )
    example: ClassVar[dict[str, Any]] = {}


Model = TypeVar("Model", bound=Sent)


def body(model: type[Model], raw: bytes, media_type: str) -> Model:
    """Raises PageRefusal (400, 415) for what is no JSON, Mistake (422) for other fields."""
    check_media_type(media_type, (MEDIA_TYPE,))
    _check_has_one_meaning(raw)
    try:
        return model.model_validate_json(raw)
    except ValidationError as problem:
        raise _mistake(problem) from None


def check_media_type(media_type: str, expected: Iterable[str]) -> None:
    """Raises PageRefusal (415)."""
    if media_type not in expected:
        raise PageRefusal(
            "unsupported_media_type",
            told("Send a body of a media type that this address takes."),
            f"{media_type!a}",
            415,
        )


def query(model: type[Model], sent: Iterable[tuple[str, str]]) -> Model:
    """Each parameter at most once. Raises PageRefusal and Mistake."""
    try:
        return model.model_validate_strings(_once(list(sent)))
    except ValidationError as problem:
        raise _mistake(problem) from None


def _check_has_one_meaning(raw: bytes) -> None:
    """No name twice, no number that is none, no null character, no half of a character."""
    try:
        read = json.loads(raw.decode(), object_pairs_hook=_once, parse_constant=_no_number)
        _check_texts(read)
    except (ValueError, RecursionError) as problem:
        raise _unreadable(type(problem).__name__) from None


def _once(pairs: list[tuple[str, Any]]) -> Mapping[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise _unreadable("a name twice")
    return found


def _no_number(_text: str) -> None:
    raise _unreadable("NaN or Infinity")


def _check_texts(value: Any) -> None:
    if isinstance(value, str):
        value.encode()  # a lone surrogate raises UnicodeEncodeError
        if "\x00" in value:
            raise _unreadable("a null character")
    elif isinstance(value, dict):
        _check_texts([*value, *value.values()])
    elif isinstance(value, list):
        for each in value:
            _check_texts(each)


def _unreadable(detail: str) -> PageRefusal:
    return PageRefusal("invalid_request", told("The request can't be read."), detail)


def _mistake(problem: ValidationError) -> Mistake:
    errors = {}
    for error in problem.errors(include_input=False, include_context=False, include_url=False):
        name = ".".join(str(part) for part in error["loc"])
        sentence = SENTENCES.get(error["type"], error["msg"])
        errors[name if _NAME.fullmatch(name) else "body"] = sentence
    return Mistake(**errors)
