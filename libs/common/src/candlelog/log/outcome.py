"""What a handler answers for one event. An exception means a bug or an outage, never bad data."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Done:
    """The effects of the event are durable."""


@dataclass(frozen=True, slots=True)
class Skip:
    """Nothing to do: already done, or not for us."""

    reason: str


@dataclass(frozen=True, slots=True)
class Reject:
    """The data is bad for ever: the record goes to the dead letters."""

    reason: str


Outcome = Done | Skip | Reject
CONSUMED: Final = Skip("consumed before")
"""Of a record that no transaction finds fresh any more."""
