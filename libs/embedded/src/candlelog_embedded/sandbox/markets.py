"""What is listed at the sandbox and when, and the outages of each symbol."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from candlelog.errors import Invalid
from candlelog_embedded.sandbox.archived import ArchivedMarket, Files, archived_symbols
from candlelog_embedded.sandbox.corrections import Corrections
from candlelog_embedded.sandbox.generator import GeneratedMarket
from candlelog_embedded.sandbox.ohlcvt import OhlcvtMarket, ohlcvt_files
from candlelog_embedded.sandbox.sources import Source, WithHoles
from candlelog_embedded.sandbox.tenure import ALWAYS, Tenure

_QUOTES: Final = ("USDT", "USDC", "FDUSD", "TUSD", "BUSD", "TRY", "EUR", "BTC", "ETH", "BNB")
_QUOTES_OF_KRAKEN: Final = ("USDT", "USDC", "USD", "EUR", "GBP", "XBT", "ETH")
_OF_KRAKEN: Final = {"XBT": "BTC", "XDG": "DOGE"}
_NAMED: Final = ("SYNA", "SYNB")
_ARCHIVE_DECIMALS: Final = 8

Holes = Sequence[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Listing:
    """One symbol of the venue; decimals are the finest steps its prices and volumes make."""

    symbol: str
    base: str
    quote: str
    source: Source
    price_decimals: int
    volume_decimals: int


class Markets:
    """The listed symbols by name. Holes are ranges of milliseconds without rows; `late` is for how
    many a candle still changes after its close; `corrections` change some long after it."""

    def __init__(self, listings: Iterable[Listing]) -> None:
        self.listings = {listing.symbol: listing for listing in listings}
        self._holes: dict[str, Holes] = {}
        self._tenures: dict[str, Tenure] = {}
        self.late = 0
        self.corrections = Corrections()

    def source(self, symbol: str) -> Source | None:
        """The minutes of a symbol while it is listed, its holes left out; None for a symbol that
        is not known."""
        listing, tenure = self.listings.get(symbol), self.tenure(symbol)
        if listing is None or tenure.gone:
            return None
        holes = _merged([*self._holes.get(symbol, ()), *tenure.without()])
        source = self.corrections.of(listing.source, symbol)
        return WithHoles(source, holes) if holes else source

    def state(self, symbol: str) -> str:
        """Another text whenever the minutes of a symbol that are over may be other ones."""
        return f"{self._holes.get(symbol, ())} {self.tenure(symbol)} {self.corrections}"

    def known(self) -> dict[str, Listing]:
        """The listings of all symbols that are not gone."""
        return {
            symbol: listing
            for symbol, listing in self.listings.items()
            if not self.tenure(symbol).gone
        }

    def tenure(self, symbol: str) -> Tenure:
        """When it is listed."""
        return self._tenures.get(symbol, ALWAYS)

    def set_tenure(self, symbol: str, tenure: Tenure) -> None:
        """List the symbol then, and at no other time."""
        self._check_known(symbol)
        since, until = tenure.since, tenure.until
        if since is not None and until is not None and since >= until:
            raise Invalid(f"the listing of {symbol} ends before it starts")
        self._tenures[symbol] = tenure

    def tenures(self) -> dict[str, Tenure]:
        """Of each symbol that is not listed always."""
        return {symbol: tenure for symbol, tenure in self._tenures.items() if tenure != ALWAYS}

    def set_holes(self, symbol: str, holes: Iterable[tuple[int, int]]) -> None:
        """Let the symbol have exactly these holes: half-open `(start, end)` in any order."""
        self._check_known(symbol)
        wanted = list(holes)
        if any(start >= end for start, end in wanted):
            raise Invalid(f"a hole of {symbol} ends before it starts")
        self._holes[symbol] = _merged(wanted)

    def holes(self) -> dict[str, Holes]:
        """The holes of each symbol that has some."""
        return {symbol: holes for symbol, holes in self._holes.items() if holes}

    def forget(self) -> None:
        """No outages and no corrections any more, and every symbol listed always."""
        self.corrections = Corrections()
        self._holes.clear()
        self._tenures.clear()

    def _check_known(self, symbol: str) -> None:
        if symbol not in self.listings:
            raise Invalid(f"unknown symbol {symbol!r}")


def _merged(holes: Iterable[tuple[int, int]]) -> Holes:
    """In order of time, apart from each other."""
    merged: list[tuple[int, int]] = []
    for start, end in sorted(holes):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], end))
        else:
            merged.append((start, end))
    return merged


def archived(folder: Path) -> list[Listing]:
    """A listing for each symbol of an archive folder, futures under the spot symbol; and for each
    pair of Kraken's files in it."""
    files, decimals = Files(), _ARCHIVE_DECIMALS
    found: dict[str, Listing] = {}
    for symbol, paths in archived_symbols(folder).items():
        source = ArchivedMarket(paths, files)
        found[symbol] = Listing(symbol, *_pair(symbol, _QUOTES), source, decimals, decimals)
    for name, path in ohlcvt_files(folder).items():
        base, quote = (_OF_KRAKEN.get(each, each) for each in _pair(name, _QUOTES_OF_KRAKEN))
        listing = Listing(f"{base}{quote}", base, quote, OhlcvtMarket(path), decimals, decimals)
        found.setdefault(listing.symbol, listing)
    return list(found.values())


def _pair(symbol: str, quotes: Sequence[str]) -> tuple[str, str]:
    """Base and quote."""
    quote = next((name for name in quotes if symbol.endswith(name) and symbol != name), None)
    if quote is None:
        raise Invalid(f"{symbol}: not a pair of a known quote asset ({', '.join(quotes)})")
    return symbol.removesuffix(quote), quote


def generated(count: int) -> list[Listing]:
    """`SYNAUSDT`, `SYNBUSDT` and then `GEN001USDT` to that count."""
    bases = (*_NAMED, *(f"GEN{number:03d}" for number in range(1, count + 1)))
    listings: list[Listing] = []
    for base in bases:
        source = GeneratedMarket(f"{base}USDT")
        decimals = source.price_decimals, source.volume_decimals
        listings.append(Listing(f"{base}USDT", base, "USDT", source, *decimals))
    return listings
