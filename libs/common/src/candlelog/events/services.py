"""How the services are."""

from typing import ClassVar, Literal

from pydantic import Field

from candlelog.events.event import Event
from candlelog.events.fields import Count, Text, Time


class ServiceReportedV1(Event):
    """Heartbeat of one process; older than three intervals means it is down."""

    ce_type: ClassVar[str] = "candlelog.services.reported.v1"
    topic: ClassVar[str] = "services"

    service: Text
    instance: Text
    version: Text
    state: Literal["healthy", "degraded"]
    detail: Text | None = None
    lag: Count
    """Records between what the process has handled and the end of its partitions."""
    interval_seconds: float = Field(gt=0, allow_inf_nan=False)
    started_at: Time
    reported_at: Time

    @property
    def key(self) -> str:
        """Service and instance."""
        return f"{self.service}|{self.instance}"
