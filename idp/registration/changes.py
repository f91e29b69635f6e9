"""What applying a set-up file changes, told field by field. Secrets are told of, never told."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

NOTHING = "nothing"
LONG = 72


@dataclass(frozen=True, slots=True)
class Change:
    """`fields` maps a field to what it was and what it is; in something new it was None."""

    kind: str
    name: str
    action: Literal["create", "update"]
    fields: Mapping[str, tuple[Any, Any]]

    def __str__(self) -> str:
        sign = "+" if self.action == "create" else "~"
        lines = [f"{sign} {self.kind} {self.name}"]
        for name, (before, after) in self.fields.items():
            if self.action == "update":
                lines.append(f"    {name}: {_difference(before, after)}")
            elif not _is_nothing(after):
                lines.append(f"    {name}:{_whole(after)}")
        return "\n".join(lines)

    def as_json(self) -> dict[str, Any]:
        """For the audit log."""
        fields = {name: list(pair) for name, pair in self.fields.items()}
        return {"kind": self.kind, "name": self.name, "action": self.action, "fields": fields}


def fields_of(changes: Iterable[Change]) -> dict[str, Any]:
    """Of what was changed together, for the audit log."""
    return {name: pair for each in changes for name, pair in each.as_json()["fields"].items()}


def clients_of(changes: Iterable[Change]) -> list[str] | None:
    """Ids of the clients that read otherwise now, None where any may: a company's status says
    whether its own are there, and a node that leaves a tree is nobody's any more."""
    told = list(changes)
    if any(_may_be_of_any(each) for each in told):
        return None
    return [each.name for each in told if each.kind == "client"]


def _may_be_of_any(change: Change) -> bool:
    return change.kind == "tenant" or (change.kind == "product" and "permissions" in change.fields)


@dataclass(frozen=True, slots=True)
class Applied:
    """`secrets` maps a client to the secret that was made for it and is kept nowhere: to be shown
    once. It stays out of any `repr`."""

    changes: list[Change]
    secrets: dict[str, str] = field(repr=False)


@dataclass(slots=True)
class Edit:
    """The changes to one row, while they are made."""

    kind: str
    name: str
    row: Any
    is_new: bool
    fields: dict[str, tuple[Any, Any]] = field(default_factory=dict)

    def set(self, column: str, value: Any) -> None:
        """Set a column that is called the same in the file."""
        self.note(column, None if self.is_new else getattr(self.row, column), value)
        setattr(self.row, column, value)

    def note(self, name: str, before: Any, after: Any) -> None:
        """Tell of a change that is made elsewhere."""
        if self.is_new or before != after:
            self.fields[name] = (before, after)

    def changes(self) -> list[Change]:
        if not self.is_new and not self.fields:
            return []
        return [Change(self.kind, self.name, "create" if self.is_new else "update", self.fields)]


def _difference(before: Any, after: Any) -> str:
    if isinstance(before, list) and isinstance(after, list):
        gone = [f"-{_told(each)}" for each in before if each not in after]
        come = [f"+{_told(each)}" for each in after if each not in before]
        return "  ".join(gone + come) or f"in this order: {_told(after)}"
    return f"{_told(before)} → {_told(after)}"


def _whole(value: Any) -> str:
    """A long list takes a line for each."""
    told = _told(value)
    if isinstance(value, list) and len(told) > LONG:
        return "".join(f"\n        {_told(each)}" for each in value)
    return f" {told}"


def _told(value: Any) -> str:
    if _is_nothing(value):
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(_told(each) for each in value)
    if isinstance(value, dict):
        return ", ".join(f"{name} {_told(each)}" for name, each in value.items())
    return str(value)


def _is_nothing(value: Any) -> bool:
    return value is None or value in ("", [], {})
