"""Settings of the status API."""

from pathlib import Path

from pydantic import Field, field_validator

from candlelog.settings import ServiceSettings, service_config


class Settings(ServiceSettings):
    """Own names carry `STATUS_API_`."""

    model_config = service_config("STATUS_API_")

    api_tokens: str = Field(default="", validation_alias="CANDLELOG_API_TOKENS")
    """Accepted tokens: `name:scope[,scope]:sha256`, separated by `;` or white space."""
    feature_sets: Path | None = Field(default=None, validation_alias="CANDLELOG_FEATURE_SETS")
    """Folder of further feature sets; without one, or empty, there is `default` alone."""
    sandbox: bool = False
    """Whether the exchanges behind this installation are stand-ins; shown in `/health`."""
    streams: int = Field(default=500, ge=1)
    """Live connections this replica serves at most."""

    @field_validator("feature_sets", mode="before")
    @classmethod
    def _empty_is_none(cls, value: object) -> object:
        return value or None
