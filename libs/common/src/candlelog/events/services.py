"""How the services are."""

from typing import ClassVar, Literal

from pydantic import AwareDatetime, Field

from candlelog.events.event import Event


class ServiceReportedV1(Event):
    """Heartbeat of one process; older than three intervals means it is down."""

    ce_type: ClassVar[str] = "candlelog.services.reported.v1"
    topic: ClassVar[str] = "services"

    service: str
    instance: str
    version: str
    state: Literal["healthy", "degraded"]
    detail: str | None = None
    lag: int = Field(ge=0)
    """Records between what the process has handled and the end of its partitions."""
    interval_seconds: float = Field(gt=0)
    started_at: AwareDatetime
    reported_at: AwareDatetime

    @property
    def key(self) -> str:
        """Service and instance."""
        return f"{self.service}|{self.instance}"
