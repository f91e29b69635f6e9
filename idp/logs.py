"""Structured logs: one JSON line an event, on standard error, with no secret in it."""

from __future__ import annotations

import logging
import sys

import structlog


def configure(level: str) -> None:
    """Once per process. Values are escaped by JSON, so no line can be forged (security.md S73);
    what libraries say goes the same way."""
    steps: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
    ]
    as_json = structlog.processors.JSONRenderer()
    handler = logging.StreamHandler(sys.stderr)
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
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
