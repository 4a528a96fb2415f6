"""What is asked of the slots at once: one window of many series."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from candlelog.market.ranges import TimeRange
from candlelog.market.timeframe import Timeframe
from gap_auditor.domain.tasks import Task


@dataclass(frozen=True, slots=True)
class Question:
    """Tasks over the same slots of one exchange, each of another series."""

    exchange: str
    timeframe: str
    window: TimeRange
    tasks: tuple[Task, ...]

    @property
    def symbols(self) -> list[str]:
        """Those of the tasks."""
        return [task.series.symbol for task in self.tasks]


def questions(tasks: Iterable[Task], *, most_slots: int) -> Iterator[Question]:
    """The fewest questions that ask for every task once and for at most so many slots each.

    A task alone may have more. Tasks without a slot are left out.
    """
    alike: defaultdict[tuple[str, str, TimeRange], list[Task]] = defaultdict(list)
    for task in tasks:
        if task.start < task.end:
            window = TimeRange(task.start, task.end)
            alike[task.series.exchange, task.series.timeframe, window].append(task)
    for (exchange, timeframe, window), group in alike.items():
        slots = Timeframe.parse(timeframe).count(window.start, window.end)
        for part in _parts(group, max(1, most_slots // max(1, slots))):
            yield Question(exchange, timeframe, window, tuple(part))


def _parts(tasks: list[Task], size: int) -> Iterator[list[Task]]:
    """Parts of at most so many tasks, none of which holds a series twice."""
    part: dict[str, Task] = {}
    for task in tasks:
        if len(part) == size or task.series.symbol in part:
            yield list(part.values())
            part = {}
        part[task.series.symbol] = task
    if part:
        yield list(part.values())
