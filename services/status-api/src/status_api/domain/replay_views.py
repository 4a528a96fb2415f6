"""What a replay looks like from outside."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from candlelog.market.feature_sets import FeatureSets
from status_api.domain.differences import RowDifference
from status_api.domain.rows import Replay, TaskRow
from status_api.domain.views import JobView, View


class BuildView(View):
    """One build of a feature set: a version, and which of its computations this is."""

    version: int
    build: int
    state: Literal["serving", "beside", "closed"] | None = Field(
        description="`serving`: readers see it; `beside`: it is kept up; null: not begun yet"
    )


class ColumnDifference(View):
    """In how many rows a column differs, and by how much at most: the distance of the two values
    over the larger one, 0 to 2; null where no row differs, or only nulls do.
    """

    column: str
    rows_changed: int
    largest_relative_change: float | None


class Difference(View):
    """The rows of both builds, compared as they are stored now.

    A value has changed where one of the two is null, or where they are apart by more than a
    billionth of the largest value of the column.
    """

    rows_compared: int = Field(description="candles with features in both builds")
    rows_equal: int
    rows_changed: int
    rows_only_old: int = Field(description="candles that would lose their features by a switch")
    rows_only_new: int
    columns: tuple[ColumnDifference, ...] = Field(description="those in both, in their order")
    columns_only_old: tuple[str, ...]
    columns_only_new: tuple[str, ...]


class ReplayedSeries(View):
    """One series of a replay."""

    exchange: str
    symbol: str
    timeframe: str
    old: BuildView
    new: BuildView
    difference: Difference | None = Field(description="null where it was not asked for")


class ReplayView(View):
    """A replay of features, and what it has changed."""

    job: JobView
    kind: Literal["features"]
    feature_set: str
    switched: bool = Field(description="whether every series of this page serves what is new")
    series: tuple[ReplayedSeries, ...]
    next: str | None


class Columns:
    """The columns of the two builds: those of both, and those of one alone.

    Of a version whose definition is gone, those of the other one are taken.
    """

    def __init__(self, feature_sets: FeatureSets, replay: Replay) -> None:
        old = feature_sets.get(f"{replay['feature_set']}/{replay['old_version']}")
        new = feature_sets.get(f"{replay['feature_set']}/{replay['version']}")
        olds, news = ((known or old or new) for known in (old, new))
        first = olds.columns if olds else ()
        second = news.columns if news else ()
        self.both = tuple(name for name in second if name in first)
        self.only_old = tuple(name for name in first if name not in second)
        self.only_new = tuple(name for name in second if name not in first)


def replayed_series(
    task: TaskRow,
    replay: Replay,
    states: Mapping[tuple[int, int], str],
    difference: Difference | None,
) -> ReplayedSeries:
    """One series as its builds stand now."""

    def build(version: int, number: int) -> BuildView:
        return BuildView.model_validate(
            {"version": version, "build": number, "state": states.get((version, number))}
        )

    return ReplayedSeries.model_validate(
        {
            "exchange": task.exchange,
            "symbol": task.symbol,
            "timeframe": task.timeframe,
            "old": build(replay["old_version"], replay["old_build"]),
            "new": build(replay["version"], replay["build"]),
            "difference": difference,
        }
    )


def difference_view(
    columns: Columns, compared: tuple[str, ...], found: RowDifference
) -> Difference:
    """What was found in the columns that were compared; no row has had the others yet."""
    sizes = dict(zip(compared, zip(found.changed, found.largest, strict=False), strict=False))
    return Difference(
        rows_compared=found.compared,
        rows_equal=found.equal,
        rows_changed=found.compared - found.equal,
        rows_only_old=found.only_old,
        rows_only_new=found.only_new,
        columns=tuple(_column(name, *sizes.get(name, (0, 0.0))) for name in columns.both),
        columns_only_old=columns.only_old,
        columns_only_new=columns.only_new,
    )


def _column(name: str, rows: int, largest: float) -> ColumnDifference:
    return ColumnDifference(column=name, rows_changed=rows, largest_relative_change=largest or None)
