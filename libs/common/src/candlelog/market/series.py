"""A series: the identity of a row of candles."""

from dataclasses import dataclass

from candlelog.errors import Invalid


@dataclass(frozen=True, slots=True, order=True)
class Series:
    """One exchange, symbol (ccxt's name) and timeframe."""

    exchange: str
    symbol: str
    timeframe: str

    @property
    def text(self) -> str:
        """The text form, also the message key: `binance|BTC/USDT|1m`."""
        return f"{self.exchange}|{self.symbol}|{self.timeframe}"

    @classmethod
    def parse(cls, text: str) -> "Series":
        """Read the text form; `Invalid` when it has other than three parts."""
        parts = text.split("|")
        if len(parts) != 3 or not all(parts):
            raise Invalid(f"{text!r} is no series; write exchange|symbol|timeframe")
        return cls(*parts)
