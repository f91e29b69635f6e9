"""Histories of what never was."""

from __future__ import annotations

from itertools import count
from typing import Any

from chaos.evidence import Evidence
from chaos.history import FAIL, OK, UNKNOWN, Fault, History, Operation

NUMBERS = count(1)


def operation(start: float, end: float | None = None, outcome: str = OK, **said: Any) -> Operation:
    """It takes half a second, unless it says otherwise."""
    status = {OK: 200, FAIL: 400, UNKNOWN: 0}[outcome]
    about = {"number": next(NUMBERS), "user": 1, "kind": "forged", "node": "1", "due": start}
    about |= {"start": start, "end": end or start + 0.5, "outcome": outcome, "status": status}
    return Operation(**{**about, **said})


def seen(*operations: Operation, faults: tuple[Fault, ...] = (), **said: Any) -> Evidence:
    return Evidence(History(list(operations), list(faults)), **said)
