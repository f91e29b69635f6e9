"""What an audit event's detail says, put so that people can read it: changes, and the rest."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from flask_babel import gettext as _

CHANGES = {"before", "after", "fields", "changes"}


class Change(NamedTuple):
    """`of` names what was changed, where one event tells of several; texts are for people."""

    of: str
    field: str
    before: str
    after: str


def changes(detail: Mapping[str, Any]) -> list[Change]:
    """Fields that differ. An event tells of them as `before` and `after`, or as `fields` with
    pairs of both, or as `changes` with such `fields` of several things."""
    found = list(_of_states(detail.get("before"), detail.get("after")))
    found += _of_fields("", detail.get("fields"))
    for change in _list(detail.get("changes")):
        if isinstance(change, dict):
            name = " ".join(text(change.get(key)) for key in ("kind", "name") if change.get(key))
            found += list(_of_fields(name, change.get("fields"))) or [
                Change(name, "", "", text(change.get("action")))
            ]
    return found


def facts(detail: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(name, text(value)) for name, value in detail.items() if name not in CHANGES]


def text(value: Any) -> str:
    if value is None or value in ("", [], {}):
        return ""
    if isinstance(value, bool):
        return str(_("Yes") if value else _("No"))
    if isinstance(value, list) and not any(isinstance(each, list | dict) for each in value):
        return ", ".join(map(text, value))
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False, indent=2)
    return str(value)


def _of_states(before: Any, after: Any) -> Iterator[Change]:
    if not isinstance(before, dict) and not isinstance(after, dict):
        if before or after:
            yield Change("", "", text(before), text(after))
        return
    was, is_now = (each if isinstance(each, dict) else {} for each in (before, after))
    for name in {**was, **is_now}:
        if was.get(name) != is_now.get(name):
            yield Change("", name, text(was.get(name)), text(is_now.get(name)))


def _of_fields(name: str, fields: Any) -> Iterator[Change]:
    """Each is a pair, or what something new was made as."""
    if not isinstance(fields, dict):
        return
    for field, told in fields.items():
        pair = told if isinstance(told, list) and len(told) == 2 else [None, told]
        yield Change(name, field, text(pair[0]), text(pair[1]))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
