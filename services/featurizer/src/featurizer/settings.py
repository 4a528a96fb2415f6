"""Settings of the featurizer."""

from pathlib import Path
from typing import ClassVar

from pydantic import Field

from candlelog.log.compression import Compression
from candlelog.settings import ServiceSettings, service_config


class Settings(ServiceSettings):
    """Environment variables `CANDLELOG_*` and `FEATURIZER_*`."""

    model_config = service_config("FEATURIZER_")

    compression: ClassVar[Compression] = None  # batches of features come compressed

    feature_sets: Path | None = Field(default=None, validation_alias="CANDLELOG_FEATURE_SETS")
    """Folder of feature sets (`*.yaml`) besides `default`."""
    group: int = Field(default=500, ge=1, le=1000)
    """Events that are worked on together at most."""
    gather_seconds: float = Field(default=0.05, gt=0, le=5)
    """How long a group may wait for more events."""
    rows: int = Field(default=50_000, ge=1000)
    """Rows that are computed at once at most."""
    topic_epoch: int = Field(default=0, ge=0, lt=512)
    """To be raised when the topic `candles` is made anew, or with other partitions: offsets start
    over then, and of two rows the one computed from newer candles must win."""
