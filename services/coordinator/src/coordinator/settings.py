"""Settings of the coordinator."""

from pydantic import Field

from candlelog.settings import ArchiveSettings, service_config


class Settings(ArchiveSettings):
    """Environment variables `CANDLELOG_*` and `COORDINATOR_*`."""

    model_config = service_config("COORDINATOR_")

    tick_seconds: float = Field(default=0.25, gt=0, le=10)
    """How often to look for leases that ended and for what another coordinator left."""
