"""Time, for tests in which it passes, and real files."""

import os
from datetime import datetime
from pathlib import Path

import pytest

from candlelog.clock import SystemClock

REAL_DATA = Path(os.environ.get("CANDLELOG_REAL_DATA", Path(__file__).parents[5] / "shared/data"))


class _MidMinute(SystemClock):
    """Runs like the machine's clock, and stood ten seconds into a minute when it was made.

    Around the edge of a minute nothing is granted for a moment, which a test would wait for.
    """

    def __init__(self) -> None:
        now = super().now()
        self._ahead = now.replace(second=10, microsecond=0) - now

    def now(self) -> datetime:
        return super().now() + self._ahead


@pytest.fixture
def clock() -> SystemClock:
    """The clock of a test: far from the next minute."""
    return _MidMinute()


@pytest.fixture
def real_data() -> Path:
    """The folder of real files."""
    if not REAL_DATA.is_dir():
        pytest.skip(f"no real market data in {REAL_DATA} (CANDLELOG_REAL_DATA)")
    return REAL_DATA
