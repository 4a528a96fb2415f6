"""What the sink is told by its environment."""

from pydantic import Field

from candlelog.settings import ServiceSettings, service_config


class Settings(ServiceSettings):
    """Settings of the sink; own names begin with `CLICKHOUSE_SINK_`."""

    model_config = service_config("CLICKHOUSE_SINK_")

    batch: int = Field(default=128, ge=1, le=200)
    """Messages of one flush at most."""
    flush_rows: int = Field(default=200_000, ge=1)
    """Rows of one insert at most."""
    watermark_seconds: float = Field(default=5.0, gt=0)
    """How often the watermarks are said again."""
