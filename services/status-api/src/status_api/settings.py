"""Settings of the status API."""

from pydantic import Field

from candlelog.settings import ServiceSettings, service_config


class Settings(ServiceSettings):
    """Own names carry `STATUS_API_`."""

    model_config = service_config("STATUS_API_")

    api_tokens: str = Field(default="", validation_alias="CANDLELOG_API_TOKENS")
    """Accepted tokens: `name:scope[,scope]:sha256`, separated by `;` or white space."""
    sandbox: bool = False
    """Whether the exchanges behind this installation are stand-ins; shown in `/health`."""
    streams: int = Field(default=500, ge=1)
    """Live connections this replica serves at most."""
