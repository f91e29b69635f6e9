"""Structured logs: one JSON line an event, on standard error, with no secret in it."""

from __future__ import annotations

import logging
import sys

import structlog


def configure(level: str) -> None:
    """Once per process. Values are escaped by JSON, so no line can be forged (security.md S73)."""
    logging.basicConfig(level=level, stream=sys.stderr, format="%(message)s")
    logging.getLogger("authlib").setLevel(logging.INFO)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
