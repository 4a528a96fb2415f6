"""The demo's own eyes: what the source says, and what a check says about a difference."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import candlelog_embedded
from candlelog_client.demo import checks, truth
from candlelog_client.results import Job
from candlelog_client.stored import CoverageRun

START, END = datetime(2024, 2, 1, tzinfo=UTC), datetime(2024, 3, 1, tzinfo=UTC)
(SAMPLE,) = Path(candlelog_embedded.__file__).parent.glob("sample_market/**/*.zip")


@pytest.fixture(scope="module")
def minutes() -> pa.Table:
    return truth.archived_minutes(SAMPLE)


def test_the_sample_is_a_whole_february(minutes):
    times = minutes["open_time"].to_numpy()
    assert len(times) == 41_760
    assert times[0] == START.timestamp() * 1000
    assert set(np.diff(times)) == {60_000}


def test_an_hour_is_the_fold_of_its_minutes(minutes):
    hours = truth.archived_hours(SAMPLE)
    assert set(np.diff(hours["open_time"].to_numpy())) == {3_600_000}
    assert hours.num_rows == 696
    first = minutes.slice(0, 60)
    hour = hours.slice(0, 1).to_pylist()[0]
    assert hour["open"] == first["open"][0].as_py()
    assert hour["close"] == first["close"][59].as_py()
    assert (hour["high"], hour["low"]) == (
        max(first["high"].to_pylist()),
        min(first["low"].to_pylist()),
    )
    assert hour["volume"] == pytest.approx(sum(first["volume"].to_pylist()))
    assert hour["trades"] == sum(first["trades"].to_pylist())


def test_a_generated_hour_is_the_fold_of_its_minutes():
    hours = truth.generated("SYNAUSDT", "1h", START, END)
    minutes = truth.generated("SYNAUSDT", "1m", START, START + timedelta(hours=1))
    assert (hours.num_rows, minutes.num_rows) == (696, 60)
    assert hours["high"][0].as_py() == max(minutes["high"].to_pylist())


def test_what_the_api_gives_compares_with_the_source(minutes):
    table = pa.table(
        {
            **{name: minutes[name] for name in truth.COMPARED},
            "open_time": minutes["open_time"].cast(pa.timestamp("ms", tz="UTC")),
            "trades": minutes["trades"].cast(pa.uint32()),
        }
    )
    assert checks.candles_equal("s", minutes, truth.stored(table)).holds


def test_a_value_one_unit_off_in_the_last_place_is_found(minutes):
    closes = minutes["close"].to_numpy().copy()
    closes[7] = np.nextafter(closes[7], np.inf)
    changed = minutes.set_column(4, "close", pa.array(closes))
    check = checks.candles_equal("s", minutes, changed)
    assert not check.holds
    assert "1 differ in close, the first in row 7" in check.found


def test_a_missing_candle_is_found(minutes):
    check = checks.candles_equal("s", minutes, minutes.slice(1))
    assert (check.holds, check.found) == (False, "41,759 candles are stored")


def run_of(start: datetime, end: datetime, state: str = "present") -> CoverageRun:
    slots = (end - start) // timedelta(minutes=1)
    return CoverageRun(
        exchange="b", symbol="s", timeframe="1m", start=start, end=end, slots=slots, state=state
    )


def test_coverage_in_pieces_without_a_hole_explains_the_range():
    middle = START + timedelta(days=3)
    assert checks.covered("s", [run_of(middle, END), run_of(START, middle)], START, END).holds


def test_a_hole_in_coverage_is_found():
    middle = START + timedelta(days=3)
    runs = [run_of(START, middle), run_of(middle + timedelta(minutes=1), END)]
    check = checks.covered("s", runs, START, END)
    assert not check.holds
    assert "02-01 00:00 to 02-04 00:00" in check.found


def test_unknown_slots_explain_nothing():
    middle = START + timedelta(days=3)
    runs = [run_of(START, middle), run_of(middle, END, "unknown")]
    assert not checks.covered("s", runs, START, END).holds


def test_a_failed_job_is_said_with_its_reason(api):
    job = Job.model_validate(api.job(status="failed", error={"code": "x", "message": "banned"}))
    check = checks.job_is_complete(job)
    assert (check.holds, check.found) == (False, "failed banned")


def test_a_refused_request_breaks_the_limit_check():
    assert checks.limit_kept(refused=0, heaviest=6000, capacity=6000).holds
    assert not checks.limit_kept(refused=1, heaviest=6000, capacity=6000).holds
    assert not checks.limit_kept(refused=0, heaviest=6001, capacity=6000).holds
