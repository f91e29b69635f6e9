"""Structured logs: one JSON line an event, on standard error, with no secret in it.

A line that can't be written, where the disk is full or nobody reads, is counted and no more:
whoever was about to be refused still is, and not failed.
"""

from __future__ import annotations

import logging
import sys
import threading
from typing import TextIO, cast

import structlog

from idp.measures import MEASURES
from idp.traces import TRACES


class _Answering(threading.local):
    """What the thread is answering; a request is answered by one thread."""

    request_id = ""


ANSWERING = _Answering()


class _Lines(threading.local):
    """A file, for those who write a line and flush it. Where Python keeps nothing to be flushed
    (PYTHONUNBUFFERED), it is the writing that fails."""

    _is_lost = False

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def write(self, text: str) -> int:
        try:
            return self._file.write(text)
        except OSError:
            self._is_lost = True
            return 0

    def flush(self) -> None:
        try:
            self._file.flush()
        except OSError:
            self._is_lost = True
        if self._is_lost:
            MEASURES.count("log_lines_lost")
            self._is_lost = False


def configure(level: str) -> None:
    """Once per process. Values are escaped by JSON, so no line can be forged (security.md S73);
    what libraries say goes the same way."""
    steps: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        _with_request,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    as_json = structlog.processors.JSONRenderer()
    lines = cast(TextIO, _Lines(sys.stderr))
    handler = logging.StreamHandler(lines)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=steps,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, as_json],
        )
    )
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("authlib").setLevel(logging.INFO)
    structlog.configure(
        processors=[*steps, as_json],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.WriteLoggerFactory(lines),
        cache_logger_on_first_use=True,
    )


def _with_request(
    _logger: object, _method: str, event: structlog.typing.EventDict
) -> structlog.typing.EventDict:
    """Whatever is said in the middle of a request says which, and in which trace."""
    if ANSWERING.request_id:
        event.setdefault("request_id", ANSWERING.request_id)
    if trace_id := TRACES.current_id():
        event["trace_id"] = trace_id
    return event
