"""Jobs whose candles are read from files of an archive."""

from datetime import UTC, datetime, timedelta

import pytest

from candlelog.archives.memory import MemoryArchive
from candlelog.errors import Invalid
from candlelog.events.feature_sets import DEFAULT
from candlelog.events.fetch import FetchRequestedV1
from candlelog.events.jobs import PlanJobV1
from candlelog.events.progress import (
    ChunkReleasedV1,
    FileReadV1,
    JobStateChangedV1,
    PlanAnsweredV1,
    PlanTaskAnsweredV1,
    TaskPlannedV1,
)
from candlelog.log.outcome import Reject
from candlelog.market.ranges import TimeRange
from candlelog.market.series import Series
from coordinator.adapters.memory import Observation
from coordinator.domain.seams import SEAM_SLOTS

pytestmark = pytest.mark.connected

JANUARY, FEBRUARY, MARCH = (datetime(2024, month, 1, tzinfo=UTC) for month in (1, 2, 3))
MONTHS = "spot/monthly/klines/BTCUSDT/1h/BTCUSDT-1h-2024-"
SERIES = Series("binance", "BTC/USDT", "1h")


@pytest.fixture
def archive(desk):
    """An archive with the files of January and February."""
    desk.archives["binance"] = archive = MemoryArchive()
    archive.files = {f"{MONTHS}01.zip": b"1", f"{MONTHS}02.zip": b"2"}
    return archive


@pytest.fixture
def hours(submission):
    """A job of the hours of January and February, but for what is said otherwise."""
    return lambda **fields: submission(
        **{"timeframes": ("1h",), "start": JANUARY, "end": MARCH, **fields}
    )


def read(request: FetchRequestedV1, **fields: object) -> FileReadV1:
    """What the fetcher says of the file of a request."""
    names = request.model_dump(
        include={"job_id", "task_id", "chunk_id", "generation", "release", "exchange", "symbol",
                 "timeframe"}
    )  # fmt: skip
    assert request.file is not None
    told = {
        "archive": "binance", "path": request.file.path, "version": request.file.version,
        "sha256": request.file.version, "size": 1, "rows": request.slots, "quarantined": 0,
        "first": request.start, "last": request.end - timedelta(hours=1), "read_at": MARCH,
        "start": request.start, "end": request.end,
    }  # fmt: skip
    return FileReadV1.model_validate({**names, **told, **fields})


async def ledger(desk) -> dict[str, tuple[str, str | None]]:
    rows = await desk.pool.fetch("SELECT path, status, message FROM files ORDER BY path")
    return {row["path"]: (row["status"], row["message"]) for row in rows}


async def files_read(desk, job) -> None:
    """The files that a job asks for are read, and told of."""
    normal = desk.answer
    desk.answer = lambda request: [read(request), *normal(request)]
    await desk.say(job)
    await desk.finish()
    desk.answer = normal


def explain(desk) -> None:
    """All slots of January and February are explained."""
    whole = Observation(SERIES, TimeRange(JANUARY, MARCH), desk.clock.now())
    desk.coverage.observations.append(whole)


async def asked_by(desk, job) -> list[FetchRequestedV1]:
    """What a job asks for, once it is over."""
    await desk.say(job)
    await desk.finish()
    return [each for each in desk.said(FetchRequestedV1) if each.job_id == job.job_id]


async def test_a_file_is_asked_for_with_its_version_and_the_job_completes(desk, archive, hours):
    job = hours()
    await desk.say(job)
    await desk.finish()
    requests = sorted(desk.said(FetchRequestedV1), key=lambda request: request.start)
    versions = await archive.versions(list(archive.files))
    assert [(r.route, r.file.path, r.file.version, r.slots) for r in requests] == [
        ("archive", f"{MONTHS}01.zip", versions[f"{MONTHS}01.zip"], 744),
        ("archive", f"{MONTHS}02.zip", versions[f"{MONTHS}02.zip"], 696),
    ]
    assert {each.route for each in desk.said(ChunkReleasedV1)} == {"archive"}
    assert [(each.route, each.files) for each in desk.said(TaskPlannedV1)] == [("archive", 2)]
    assert desk.states(job.job_id) == ["queued", "running", "completed"]


