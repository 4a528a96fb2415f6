"""Gaps, repairs and audits in the projection."""

from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid5

import pytest
from hypothesis import given
from hypothesis import strategies as st

from candlelog.events.codec import Message
from candlelog.events.gaps import GapChangedV1, GapClosedV1, GapOpenedV1
from candlelog.events.jobs import FillGapsV1, GapToFill
from candlelog.events.progress import MissingPeriod, TaskAuditedV1, TaskStateChangedV1
from status_api.domain.fold import Landed, fold, keys
from status_api.domain.problems import Problem
from status_api.domain.repairs import Asker, check_fillable, commands
from status_api.domain.rows import GapRow, Rows

T0 = datetime(2024, 2, 1, tzinfo=UTC)
JOB, TASK, GAP = UUID(int=1), UUID(int=2), UUID(int=3)


def at(minute: int) -> datetime:
    return T0 + timedelta(minutes=minute)


def rows_of(*events: Message) -> Rows:
    return fold(Rows(), [Landed(event, 0, offset) for offset, event in enumerate(events)])


def told(kind: type, version: int, state: str, end: int = 5) -> Message:
    return kind(
        gap_id=GAP, version=version, exchange="binance", symbol="BTC/USDT", timeframe="1m",
        start=T0, end=at(end), slots=end, state=state, detected_at=T0, changed_at=at(version),
    )  # fmt: skip


def audited(task: UUID, expected: int, *missing: tuple[int, int]) -> TaskAuditedV1:
    unknown = sum(end - start for start, end in missing)
    return TaskAuditedV1(
        job_id=JOB, task_id=task, slots_expected=expected, slots_explained=expected - unknown,
        slots_unknown=unknown, audited_at=T0,
        missing=[MissingPeriod(start=at(start), end=at(end)) for start, end in missing],
    )  # fmt: skip


def moved(version: int, state: str, task: UUID = TASK) -> TaskStateChangedV1:
    return TaskStateChangedV1.model_validate(
        {"job_id": JOB, "task_id": task, "version": version, "state": state, "changed_at": T0}
    )


def fill(*gaps: tuple[str, str, int, int]) -> FillGapsV1:
    return FillGapsV1(
        job_id=JOB, exchange="binance", submitted_by="me", submitted_at=T0,
        gaps=[
            GapToFill(gap_id=uuid5(JOB, str(number)), symbol=symbol, timeframe=timeframe,
                      start=at(start), end=at(end))
            for number, (symbol, timeframe, start, end) in enumerate(gaps)
        ],
    )  # fmt: skip


def test_a_repair_is_a_job_over_the_range_that_holds_its_gaps():
    rows = rows_of(
        fill(("A/B", "1m", 5, 9), ("C/D", "1m", 60, 61), ("A/B", "1h", 0, 60)),
        fill(("X", "1m", 0, 1)),
    )
    job = rows.submissions[JOB]
    assert (job.kind, job.symbols, job.timeframes) == ("gap_repair", ("A/B", "C/D"), ("1m", "1h"))
    assert (job.range_start, job.range_end, job.features) == (at(0), at(61), False)
    assert {each.gap_id for each in rows.fills.values()} == {uuid5(JOB, str(n)) for n in range(3)}
    assert {each.job_id for each in rows.fills.values()} == {JOB}


events = st.permutations(
    [
        told(GapOpenedV1, 1, "detected"),
        told(GapChangedV1, 2, "filling"),
        told(GapChangedV1, 3, "failed", 4),
        told(GapClosedV1, 4, "filled"),
        told(GapChangedV1, 3, "failed", 4),
    ]
)


@given(events, st.integers(0, 5))
def test_a_gap_is_what_its_highest_version_says(said: list[Message], cut: int):
    rows = rows_of(*said[:cut])
    known = Rows(gaps=rows.gaps)
    later = fold(known, [Landed(event, 0, offset) for offset, event in enumerate(said[cut:])])
    row = (rows.gaps | later.gaps)[GAP]
    assert (row.version, row.state, row.range_end) == (4, "filled", at(5))


def test_the_newest_audit_of_a_task_counts_and_a_job_sums_its_tasks():
    other = UUID(int=9)
    rows = rows_of(
        moved(1, "completed_with_errors"), moved(1, "completed", other),
        audited(TASK, 100, (0, 3), (7, 8)), audited(other, 50), audited(TASK, 100, (7, 8)),
    )  # fmt: skip
    job, task = rows.jobs[JOB], rows.tasks[TASK]
    assert (job.slots_audited, job.slots_unknown) == (150, 1)
    assert (task.slots_audited, task.slots_unknown) == (100, 1)
    assert task.missing == [{"start": at(7).isoformat(), "end": at(8).isoformat()}]


def test_the_audit_of_an_end_that_comes_after_a_retry_is_not_of_the_task_as_it_is():
    rows = rows_of(moved(1, "failed"), moved(2, "queued"), audited(TASK, 100, (0, 100)))
    assert (rows.jobs[JOB].slots_audited, rows.tasks[TASK].missing) == (0, [])


def test_a_task_that_is_retried_has_no_audit_until_its_next_end():
    rows = rows_of(
        moved(1, "failed"), audited(TASK, 100, (0, 100)), moved(2, "queued"), moved(1, "failed")
    )
    assert (rows.jobs[JOB].slots_audited, rows.tasks[TASK].missing) == (0, [])


def test_the_rows_of_gaps_and_audits_are_loaded():
    found = keys([Landed(told(GapOpenedV1, 1, "detected"), 0, 0), Landed(audited(TASK, 1), 0, 1)])
    assert (found.gaps, found.tasks, found.jobs) == ({GAP}, {TASK}, {JOB})


def gap(number: int, exchange: str = "binance", state: str = "detected") -> GapRow:
    return GapRow(
        gap_id=UUID(int=number), version=1, exchange=exchange, symbol="BTC/USDT", timeframe="1m",
        range_start=at(2 * number), range_end=at(2 * number + 1), slots=1, state=state,
        job_id=None, detected_at=T0, changed_at=T0,
    )  # fmt: skip


def test_there_is_one_command_for_each_exchange_and_thousand_gaps():
    ids = iter(UUID(int=number) for number in range(100, 200))
    gaps = [gap(number) for number in range(2500)] + [gap(number, "kraken") for number in range(3)]
    found = list(commands(gaps, Asker("me", T0, lambda: next(ids))))
    assert [(each.exchange, len(each.gaps)) for each in found] == [
        ("binance", 1000), ("binance", 1000), ("binance", 500), ("kraken", 3),
    ]  # fmt: skip
    assert len({each.job_id for each in found}) == 4
    asked = [each.gap_id for command in found for each in command.gaps]
    assert asked == [each.gap_id for each in gaps]


@pytest.mark.parametrize("state", ["detected", "unfillable", "failed"])
def test_an_open_gap_can_be_filled(state: str):
    check_fillable(gap(1, state=state))


@pytest.mark.parametrize(
    ("state", "code"),
    [("filling", "already_filling"), ("filled", "already_filled"), ("merged", "already_filled")],
)
def test_a_gap_that_is_being_filled_or_is_over_cannot(state: str, code: str):
    with pytest.raises(Problem) as caught:
        check_fillable(gap(1, state=state))
    assert (caught.value.status, caught.value.code) == (409, code)
