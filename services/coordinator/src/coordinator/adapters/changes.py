"""Where a shadow of the candles differs from what is served, as ClickHouse has it."""

from collections.abc import Sequence
from typing import Final

from candlelog.events.feature_sets import FeatureSetRef
from candlelog.market.series import Series
from candlelog.market.timeframe import Timeframe
from candlelog.stores.clickhouse import ClickHouse
from candlelog.stores.shadow import compare
from coordinator.domain.replays import slots_between
from coordinator.domain.shadows import Span

_SERVED: Final = """
SELECT exchange, symbol, timeframe, any((feature_set, version, build)) FROM feature_builds FINAL
WHERE state = 'serving' GROUP BY exchange, symbol, timeframe
"""


class ClickHouseChanges:
    """`Changes` over the database that the sink keeps."""

    def __init__(self, clickhouse: ClickHouse) -> None:
        self._clickhouse = clickhouse

    async def spans(self) -> Sequence[Span] | None:
        """See `coordinator.ports.Changes`."""
        compared = await compare(self._clickhouse)
        if compared is None:
            return None
        rows = await self._clickhouse.query(_SERVED) if compared.differences else []
        served = {Series(*row[:3]): row[3] for row in rows}
        return [
            Span(
                each.series,
                slots_between(Timeframe.parse(each.series.timeframe), each.first, each.last),
                FeatureSetRef(name=served[each.series][0], version=served[each.series][1]),
                served[each.series][2],
            )
            for each in compared.differences
            if each.series in served
        ]
