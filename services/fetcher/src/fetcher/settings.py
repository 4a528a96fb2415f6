"""What the fetcher is told."""

from pydantic import Field, field_validator

from candlelog.settings import ArchiveSettings, parse_pairs, service_config


class Settings(ArchiveSettings):
    """Settings of the fetcher: `FETCHER_…`, and the shared ones of `CANDLELOG_…`."""

    model_config = service_config("FETCHER_")

    exchange_urls: str = Field(default="", validation_alias="CANDLELOG_EXCHANGE_URLS")
    """Other addresses of venues, `name=http://host:port,…`; the adapter adds the path."""
    egress: str = Field(
        default="default", pattern=r"^[^|]{1,64}$", validation_alias="CANDLELOG_EGRESS"
    )
    """Name of this worker's outgoing address: workers of one name share a budget."""
    concurrency: int = Field(default=32, ge=1, le=1000)
    """Requests on their way at once."""
    budget_ceiling: float | None = Field(default=None, ge=60)
    """Weight per window to stay within; only lowers what a venue allows."""

    @field_validator("exchange_urls")
    @classmethod
    def _readable(cls, text: str) -> str:
        parse_pairs(text)
        return text

    @property
    def origins(self) -> dict[str, str]:
        """The other addresses of venues, by exchange."""
        return parse_pairs(self.exchange_urls)
