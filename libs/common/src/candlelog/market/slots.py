"""What is known of a slot, and neighbouring slots of which the same is known."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final


class SlotState(StrEnum):
    """What is known of a slot. An answer of the venue is *settled* for the slots that had been
    closed for the settle delay when it was read."""

    PRESENT = "present"
    """A candle is stored, and a settled answer reached the slot."""
    PROVISIONAL = "provisional"
    """A candle is stored, but whatever was read of the slot was read too early to be final."""
    NO_TRADE = "no_trade"
    """A settled answer of a sparse venue had no row: nothing was traded."""
    OUTAGE = "outage"
    """A settled answer of a dense venue had no row: the venue recorded nothing."""
    UNLISTED = "unlisted"
    """The venue has no candle of the series before the slot, or none behind it: it proved so."""
    UNFETCHABLE = "unfetchable"
    """Nothing explains the slot, and the venue answers for newer ones alone: a file must hold it.
    """
    UNKNOWN = "unknown"
    """Nothing explains the slot: it was never asked for, or every row it got was refused."""


UNEXPLAINED: Final = (SlotState.UNKNOWN, SlotState.UNFETCHABLE)
"""States of slots of which nothing is known: these are missing."""


@dataclass(frozen=True, slots=True)
class SlotRun:
    """Neighbouring slots of one state, as many as there are: `slots` open times in `[start, end)`.

    `answered`: a settled answer reached each of them. Unexplained slots that are answered are those
    whose rows were refused.
    """

    start: datetime
    end: datetime
    slots: int
    state: SlotState
    answered: bool


States = Mapping[SlotState, int]
"""How many slots are in each state; those that none is in are left out."""


@dataclass(frozen=True, slots=True)
class Counted:
    """The slots `[start, end)` of a series by state. `known_until` is where the last slot ends that
    something explains; None where nothing explains any.
    """

    start: datetime
    end: datetime
    states: States
    known_until: datetime | None
