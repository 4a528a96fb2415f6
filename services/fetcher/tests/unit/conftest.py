"""Time, for tests in which it passes."""

from datetime import datetime

import pytest

from candlelog.clock import SystemClock


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
