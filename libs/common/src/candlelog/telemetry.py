"""Logs, metric names and trace context."""

import logging
import sys
from typing import Final

import structlog
from opentelemetry import context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from prometheus_client import Counter, Gauge, Histogram

RECORDS_HANDLED: Final = Counter(
    "candlelog_records_handled_total", "Records handled, by outcome.", ["topic", "outcome"]
)
HANDLE_SECONDS: Final = Histogram(
    "candlelog_handle_seconds", "Time a handler took for one call.", ["topic"]
)
CONSUMER_LAG: Final = Gauge(
    "candlelog_consumer_lag", "Records between the position and the end.", ["topic", "partition"]
)
RECORDS_PUBLISHED: Final = Counter(
    "candlelog_records_published_total", "Records acknowledged by the log.", ["topic"]
)
DEAD_LETTERS: Final = Counter(
    "candlelog_dead_letters_total", "Records given up, by topic of origin.", ["topic"]
)
OUTAGES: Final = Counter(
    "candlelog_outages_total", "Times the log or a store was found away.", ["service"]
)
HTTP_SECONDS: Final = Histogram(
    "candlelog_http_seconds", "Time until an answer began.", ["method", "route", "status"]
)
LIVE_CLIENTS: Final = Gauge("candlelog_live_clients", "Open SSE and WebSocket connections.")

_PROPAGATOR: Final = TraceContextTextMapPropagator()


def configure_logging(service: str, instance: str) -> None:
    """One event a line on stderr: JSON, or readable when it is a terminal."""
    terminal = sys.stderr.isatty()
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer() if terminal else structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(service=service, instance=instance)
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
    # While a broker is away it repeats itself many times a second; our own events say it once.
    logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


def current_traceparent() -> str | None:
    """The W3C trace context of the running task, if there is one."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier)
    return carrier.get("traceparent")


def context_of(traceparent: str | None) -> context.Context:
    """The context a record was written in."""
    return _PROPAGATOR.extract({} if traceparent is None else {"traceparent": traceparent})
