"""Settings of the coordinator."""

from pydantic import Field, field_validator

from candlelog.settings import ServiceSettings, parse_pairs, service_config


class Settings(ServiceSettings):
    """Environment variables `CANDLELOG_*` and `COORDINATOR_*`."""

    model_config = service_config("COORDINATOR_")

    archives: str = Field(default="", validation_alias="CANDLELOG_ARCHIVES")
    """Where archives are, `name=folder_or_address,…`."""
    tick_seconds: float = Field(default=0.25, gt=0, le=10)
    """How often to look for leases that ended and for what another coordinator left."""

    @field_validator("archives")
    @classmethod
    def _readable(cls, text: str) -> str:
        parse_pairs(text)
        return text

    @property
    def archive_roots(self) -> dict[str, str]:
        """Where archives are, by name."""
        return parse_pairs(self.archives)
