"""Slots of a venue whose limit is a counter that falls with time: one request at each.

A slot is given when it has come, and whoever gets it sends at once: the order of the ledger spaces
the requests, not the clocks of those who send. That matters, because such a venue tells its time in
whole seconds. A slot that is not used soon is worth nothing; nobody gets it instead.
"""

from typing import Final

SLOT_SECONDS: Final = 4.0
"""How long a slot may be used: as long as clocks may be apart, and the log takes."""
CLOCKS_APART: Final = 2.0
"""What two processes' views of the venue's time may differ by."""
CATCH_UP: Final = 0.5
"""Seconds by which a slot may be given late without putting off those after it. The venue's counter
has room for two or three requests at once, of which this takes less than one."""


def next_slot(spacing: float, last: float, now: float) -> float | None:
    """The slot to give at `now`, all in seconds; None while there is none. `last` is the one given
    last, far in the past where there was none."""
    due = last + spacing
    return None if now < due else max(due, now - CATCH_UP)
