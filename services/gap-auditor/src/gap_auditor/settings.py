"""Settings of the gap auditor."""

from pydantic import Field

from candlelog.settings import ServiceSettings, service_config


class Settings(ServiceSettings):
    """Environment variables `CANDLELOG_*` and `GAP_AUDITOR_*`."""

    model_config = service_config("GAP_AUDITOR_")

    tick_seconds: float = Field(default=0.25, gt=0, le=10)
    """How often to look for events that another auditor has left in the outbox."""
