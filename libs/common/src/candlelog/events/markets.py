"""What an exchange lists."""

from typing import ClassVar

from pydantic import BaseModel, ConfigDict

from candlelog.events.event import Event
from candlelog.events.fields import Name, Text, Time


class Market(BaseModel):
    """One symbol of an exchange, in ccxt's name; `active` is false once it trades no more."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    symbol: Text
    active: bool


class MarketsListedV1(Event):
    """The market list of an exchange; the highest offset of a key wins."""

    ce_type: ClassVar[str] = "candlelog.markets.listed.v1"
    topic: ClassVar[str] = "markets"

    exchange: Name
    markets: tuple[Market, ...]
    listed_at: Time

    @property
    def key(self) -> str:
        """The exchange."""
        return self.exchange
