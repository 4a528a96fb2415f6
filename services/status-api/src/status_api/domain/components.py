"""How the system is, from what its processes report and what its stores answer."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal

from candlelog.events.codec import Message
from candlelog.events.services import ServiceReportedV1

State = Literal["healthy", "degraded", "down"]

SERVICES: Final = (
    "coordinator",
    "fetcher",
    "clickhouse-sink",
    "featurizer",
    "gap-auditor",
    "status-api",
)
POSTGRES: Final = "postgres"
CLICKHOUSE: Final = "clickhouse"
STORES: Final = (POSTGRES, CLICKHOUSE)
_SILENT_INTERVALS: Final = 3
_FORGOTTEN_AFTER: Final = timedelta(minutes=10)
_REMEMBERED: Final = 1000
"""More processes than ever run at once; every start of one is a process of its own."""
_FAILING_RATE: Final = 0.1
_ENDED: Final = ("completed", "completed_with_errors", "failed")


@dataclass(frozen=True, slots=True)
class Component:
    """A service or a store; `instances` counts those that were heard of lately."""

    name: str
    state: State
    detail: str | None = None
    instances: int | None = None
    lag: int | None = None


@dataclass(slots=True)
class Reports:
    """The newest report of each process; fed in log order."""

    newest: dict[str, ServiceReportedV1] = field(default_factory=dict[str, ServiceReportedV1])

    def read(self, event: Message) -> None:
        """Take one event of `services` in."""
        if isinstance(event, ServiceReportedV1):
            self.newest.pop(event.key, None)
            self.newest[event.key] = event  # behind all that were heard of before
            if len(self.newest) > _REMEMBERED:
                del self.newest[next(iter(self.newest))]

    def components(self, now: datetime) -> list[Component]:
        """The services that must run, and whatever else was heard of lately."""
        reports = self.newest.values()
        heard = [each for each in reports if now - each.reported_at < _FORGOTTEN_AFTER]
        names = dict.fromkeys([*SERVICES, *(each.service for each in heard)])
        return [
            _component(name, [each for each in heard if each.service == name], now)
            for name in names
        ]


def _component(name: str, heard: Iterable[ServiceReportedV1], now: datetime) -> Component:
    alive = [each for each in heard if not _silent(each, now)]
    if not alive:
        return Component(name, "down", "no heartbeat", instances=0)
    lag = sum(each.lag for each in alive)
    troubles = [each.detail or "degraded" for each in alive if each.state == "degraded"]
    state: State = "degraded" if troubles else "healthy"
    detail = "; ".join(dict.fromkeys(troubles)) or None  # several may say the same
    return Component(name, state, detail, len(alive), lag)


def _silent(report: ServiceReportedV1, now: datetime) -> bool:
    return (now - report.reported_at).total_seconds() > _SILENT_INTERVALS * report.interval_seconds


def failure_rate(states: Mapping[str, int]) -> float | None:
    """Failed jobs over those that ended; None where none did."""
    ended = sum(states.get(state, 0) for state in _ENDED)
    return round(states.get("failed", 0) / ended, 4) if ended else None


def overall(components: Iterable[Component], rate: float | None) -> State:
    """Down when a store is; degraded when anything is not well, or one job in ten fails."""
    found = list(components)
    if any(each.state == "down" and each.name in STORES for each in found):
        return "down"
    failing = rate is not None and rate >= _FAILING_RATE
    unwell = any(each.state != "healthy" for each in found)
    return "degraded" if failing or unwell else "healthy"
