"""What was read too early to be final, and when it is read again."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID, uuid4

from candlelog.events.jobs import SubmitJobV1
from candlelog.market.ranges import TimeRange
from candlelog.market.series import Series
from candlelog.market.slots import SlotRun, SlotState
from gap_auditor.domain.tasks import Task

MOST_TRIES: Final = 8
LEASE: Final = timedelta(hours=1)
"""How long a job has for a range before another one is asked: an audit of it ends the wait."""
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


def unsettled(runs: Sequence[SlotRun], *, delay: timedelta, at: datetime) -> TimeRange | None:
    """From the first slot that was read too early to the last.

    These are candles that are provisional, and slots that had no row yet: unknown ones, where all
    that is unknown has closed within the settle delay. An older one says that not everything was
    asked for, as of a job that was cancelled: then the newest may not have been, either.
    """
    unknown = [run for run in runs if run.state is SlotState.UNKNOWN and not run.answered]
    recent = all(run.start > at - delay - _LATE for run in unknown)
    early = [run for run in runs if run.state is SlotState.PROVISIONAL]
    early += unknown if recent else []
    if not early:
        return None
    return TimeRange(min(run.start for run in early), max(run.end for run in early))


def after_audit(
    known: Reread | None, task: Task, early: TimeRange | None, *, delay: timedelta, at: datetime
) -> Reread | None:
    """What of its series is to be read again, now that the range of a task was audited.

    A job that was asked to and left something is followed by another, twice as long after as the
    one before; not for ever.
    """
    if known is not None and not _covers(task, known.window):
        # What it did not see stays as it was.
        window, due_at = known.window, known.due_at
        if early is not None:
            window = TimeRange(min(window.start, early.start), max(window.end, early.end))
            due_at = min(due_at, at + delay)
        return replace(known, window=window, due_at=due_at)
    if early is None:
        return None
    if known is None or known.job_id != task.job_id:
        return Reread(task.series, early, at + delay)
    if known.tries >= MOST_TRIES:
        return None
    return replace(known, window=early, due_at=at + delay * 2**known.tries)


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
            job = SubmitJobV1(
                job_id=uuid4(), kind="refresh", exchange=exchange,
                symbols=tuple(each.series.symbol for each in part), timeframes=(timeframe,),
                start=window.start, end=window.end, label="settle delay",
                submitted_by="gap-auditor", submitted_at=at,
            )  # fmt: skip
            yield job, part


def _covers(task: Task, window: TimeRange) -> bool:
    return task.start <= window.start and window.end <= task.end
