"""Disks that are full: what needs room is put off, and nobody fails for want of a log."""

from __future__ import annotations

import logging
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from typing import TextIO, cast

import pytest
import structlog

from idp import logs
from idp.operators import evidence
from idp.web.manage import audit_evidence
from tests.console.calling import platforms_machine
from tests.console.operations import operator, send
from tests.console.test_api import is_problem
from tests.console.test_api_nouns import told
from tests.flows.test_metrics import figures, of
from tests.world import World

FULL = Path("/dev/full")
NORTHWIND = "/platform/tenants/northwind"


def test_a_line_that_finds_no_room_is_counted_and_fails_nobody(world: World) -> None:
    for before, buffering in ((0, -1), (4, 0)):
        file = TextIOWrapper(FULL.open("wb", buffering), write_through=not buffering)
        lines = cast(TextIO, logs._Lines(file))
        for number in range(3):
            structlog.WriteLogger(lines).msg("x" * 5000 * number)
        assert of(figures(world), "log_lines_lost_total") == before + 3
        logging.StreamHandler(lines).handle(logging.makeLogRecord({"msg": "from a library"}))
        assert of(figures(world), "log_lines_lost_total") == before + 4
        with suppress(OSError):
            file.close()


def test_a_file_that_finds_no_room_is_put_off(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    caller, browser = platforms_machine(world), operator(world)
    told(caller.post(f"{NORTHWIND}/end", {"confirm": "northwind"}))
    for module in (evidence, audit_evidence):
        monkeypatch.setattr(module, "TemporaryFile", lambda: FULL.open("w+b", buffering=0))
    page = "/operate/tenants/northwind"
    for answer in (
        caller.get("/platform/audit-evidence"),
        caller.post(f"{NORTHWIND}/evidence"),
        send(browser, f"{page}/evidence", page=page),
    ):
        assert answer.status_code == 503, answer.text
        assert answer.headers["Retry-After"]
    assert not world.audit("tenant.evidence_taken")
    is_problem(caller.get("/platform/audit-evidence"), 503)
