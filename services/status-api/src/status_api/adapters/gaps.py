"""Reading gaps from the projection."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from candlelog.market.states import TERMINAL
from candlelog.stores.postgres import Pool, outages
from status_api.adapters import statements
from status_api.adapters.tables import GAPS
from status_api.domain.cursors import GapKey
from status_api.domain.rows import GapRow

_FINISHED: Final = [str(status) for status in TERMINAL]


@dataclass(frozen=True, slots=True)
class GapFilter:
    """Which gaps; None is any. A gap is `filling` while a job that was told to fill it goes on."""

    states: Sequence[str] | None = None
    exchange: str | None = None
    symbols: Sequence[str] | None = None
    timeframes: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class Tries:
    """How many jobs were told to fill a gap, and when the last of them was submitted."""

    attempts: int
    last: datetime | None


NEVER_TRIED: Final = Tries(0, None)


class GapReader:
    """Gaps as they are projected. Every method may raise `Unavailable`."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def page(
        self, wanted: GapFilter, *, after: GapKey | None, limit: int | None
    ) -> Sequence[GapRow]:
        """Gaps by series and start, behind `after`; all of them without a limit."""
        place: tuple[object, ...] = (None, None, None, None)
        if after is not None:
            place = (after.exchange, after.symbol, after.timeframe, after.start)
        with outages():
            records = await self._pool.fetch(
                statements.GAPS_PAGE,
                _FINISHED,
                wanted.states,
                wanted.exchange,
                wanted.symbols,
                wanted.timeframes,
                *place,
                limit,
            )
        return [_gap(record) for record in records]

    async def tries(self, gap_ids: Sequence[UUID]) -> Mapping[UUID, Tries]:
        """Of these gaps those that jobs were told to fill."""
        with outages():
            records = await self._pool.fetch(statements.GAP_TRIES, gap_ids)
        return {each["gap_id"]: Tries(each["attempts"], each["last"]) for each in records}

    async def gap(self, gap_id: UUID) -> GapRow | None:
        """One gap."""
        with outages():
            record = await self._pool.fetchrow(statements.GAP_BY_ID, _FINISHED, gap_id)
        return None if record is None else _gap(record)


def _gap(record: Mapping[str, Any]) -> GapRow:
    return GAPS.of_record({**record, "state": record["state_now"]})


def key_of(gap: GapRow) -> GapKey:
    """Where a page ends that ends with this gap."""
    return GapKey(gap.exchange, gap.symbol, gap.timeframe, gap.range_start)
