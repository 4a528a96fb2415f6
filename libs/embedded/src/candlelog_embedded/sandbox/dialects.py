"""What tells Binance's spot from its USD-M futures: paths, weights, entries of symbols."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from candlelog_embedded.sandbox.listing import futures_entry, spot_entry
from candlelog_embedded.sandbox.markets import Listing
from candlelog_embedded.sandbox.tenure import Tenure

Query = Mapping[str, str]

DEFAULT_LIMIT: Final = 500


@dataclass(frozen=True, slots=True)
class Dialect:
    """One of the two interfaces. `klines_weights` holds, in order, up to which `limit` a question
    costs how much."""

    name: str
    base: str
    weights: Mapping[str, int]
    klines_weights: tuple[tuple[int, int], ...]
    entry: Callable[[Listing, Tenure, int], dict[str, Any]]

    @property
    def largest_limit(self) -> int:
        """Rows of one answer at most."""
        return self.klines_weights[-1][0]

    def knows(self, path: str) -> bool:
        """Whether the venue has something there."""
        return path.removeprefix(self.base) in self.weights or self.asks_candles(path)

    def asks_candles(self, path: str) -> bool:
        """Whether this is where candles are."""
        return path == f"{self.base}/klines"

    def weight(self, path: str, query: Query) -> int:
        """What a request costs."""
        if not self.asks_candles(path):
            return self.weights.get(path.removeprefix(self.base), 1)
        rows = self.rows(query)
        return next(weight for most, weight in self.klines_weights if rows <= most)

    def rows(self, query: Query) -> int:
        """How many rows a question asks for, as the venue understands it."""
        text = query.get("limit", "")
        asked = int(text) if text.isdecimal() and len(text) <= 20 else 0
        return min(asked or DEFAULT_LIMIT, self.largest_limit)


SPOT: Final = Dialect(
    name="spot",
    base="/api/v3",
    weights={"/ping": 1, "/time": 1, "/exchangeInfo": 20},
    klines_weights=((1000, 2),),
    entry=spot_entry,
)
FUTURES: Final = Dialect(
    name="futures",
    base="/fapi/v1",
    weights={"/ping": 1, "/time": 1, "/exchangeInfo": 1},
    klines_weights=((99, 1), (499, 2), (1000, 5), (1500, 10)),
    entry=futures_entry,
)
