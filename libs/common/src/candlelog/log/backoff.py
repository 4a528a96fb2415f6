"""How long to wait before an attempt is made again."""

from random import Random
from typing import Final

FIRST_SECONDS: Final = 0.2
LONGEST_SECONDS: Final = 5.0


def full_jitter(attempt: int, random: Random) -> float:
    """Seconds before attempt `attempt + 1`: anywhere between 0 and a bound that doubles.

    `attempt` counts from 1. Full jitter spreads the clients that found the same store away.
    """
    bound = min(LONGEST_SECONDS, FIRST_SECONDS * 2.0 ** min(attempt - 1, 16))
    return random.uniform(0.0, bound)
