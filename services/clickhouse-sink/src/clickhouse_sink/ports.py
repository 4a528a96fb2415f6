"""What the sink needs from outside."""

from collections.abc import Collection, Mapping, Sequence
from typing import Literal, Protocol

import pyarrow as pa

from candlelog.market.series import Series
from clickhouse_sink.domain.batches import Window
from clickhouse_sink.domain.builds import Build, Note, State
from clickhouse_sink.domain.restatement import Asked
from clickhouse_sink.domain.retelling import Untold
from clickhouse_sink.domain.tables import TableName


class Tables(Protocol):
    """One set of the tables of candles. Methods may raise `Unavailable`, and may then be called
    again.
    """

    async def asked(self, windows: Sequence[Window]) -> Mapping[Series, Asked]:
        """Coverage that overlaps any of the windows; series without any are left out."""
        ...

    async def held(
        self, table: Literal["candles", "candle_revisions"], windows: Sequence[Window]
    ) -> Mapping[Series, pa.RecordBatch]:
        """Rows (`CANDLE_ROWS`) whose open time lies in any of the windows, in the order of open
        and observed time, each slot of `candles` once; series without any are left out.
        """
        ...

    async def append(self, table: TableName, rows: pa.Table) -> None:
        """Add rows; once it returns, every reader sees them.

        `Unavailable` also when the place of the table was given to another set meanwhile.
        """
        ...


class Sets(Protocol):
    """The sets of tables there are: the live one, and sometimes a shadow of it."""

    async def current(self) -> Sequence[Tables]:
        """What is to be written now: the shadow, if one is open, and then the live set.

        Raises `Unavailable` while they are being exchanged.
        """
        ...

    async def shadow(self, number: int) -> Tables | None:
        """The set with this number, if it is the shadow; it is open then. Raises `Unavailable`."""
        ...

    async def untold(self, partition: int, most: int) -> Untold:
        """Answers that the live set has and the shadow lacks, up to `most`, the oldest of a series
        first: of the series that belong to this partition of `candles`. Raises `Unavailable`.
        """
        ...


class Shadows(Protocol):
    """Makes, exchanges and drops sets; each may be called again. Methods raise `Unavailable`."""

    async def open(self, number: int) -> None:
        """Make the set with this number, empty, as a shadow; unless it is there."""
        ...

    async def serve(self, number: int, *, rebuilt: bool) -> None:
        """Have the set with this number be the live one, or the shadow."""
        ...

    async def close(self, number: int) -> None:
        """Drop the shadow, be it the set with this number or the one this took the place of."""
        ...


class FeatureTables(Protocol):
    """The tables of features. Methods may raise `Unavailable`, and may then be called again."""

    async def builds(self, series: Collection[Series]) -> dict[Build, State]:
        """What stands in `feature_builds` of these series."""
        ...

    async def note(self, notes: Mapping[Build, Note]) -> None:
        """Write these states; a reader sees all of them or none. Of two notes of a build the one
        with the higher number stays, and of equal ones the later.
        """
        ...

    async def append_features(self, rows: pa.Table) -> None:
        """Add rows: key, `revision` and features. A feature the table lacks becomes a column of
        it and of `features_latest`. Of two rows of a slot the one with the higher revision stays.
        """
        ...
