"""What the fields of an event may hold: only what every service can key, reckon with and store."""

from datetime import UTC, datetime
from typing import Annotated, Final

from pydantic import AfterValidator, AwareDatetime, Field

EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
LATEST: Final = datetime(2200, 1, 1, tzinfo=UTC)
_TEXT_LIMIT: Final = 2000

Time = Annotated[AwareDatetime, Field(ge=EARLIEST, lt=LATEST)]
"""An aware time that a DateTime64 column holds, with room to step on from it."""

Ordinal = Annotated[int, Field(ge=0, lt=2**31)]
"""A number that counts on by one from 0: a generation, a part, a build."""

Positive = Annotated[int, Field(ge=1, lt=2**31)]
"""A number that counts on by one from 1: a release, an attempt, a version."""

Count = Annotated[int, Field(ge=0, lt=2**53)]
"""How many of something, or an offset: JSON carries it exactly, and 64 bits hold sums of it."""

PositiveCount = Annotated[int, Field(ge=1, lt=2**53)]
"""How many of something of which there is one at least."""

Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
"""A share of a budget, in the venue's unit."""

Name = Annotated[str, Field(min_length=1, max_length=100, pattern=r"^[^\x00-\x1f|]+$")]
"""A part of a series: the text form of a series puts `|` between them."""


def _storable(text: str) -> str:
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")[:_TEXT_LIMIT]


Text = Annotated[str, AfterValidator(_storable)]
"""Words for people, of any origin: never refused, but cut to 2,000 characters, and without the NUL
that Postgres does not take."""