async def test_a_file_that_is_asked_for_again_is_the_same_one(desk, archive, hours):
    await desk.say(hours(end=FEBRUARY))
    desk.answer = lambda request: []
    await desk.finish()
    desk.clock.advance(299)
    await desk.finish()
    assert len(desk.said(FetchRequestedV1)) == 1
    desk.clock.advance(2)
    await desk.finish()
    first, again = desk.said(FetchRequestedV1)
    assert (again.release, again.file, again.route) == (2, first.file, "archive")


async def test_files_and_the_venue_are_asked_side_by_side(desk, archive, hours):
    del archive.files[f"{MONTHS}01.zip"]
    await desk.say(hours())
    await desk.finish()
    slots = {each.route: each.slots for each in desk.said(FetchRequestedV1)}
    assert slots == {"archive": 696, "rest": 744 + SEAM_SLOTS}
    assert [each.route for each in desk.said(TaskPlannedV1)] == ["both"]


async def test_a_job_that_names_the_venue_alone_reads_no_file(desk, archive, hours):
    await desk.say(hours(source="rest"))
    await desk.finish()
    assert {(r.route, r.file) for r in desk.said(FetchRequestedV1)} == {("rest", None)}


async def test_what_no_file_holds_is_named_and_the_job_says_that_it_lacks(desk, archive, hours):
    missing = archive.files.pop(f"{MONTHS}01.zip")
    job = hours(source="archive")
    await desk.say(job)
    await desk.finish()
    (task,) = desk.said(TaskPlannedV1)
    assert (task.missing_files, task.missing_files_total) == ((f"{MONTHS}01.zip",), 1)
    assert desk.states(job.job_id)[-1] == "completed_with_errors"
    desk.coverage.observations.append(
        Observation(SERIES, TimeRange(FEBRUARY, MARCH), desk.clock.now())
    )
    archive.files[f"{MONTHS}01.zip"] = missing
    again = hours(source="archive")
    await desk.say(again)
    await desk.finish()
    requests = [r for r in desk.said(FetchRequestedV1) if r.job_id == again.job_id]
    assert [(r.start, r.end) for r in requests] == [(JANUARY, FEBRUARY)]
    assert desk.states(again.job_id)[-1] == "completed"


async def test_a_job_of_which_no_file_is_there_is_over_at_once_and_lacks_everything(
    desk, archive, hours
):
    archive.files.clear()
    job = hours(source="archive")
    await desk.say(job)
    await desk.finish()
    assert desk.said(FetchRequestedV1) == []
    assert desk.states(job.job_id) == ["queued", "completed_with_errors"]
    assert list(desk.task_states().values()) == [["completed_with_errors"]]


async def test_where_there_is_no_archive_a_job_that_names_files_alone_fails(desk, hours):
    job = hours(source="archive")
    await desk.say(job)
    await desk.finish()
    assert isinstance(desk.outcomes[0], Reject)
    assert "no archive" in desk.outcomes[0].reason
    assert desk.states(job.job_id) == ["failed"]


async def test_an_archive_that_cannot_be_looked_through_fails_the_job_with_the_reason(
    desk, archive, hours, monkeypatch
):
    async def refuse(paths):
        raise Invalid("it cannot be looked through")

    monkeypatch.setattr(archive, "versions", refuse)
    job = hours()
    await desk.say(job)
    await desk.finish()
    (changed,) = desk.said(JobStateChangedV1)
    assert (changed.state, changed.reason) == ("failed", "it cannot be looked through")
    await desk.say(PlanJobV1(job=hours()))
    await desk.finish()
    (answer,) = desk.said(PlanAnsweredV1)
    assert answer.refused == "it cannot be looked through"


async def test_a_dry_run_says_what_the_job_then_does(desk, archive, hours):
    del archive.files[f"{MONTHS}02.zip"]
    await desk.say(PlanJobV1(job=hours()))
    await desk.finish()
    (task,) = desk.said(PlanTaskAnsweredV1)
    assert (task.route, task.files, task.requests) == ("both", 1, 1)
    await desk.say(hours())
    await desk.finish()
    (planned,) = desk.said(TaskPlannedV1)
    assert (planned.route, planned.route_reason) == (task.route, task.route_reason)


async def test_a_job_with_features_ends_with_those_of_its_files(desk, archive, hours):
    desk.compute = lambda request: []
    job = hours(features=True, feature_sets=(DEFAULT,))
    await desk.say(job)
    await desk.finish()
    requests = desk.said(FetchRequestedV1)
    assert {request.feature_sets for request in requests} == {(DEFAULT,)}
    assert desk.states(job.job_id)[-1] == "running"
    desk.compute = desk.computed
    await desk.say(*(event for request in requests for event in desk.computed(request)))
    desk.clock.advance(301)
    await desk.finish()
    assert desk.states(job.job_id)[-1] == "completed"


