"""Traces, metrics and logs of a process, set up once by `configure`.

Owns: the tracer (W3C trace context, exporters off unless `CAIRN_OTLP` is set), the Prometheus registry's bridge to OpenTelemetry's
metrics, the JSON log. A service's own numbers are plain `prometheus_client` metrics in the same registry.
Must not: let through anything of a student's. A log line holds chosen facts; an exception is told by its type and where it
was raised, never by its message, because messages of drivers and parsers quote values.
"""

from __future__ import annotations

import json
import logging
import sys
import traceback
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, TextIO

from opentelemetry import metrics, propagate, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, Span, SpanKind
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from services.chassis.settings import ServiceSettings

# A span of a batch links to the traces of its events, up to this many: the SDK drops links beyond 128, silently.
MOST_LINKS = 128
# A message is one line of ours. asyncio and drivers append lines that quote values, so nothing after a line break is kept.
LONGEST_MESSAGE = 500

_CONTEXT = TraceContextTextMapPropagator()
_tracer = trace.get_tracer("cairn")


def configure(process: str, settings: ServiceSettings, *, stream: TextIO | None = None) -> None:
    """Set up logs, traces and metrics of this process, e.g. `evidence.work`. Providers are set the first time only."""
    configure_logs(process, settings.log_level, stream)
    if isinstance(trace.get_tracer_provider(), TracerProvider):
        return
    resource = Resource.create({"service.name": f"cairn.{process}"})
    provider = TracerProvider(resource=resource)
    if settings.otlp:
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=settings.otlp)))
    trace.set_tracer_provider(provider)
    metrics.set_meter_provider(MeterProvider(resource=resource, metric_readers=[PrometheusMetricReader()]))
    propagate.set_global_textmap(_CONTEXT)  # the default also carries baggage: anything that a client cares to put there


def configure_logs(process: str, level: str, stream: TextIO | None = None) -> None:
    """One JSON object a line on `stream` (standard error when None), for our loggers and every library's."""
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines(process))
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for noisy in ("aiokafka", "httpx", "faststream"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def traceparent() -> str | None:
    """The current span as a W3C `traceparent`, or None outside any trace."""
    carrier: dict[str, str] = {}
    _CONTEXT.inject(carrier)
    return carrier.get("traceparent")


@contextmanager
def span(name: str, *, linked: Iterable[str | None] = (), kind: SpanKind = SpanKind.INTERNAL, **facts: str | int) -> Iterator[Span]:
    """A span around a piece of work. `linked` are the `traceparent`s of the events in a batch (a batch has many parents)."""
    with _tracer.start_as_current_span(
        name, kind=kind, links=_links(linked), attributes=facts, record_exception=False, set_status_on_exception=True
    ) as current:
        yield current


@contextmanager
def continued(parent: str | None, name: str, *, kind: SpanKind = SpanKind.INTERNAL, **facts: str | int) -> Iterator[Span]:
    """A span whose parent is another process's `traceparent`: for the work that one event causes."""
    context = _CONTEXT.extract({"traceparent": parent}) if parent else None
    with _tracer.start_as_current_span(name, context=context, kind=kind, attributes=facts, record_exception=False) as current:
        yield current


def _links(parents: Iterable[str | None]) -> list[Link]:
    links: list[Link] = []
    for parent in dict.fromkeys(parents):
        context = trace.get_current_span(_CONTEXT.extract({"traceparent": parent})).get_span_context() if parent else None
        if context is not None and context.is_valid:
            links.append(Link(context))
        if len(links) == MOST_LINKS:
            break
    return links


class JsonLines(logging.Formatter):
    """A record as one JSON object: time, level, process, logger, message, trace ids, the facts given as `extra`."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self.process = process

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "process": self.process,
            "logger": record.name,
            "message": first_line(record.getMessage()),
        }
        context = trace.get_current_span().get_span_context()
        if context.is_valid:
            line |= {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}
        line |= {name: value for name, value in record.__dict__.items() if name not in _STANDARD}
        if record.exc_info and record.exc_info[1] is not None:
            line |= {"exception": type(record.exc_info[1]).__qualname__, "where": frames(record.exc_info[2])}
        return json.dumps(line, default=_type_only, ensure_ascii=False)


# Attributes that every log record has: whatever else it carries was given as `extra`.
_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "color_message", "taskName"}


def first_line(message: str) -> str:
    """The first line of a message, cut to a bounded length."""
    return message.partition("\n")[0][:LONGEST_MESSAGE]


def frames(stack: TracebackType | None) -> list[str]:
    """Where an exception was raised, innermost last: file, line and function, no source text and no values."""
    return [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(stack)[-12:]]


def _type_only(value: object) -> str:
    return f"<{type(value).__qualname__}>"
