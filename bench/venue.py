"""The venue at its limit, against which several measurements work."""

from datetime import UTC, datetime

CAPACITY = 6000
"""Weight a minute."""
LATENCY_MS = 50
MINUTE_MS = 60_000
KLINES, KLINES_WEIGHT = "/api/v3/klines", 2
SYMBOLS = [f"GEN{number:03d}/USDT" for number in range(1, 501)]
START = datetime(2019, 1, 1, tzinfo=UTC)


def limits(capacity: int = CAPACITY) -> tuple[str, ...]:
    """Flags of a sandbox that allows so much and answers as late as one far away."""
    return ("--capacity", str(capacity), "--latency-ms", str(LATENCY_MS))
