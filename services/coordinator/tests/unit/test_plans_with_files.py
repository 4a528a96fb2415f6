"""Plans of series of which there are files in an archive."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from candlelog.events.feature_sets import DEFAULT
from candlelog.events.fetch import ArchiveFileRef
from candlelog.events.jobs import FillGapsV1, GapToFill, SubmitJobV1
from candlelog.events.progress import PlanTaskAnsweredV1
from candlelog.market.profile import profile
from candlelog.market.ranges import TimeRange
from candlelog.market.series import Series
from candlelog.market.states import Action
from candlelog.market.timeframe import Timeframe
from coordinator.domain.announcing import answers
from coordinator.domain.archived import Archived
from coordinator.domain.pieces import pieces
from coordinator.domain.planning import Known, TaskPlan, plan_job
from coordinator.domain.repairs import plan_repair
from coordinator.domain.routes import Route
from coordinator.domain.routing import HeldFile

NOW = datetime(2024, 3, 1, 12, 0, 30, tzinfo=UTC)
JANUARY, FEBRUARY, MARCH = (datetime(2024, month, 1, tzinfo=UTC) for month in (1, 2, 3))
DAY = timedelta(days=1)


def submission(**fields: object) -> SubmitJobV1:
    return SubmitJobV1.model_validate(
        {
            "job_id": UUID(int=1), "exchange": "binance", "symbols": ("BTC/USDT",),
            "timeframes": ("1h",), "start": JANUARY, "end": MARCH, "submitted_by": "t",
            "submitted_at": NOW, **fields,
        }
    )  # fmt: skip


def file(name: str, start: datetime, end: datetime, **flags: bool) -> HeldFile:
    return HeldFile(ArchiveFileRef(path=name, version="1"), TimeRange(start, end), **flags)


def plan(command: SubmitJobV1, *files: HeldFile, **known: object) -> TaskPlan:
    series = Series(command.exchange, command.symbols[0], command.timeframes[0])
    archived = Archived({series: files}, ("cut.zip",))
    venue = profile(command.exchange)
    (only,) = plan_job(command, venue, Known(archived=archived, **known), NOW)  # type: ignore[arg-type]
    return only


def chunks(task: TaskPlan) -> list[tuple[Route, str | None, datetime, datetime]]:
    frame = Timeframe.parse(task.series.timeframe)
    return [
        (queue.route, part.file and part.file.path, piece.start, piece.end)
        for queue in task.queues
        for part in queue.ranges
        for piece in pieces(part, frame, queue.piece_slots, first=0, end=queue.chunks_total)
    ]


def told(plans: Sequence[TaskPlan]) -> PlanTaskAnsweredV1:
    first, *_ = answers(UUID(int=1), plans, weight=2, now=NOW)
    assert isinstance(first, PlanTaskAnsweredV1)
    return first


def test_a_chunk_is_what_is_wanted_of_a_file():
    task = plan(submission(), file("1", JANUARY, FEBRUARY), file("2", FEBRUARY, MARCH))
    assert chunks(task) == [
        (Route.ARCHIVE, "1", JANUARY, FEBRUARY), (Route.ARCHIVE, "2", FEBRUARY, MARCH),
    ]  # fmt: skip
    assert (task.route, task.route_reason) == (
        "archive", "1440 candles in 2 files of the archive",
    )  # fmt: skip


def test_a_file_with_a_hole_in_what_is_wanted_is_read_twice():
    series, hole = Series("binance", "BTC/USDT", "1h"), TimeRange(
        JANUARY + timedelta(days=9), JANUARY + timedelta(days=10)
    )  # fmt: skip
    command = submission(end=FEBRUARY, source="archive")
    task = plan(command, file("1", JANUARY, FEBRUARY), covered={series: [hole]})
    assert [chunk[1:] for chunk in chunks(task)] == [
        ("1", JANUARY, hole.start), ("1", hole.end, FEBRUARY),
    ]  # fmt: skip
    assert (task.chunks_total, task.files, task.slots_covered) == (2, 1, 24)


def test_what_no_file_holds_is_asked_of_the_venue():
    task = plan(submission(), file("2", FEBRUARY, MARCH))
    assert chunks(task) == [
        (Route.ARCHIVE, "2", FEBRUARY, MARCH), (Route.REST, None, JANUARY, FEBRUARY + DAY),
    ]  # fmt: skip
    assert (task.route, task.missing_files) == ("both", ())
    assert task.route_reason == (
        "696 candles in 1 files of the archive; 768 candles asked of the venue; "
        "24 candles both ways, to compare them"
    )


def test_a_slot_that_is_fetched_both_ways_is_expected_twice():
    task = plan(submission(), file("2", FEBRUARY, MARCH))
    assert (task.slots_expected, task.slots_covered) == (1440 + 24, 0)


def test_from_files_alone_what_none_holds_is_not_asked_for_and_the_files_are_named():
    task = plan(submission(source="archive"), file("2", FEBRUARY, MARCH))
    assert [chunk[1] for chunk in chunks(task)] == ["2"]
    assert task.missing_files == ("spot/monthly/klines/BTCUSDT/1h/BTCUSDT-1h-2024-01.zip",)
    assert (task.slots_expected, task.slots_covered, task.route) == (1440, 0, "archive")
    assert task.route_reason == (
        "696 candles in 1 files of the archive; 744 candles in no file that is there; "
        "cut.zip cannot be read: download it again"
    )


@pytest.mark.parametrize(
    ("covered", "end"), [(False, Action.COMPLETE_WITH_ERRORS), (True, Action.COMPLETE)]
)
def test_a_task_without_work_is_complete_only_if_nothing_is_missing(covered: bool, end: Action):
    series = Series("binance", "BTC/USDT", "1h")
    known = {"covered": {series: [TimeRange(JANUARY, MARCH)]}} if covered else {}
    task = plan(submission(source="archive"), **known)
    assert (task.chunks_total, task.end_at_once) == (0, end)


def test_a_task_with_work_is_not_over():
    assert plan(submission()).end_at_once is None


def test_without_files_and_with_nothing_missing_a_plan_is_as_without_an_archive():
    bare = plan_job(submission(), profile("binance"), Known(), NOW)
    assert [plan(submission())] == bare


def test_kraken_is_asked_for_its_newest_candles_and_files_are_read_for_older_ones():
    command = submission(exchange="kraken", symbols=("BTC/USD",), timeframes=("1h",), end=NOW)
    oldest, closed = NOW.replace(second=0) - timedelta(hours=719), NOW.replace(second=0)
    first = JANUARY + timedelta(days=20)
    task = plan(command, file("XBTUSD_60.csv", first, closed))
    assert chunks(task) == [
        (Route.ARCHIVE, "XBTUSD_60.csv", first, oldest + DAY), (Route.REST, None, oldest, closed),
    ]  # fmt: skip
    assert (task.route, task.missing_files) == ("both", ("XBTUSD_60.csv",))


def test_a_file_that_was_replaced_is_read_again_within_the_window_whatever_is_covered():
    series = Series("binance", "BTC/USDT", "1h")
    command = submission(start=JANUARY + timedelta(days=1), end=FEBRUARY + timedelta(days=1))
    task = plan(
        command,
        file("1", JANUARY, FEBRUARY, again=(TimeRange(JANUARY, FEBRUARY),)),
        file("2", FEBRUARY, MARCH),
        covered={series: [TimeRange(JANUARY, MARCH)]},
    )
    assert chunks(task) == [(Route.ARCHIVE, "1", command.start, FEBRUARY)]
    assert (task.slots_expected, task.slots_covered) == (31 * 24, 24)


def test_where_no_candle_has_closed_no_file_is_read_again():
    start = NOW.replace(second=0)
    replaced = file("3", MARCH, NOW, again=(TimeRange(MARCH, NOW),))
    task = plan(submission(start=start, end=NOW), replaced)
    assert (task.queues, task.slots_expected) == ((), 0)


def test_chunks_of_files_carry_the_sets_of_their_series():
    series = Series("binance", "BTC/USDT", "1h")
    task = plan(submission(), file("1", JANUARY, FEBRUARY), marks={series: {DEFAULT: True}})
    assert {part.feature_sets for queue in task.queues for part in queue.ranges} == {(DEFAULT,)}


def test_a_plan_tells_of_files_and_of_those_that_are_missing():
    answer = told([plan(submission(source="archive"), file("2", FEBRUARY, MARCH))])
    assert (answer.route, answer.files, answer.requests) == ("archive", 1, 0)
    assert (answer.missing_files_total, len(answer.missing_files)) == (1, 1)


def test_of_many_missing_files_a_hundred_are_named():
    old = submission(source="archive", start=datetime(2010, 1, 1, tzinfo=UTC))
    answer = told([plan(old)])
    assert (answer.missing_files_total, len(answer.missing_files)) == (170, 100)


def repair(exchange: str, symbol: str, start: datetime, end: datetime) -> FillGapsV1:
    gap = GapToFill(gap_id=uuid4(), symbol=symbol, timeframe="1h", start=start, end=end)
    return FillGapsV1(
        job_id=UUID(int=1), exchange=exchange, gaps=(gap,), submitted_by="t", submitted_at=NOW
    )


def test_a_repair_reads_a_file_for_what_the_venue_does_not_reach():
    series, first = Series("kraken", "BTC/USD", "1h"), JANUARY + timedelta(days=1)
    archived = Archived({series: [file("XBTUSD_60.csv", first, FEBRUARY)]})
    command = repair("kraken", "BTC/USD", JANUARY, JANUARY + timedelta(days=2))
    (task,) = plan_repair(command, profile("kraken"), {}, NOW, archived=archived)
    assert chunks(task) == [
        (Route.ARCHIVE, "XBTUSD_60.csv", first, JANUARY + timedelta(days=2)),
        (Route.REST, None, JANUARY, first),
    ]
