"""From when until when a symbol is listed."""

from dataclasses import dataclass
from typing import Final

_EVER: Final = 10**15  # as a time it is past the year 30000


@dataclass(frozen=True, slots=True)
class Tenure:
    """A symbol has candles that open in `[since, until)`, milliseconds since the epoch, None for
    what the market has by itself. One that is `gone` is as unknown as if it had never been."""

    since: int | None = None
    until: int | None = None
    gone: bool = False

    def trades(self, now: int) -> bool:
        """Whether it has not been delisted by then."""
        return self.until is None or now < self.until

    def without(self) -> list[tuple[int, int]]:
        """The half-open ranges in which it is not listed."""
        before = [] if self.since is None else [(0, self.since)]
        after = [] if self.until is None else [(self.until, _EVER)]
        return before + after


ALWAYS: Final = Tenure()
"""Listed for as long as its market has candles."""
