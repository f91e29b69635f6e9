"""Where the time of a request goes: spans, sent to a collector by OTLP (`LATCHKEY_TRACES`).

A span tells what we did and how long it took, and nothing that anybody sent: neither its name nor
an attribute nor an event of it is ever made of a query, a body, a path, a header or the words of an
exception (security.md S73). Where nobody traces, nothing of OpenTelemetry is loaded.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from idp.errors import SetupMistake

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor

OFF = ""
OWN = "own"  # every trace begins here
JOINED = "joined"  # a trusted proxy's goes on here
WAYS = (OFF, OWN, JOINED)
FLUSH_SECONDS = 3.0  # that a process takes at its end to send what is left
NOTHING: AbstractContextManager[None] = nullcontext()
Attributes = Mapping[str, str | int]


class Traces:
    """Off until they begin."""

    def __init__(self) -> None:
        self._provider: Any = None
        self._tracer: Any = None

    @property
    def are_on(self) -> bool:
        return self._tracer is not None

    def begin(self, processor: SpanProcessor | None = None) -> None:
        """In this process, which must not fork any more: spans wait in a queue of bounded length
        for a thread that sends them, and what finds no room is dropped. The SDK reads its own
        settings, `OTEL_…`. Raises SetupMistake."""
        from opentelemetry import trace

        processor = processor or _sending()
        from opentelemetry.sdk.trace import TracerProvider

        self._provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
        self._provider.add_span_processor(processor)
        self._tracer = self._provider.get_tracer("latchkey")
        self._api: Any = trace

    def end(self) -> None:
        """Send what is left. A collector that hangs is not waited for."""
        if self._provider is None:
            return
        last = threading.Thread(target=self._provider.shutdown, daemon=True)
        last.start()
        last.join(FLUSH_SECONDS)

    def part(self, name: str, attributes: Attributes) -> AbstractContextManager[Any]:
        """A span within the one that this thread is in; none outside of one, where a worker looks
        for work several times a second. What is yielded takes further attributes, None none."""
        if self._tracer is None or not self._api.get_current_span().is_recording():
            return NOTHING
        return self._span(name, self._api.SpanKind.CLIENT, attributes)

    def errand(self, name: str, attributes: Attributes) -> AbstractContextManager[Any]:
        """A trace of its own: what no request asked for."""
        if self._tracer is None:
            return NOTHING
        return self._span(name, self._api.SpanKind.INTERNAL, attributes)

    def request(self, name: str, traceparent: str | None) -> AbstractContextManager[Any]:
        """Of the trace that a `traceparent` names (W3C Trace Context), or a trace of its own. Of
        `tracestate`, which is anybody's words, nothing is taken."""
        return self._span(name, self._api.SpanKind.SERVER, {}, _context_of(traceparent))

    def current_id(self) -> str:
        """Of the trace that this thread is in: 32 hexadecimal characters, or nothing."""
        if self._tracer is None:
            return ""
        context = self._api.get_current_span().get_span_context()
        return format(context.trace_id, "032x") if context.is_valid else ""

    @contextmanager
    def _span(
        self, name: str, kind: Any, attributes: Attributes, context: Any = None
    ) -> Iterator[Any]:
        with self._tracer.start_as_current_span(
            name,
            context,
            kind,
            attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield span
            except BaseException as problem:
                self.tell_fault(span, type(problem).__qualname__)
                raise

    def tell_fault(self, span: Any, kind: str) -> None:
        span.set_attribute("error.type", kind)
        span.set_status(self._api.StatusCode.ERROR)


def check() -> None:
    """That they could begin, without a thread of theirs. Raises SetupMistake."""
    _exporter().shutdown()


def _sending() -> SpanProcessor:
    exporter = _exporter()
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    return BatchSpanProcessor(exporter)


def _exporter() -> Any:
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    except ImportError:
        raise SetupMistake(
            "LATCHKEY_TRACES needs OpenTelemetry's libraries: pip install 'latchkey[traces]'."
        ) from None
    return OTLPSpanExporter()


def _resource() -> Any:
    """Who we are: `OTEL_SERVICE_NAME` and `OTEL_RESOURCE_ATTRIBUTES` have the last word."""
    from opentelemetry.sdk.resources import OTELResourceDetector, Resource

    own = Resource(
        {
            "service.name": "latchkey",
            "service.version": version("latchkey"),
            "process.pid": os.getpid(),
        }
    )
    return own.merge(OTELResourceDetector().detect())


def _context_of(traceparent: str | None) -> Any:
    from opentelemetry.context import Context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    told = {"traceparent": traceparent} if traceparent else {}
    return TraceContextTextMapPropagator().extract(told, Context())


TRACES = Traces()
