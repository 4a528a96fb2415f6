"""What was read too early to be final, and when it is read again."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import NAMESPACE_OID, UUID, uuid5

from candlelog.events.jobs import SubmitJobV1
from candlelog.market.ranges import TimeRange, merge, subtract
from candlelog.market.series import Series
from candlelog.market.slots import SlotRun, SlotState
from candlelog.market.timeframe import Timeframe
from gap_auditor.domain.tasks import Task

MOST_TRIES: Final = 8
LEASE: Final = timedelta(days=1)
"""How long a job that was asked may be unheard of before another one is: longer than outages."""
_LATE: Final = timedelta(minutes=5)
"""So long after the last answer an audit may come, and still knows what was asked too early."""
_MOST_SYMBOLS: Final = 1000


@dataclass(frozen=True, slots=True)
class Reread:
    """Slots of a series that are to be read again at `due_at`.

    `job_id` is the job that was last asked to, the `tries`-th of them.
    """

    series: Series
    window: TimeRange
    due_at: datetime
    tries: int = 0
    job_id: UUID | None = None


def unsettled(
    runs: Sequence[SlotRun], timeframe: Timeframe, *, delay: timedelta, at: datetime
) -> list[TimeRange]:
    """What was read too early: candles that are provisional, and the newest slots where they had no
    row yet. Of these a run that begins earlier was not asked for, as after a cancel, or failed."""

    def early(run: SlotRun) -> bool:
        closed_at = timeframe.advance(run.start, 1)
        no_row_yet = run.state is SlotState.UNKNOWN and not run.answered
        return run.state is SlotState.PROVISIONAL or (no_row_yet and closed_at > at - delay - _LATE)

    return merge(TimeRange(run.start, run.end) for run in runs if early(run))


def after_audit(
    known: Sequence[Reread],
    task: Task,
    *,
    early: Iterable[TimeRange],
    delay: timedelta,
    at: datetime,
) -> list[Reread]:
    """What of its series is to be read again, now that the range of a task was audited; `known` is
    what was before. What the audit did not see the whole of stays as it was.

    A job that was asked to and left something is followed by another, twice as long after as the
    one before; not for ever.
    """
    kept = [each for each in known if not _covers(task, each.window)]
    tries = max((each.tries for each in known if each.job_id == task.job_id), default=0)
    if tries >= MOST_TRIES:
        return kept
    asked = task.job_id if tries else None
    due_at = at + delay * 2**tries
    noted = [each.window for each in kept]
    new = [part for window in early for part in subtract(window, noted)]
    return kept + [Reread(task.series, window, due_at, tries, asked) for window in new]


def jobs(due: Iterable[Reread], at: datetime) -> Iterator[tuple[SubmitJobV1, list[Reread]]]:
    """The jobs that read again what is due, each with that: one for all series of one range.

    They ask for what no settled answer explains, and thus for nothing that another job has read
    again meanwhile.
    """
    alike: defaultdict[tuple[str, str, TimeRange], list[Reread]] = defaultdict(list)
    for each in due:
        alike[each.series.exchange, each.series.timeframe, each.window].append(each)
    for (exchange, timeframe, window), group in alike.items():
        for first in range(0, len(group), _MOST_SYMBOLS):
            part = group[first : first + _MOST_SYMBOLS]
            symbols = tuple(each.series.symbol for each in part)
            name = (exchange, symbols[0], timeframe, str(window.start), str(at))
            job = SubmitJobV1(
                job_id=uuid5(NAMESPACE_OID, "|".join(name)), kind="refresh", exchange=exchange,
                symbols=symbols, timeframes=(timeframe,), start=window.start, end=window.end,
                label="settle delay", submitted_by="gap-auditor", submitted_at=at,
            )  # fmt: skip
            yield job, part


def _covers(task: Task, window: TimeRange) -> bool:
    return task.start <= window.start and window.end <= task.end