async def test_what_was_read_of_a_file_is_noted(desk, archive, hours):
    await files_read(desk, hours())
    assert await ledger(desk) == {
        f"{MONTHS}01.zip": ("read", None), f"{MONTHS}02.zip": ("read", None),
    }  # fmt: skip


async def test_a_file_that_was_replaced_is_read_again_though_its_slots_are_explained(
    desk, archive, hours
):
    await files_read(desk, hours())
    explain(desk)
    archive.files[f"{MONTHS}01.zip"] = b"another one"
    requests = await asked_by(desk, hours())
    assert [r.file.path for r in requests] == [f"{MONTHS}01.zip"]


async def test_of_a_file_that_was_replaced_each_job_reads_what_no_job_has_read_of_it(
    desk, archive, hours
):
    normal = desk.answer
    desk.answer = lambda request: [read(request, read_at=desk.clock.now()), *normal(request)]
    await desk.say(hours(end=FEBRUARY))
    await desk.finish()
    explain(desk)
    archive.files[f"{MONTHS}01.zip"] = b"another one"
    day = timedelta(days=1)
    asked = []
    for start, end in ((0, 2), (1, 4), (0, 4)):
        desk.clock.advance(60)
        job = hours(start=JANUARY + start * day, end=JANUARY + end * day)
        requests = await asked_by(desk, job)
        asked.append([((r.start - JANUARY) // day, (r.end - JANUARY) // day) for r in requests])
    assert asked == [[(0, 2)], [(2, 4)], []]


@pytest.mark.parametrize(
    ("fields", "routes"),
    [
        ({}, {"rest"}),
        ({"incremental": False}, {"archive"}),
        ({"source": "archive"}, set[str]()),
    ],
)
async def test_what_a_file_that_was_read_lacks_is_asked_of_the_venue(
    desk, archive, hours, fields, routes
):
    await files_read(desk, hours())
    # Of what was asked nothing is explained: the files had no row.
    requests = await asked_by(desk, hours(**fields))
    assert {request.route for request in requests} == routes


async def test_the_same_content_under_another_version_is_not_read_again(desk, archive, hours):
    await files_read(desk, hours())
    explain(desk)
    archive.stamps = dict.fromkeys(archive.files, "-2")
    assert await asked_by(desk, job := hours()) == []
    assert desk.states(job.job_id)[-1] == "completed"


async def test_a_file_that_was_refused_is_not_asked_for_where_the_venue_answers(
    desk, archive, hours
):
    normal = desk.answer
    reason = "checksum_mismatch: download both again"
    desk.answer = lambda request: [read(request, refused=reason), *normal(request)]
    await desk.say(hours(end=FEBRUARY))
    await desk.finish()
    assert await ledger(desk) == {f"{MONTHS}01.zip": ("refused", reason)}
    desk.answer = normal
    await desk.say(again := hours(end=FEBRUARY))
    await desk.finish()
    requests = [r for r in desk.said(FetchRequestedV1) if r.job_id == again.job_id]
    assert [request.route for request in requests] == ["rest"]


async def test_the_file_of_a_month_supersedes_those_of_its_days(desk, archive, hours):
    days = "spot/daily/klines/BTCUSDT/1h/BTCUSDT-1h-2024-01-"
    normal = desk.answer
    desk.answer = lambda request: [
        read(request, read_at=desk.clock.now()), *normal(request)
    ]  # fmt: skip
    month = archive.files.pop(f"{MONTHS}01.zip")
    archive.files |= {f"{days}01.zip": b"1", f"{days}02.zip": b"2"}
    await desk.say(hours(source="archive", end=JANUARY + timedelta(days=2)))
    await desk.finish()
    assert {status for status, _ in (await ledger(desk)).values()} == {"read"}
    desk.clock.advance(60)
    archive.files[f"{MONTHS}01.zip"] = month
    await desk.say(hours(source="archive", end=FEBRUARY))
    await desk.finish()
    superseded = ("superseded", f"{MONTHS}01.zip")
    assert await ledger(desk) == {
        f"{days}01.zip": superseded, f"{days}02.zip": superseded,
        f"{MONTHS}01.zip": ("read", None),
    }  # fmt: skip
