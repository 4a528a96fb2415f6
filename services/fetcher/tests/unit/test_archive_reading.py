"""From the text of a file to its parts."""

import csv
import io
import zipfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from candlelog.events.candles import QuarantinedRow
from candlelog.market.archives import ArchiveFile, binance_file
from candlelog.market.pages import Layout
from candlelog.market.ranges import TimeRange, merge
from candlelog.market.timeframe import Timeframe, milliseconds
from fetcher.archives.gate import Content, opened
from fetcher.archives.lines import BINANCE, KRAKEN
from fetcher.archives.quarantine import MOST_WAITING
from fetcher.archives.reading import Part, Reading
from fetcher.archives.sieve import Wanted
from fetcher.domain.file_summary import Summary

START = datetime(2024, 2, 1, tzinfo=UTC)
FEBRUARY = TimeRange(START, datetime(2024, 3, 1, tzinfo=UTC))
MINUTES = Timeframe.parse("1m")


def minute(number: int) -> datetime:
    return START + timedelta(minutes=number)


def first_minutes(count: int) -> TimeRange:
    return TimeRange(START, minute(count))


def stamp(number: int) -> int:
    return milliseconds(minute(number))


def binance(number: int, times: int = 1) -> str:
    """A line of the minute, its times in milliseconds or in so many parts of one."""
    opens, closes = stamp(number) * times, (stamp(number + 1) - 1) * times
    return f"{opens},1.0,2.0,0.5,1.5,10.0,{closes},15.0,4,5.0,7.5,0"


def kraken(number: int, *, volume: str = "10.0", trades: str = "4", time: str = "") -> str:
    return f"{time or stamp(number) // 1000},1.0,2.0,0.5,1.5,{volume},{trades}"


@dataclass
class Read:
    """What was read of a file."""

    parts: list[Part]
    summary: Summary

    @property
    def minutes(self) -> list[float]:
        times = [time for part in self.parts for time in part.page.rows["open_time"].to_pylist()]
        return [(time - START) / timedelta(minutes=1) for time in times]

    @property
    def quarantined(self) -> list[QuarantinedRow]:
        return [row for part in self.parts for row in part.page.quarantined]

    def column(self, name: str) -> list[object]:
        return [value for part in self.parts for value in part.page.rows[name].to_pylist()]


def read(
    text: str | bytes,
    layouts: tuple[Layout, ...] = KRAKEN,
    window: TimeRange = FEBRUARY,
    *,
    named: TimeRange | None = None,
    is_dense: bool = False,
    **sizes: int,
) -> Read:
    content = Content("a.csv", "", 0, io.BytesIO(text.encode() if isinstance(text, str) else text))
    reading = Reading(
        content, Wanted(layouts, MINUTES, window, named=named, is_dense=is_dense), **sizes
    )
    return Read(list(reading.parts()), reading.summary())


def lines(*found: str, end: str = "\n") -> str:
    return "".join(line + end for line in found)


def test_a_file_is_read_to_the_last_digit():
    found = read("1706745600,0.1,12345.678901,0.09999999,0.30000000000000004,1e-05,4\n")
    values = [found.column(name)[0] for name in ("open", "high", "low", "close", "volume")]
    assert values == [0.1, 12345.678901, 0.09999999, 0.30000000000000004, 1e-05]


def test_binance_tells_the_volume_in_quote_currency_too():
    found = read(lines(binance(0)), BINANCE)
    assert (found.column("volume"), found.column("quote_volume")) == ([10.0], [15.0])


def test_kraken_does_not_tell_the_volume_in_quote_currency():
    assert read(lines(kraken(0))).column("quote_volume") == [None]


def test_a_comma_at_the_end_of_a_line_is_no_column():
    found = read(lines(kraken(0) + ",", kraken(1), kraken(2) + ","))
    assert (found.minutes, found.quarantined) == ([0, 1, 2], [])


def test_a_comma_in_place_of_the_last_column_is_a_missing_column():
    found = read(lines(kraken(0, trades=""), kraken(1)))
    assert (found.minutes, len(found.quarantined)) == ([1], 1)


def test_trades_may_be_written_as_a_decimal():
    assert read(lines(kraken(0, trades="4.0"))).column("trades") == [4]


def test_half_a_trade_is_malformed():
    found = read(lines(kraken(0, trades="4.5"), kraken(1)))
    assert (found.minutes, found.quarantined[0].reason) == ([1], "malformed")


def test_an_eighth_value_means_that_the_sixth_is_the_average_price():
    found = read(lines(kraken(0), kraken(1, volume="1.25,20.0"), kraken(2)))
    assert (found.minutes, found.column("volume")) == ([0, 1, 2], [10.0, 20.0, 10.0])


def test_lines_may_end_as_those_of_windows():
    found = read(lines(kraken(0), kraken(1) + ",", end="\r\n"))
    assert (found.minutes, found.quarantined) == ([0, 1], [])


def test_a_byte_order_mark_is_no_part_of_the_first_line():
    found = read("\ufeff" + lines(kraken(0), kraken(1)))
    assert (found.minutes, found.quarantined) == ([0, 1], [])


def test_the_last_line_may_lack_its_end():
    assert read(kraken(0) + "\n" + kraken(1)).minutes == [0, 1]


HEADER = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,"
    "taker_buy_quote_volume,ignore"
)


@pytest.mark.parametrize("header", [[HEADER], []], ids=["with a header", "without"])
def test_a_file_may_begin_with_a_header(header: list[str]):
    found = read(lines(*header, binance(0), binance(1)), BINANCE)
    assert (found.minutes, found.quarantined) == ([0, 1], [])


def test_lines_are_counted_with_the_header():
    found = read(lines(HEADER, binance(0), "text"), BINANCE)
    assert [row.raw for row in found.quarantined] == ["line 3: text"]


def test_a_header_of_other_columns_is_none():
    found = read(lines(HEADER.replace("open,high", "high,open"), binance(0)), BINANCE)
    assert (found.minutes, len(found.quarantined)) == ([0], 1)


def test_large_times_are_microseconds():
    found = read(lines(binance(0), binance(1, times=1000), binance(2)), BINANCE)
    assert (found.minutes, found.quarantined) == ([0, 1, 2], [])


def test_a_time_beside_the_grid_is_not_moved_onto_it():
    beside = binance(1).replace(str(stamp(1)), f"{stamp(1)}400", 1)
    found = read(lines(binance(0), beside, binance(2)), BINANCE)
    assert (found.minutes, found.quarantined[0].reason) == ([0, 2], "off_grid")


@pytest.mark.parametrize(
    "line",
    [
        "text",
        "",
        ",",
        "1706745660",
        kraken(1) + ",1,2",
        kraken(1, volume="ten"),
        kraken(1, volume="nan"),
        kraken(1, volume='"10.0"'),
        kraken(1, time="2024-02-01"),
        kraken(1, time="1706745660.5"),
        kraken(1, time="9" * 30),
        "\x00\x1b[2J\r",
    ],
)
def test_a_line_of_no_known_form_is_refused_and_the_others_are_read(line: str):
    found = read(lines(kraken(0), line, kraken(2)))
    assert found.minutes == [0, 2]
    [refused] = found.quarantined
    assert refused.reason == "malformed"
    assert refused.raw.startswith("line 2: ")
    assert refused.raw.isprintable()


def test_a_malformed_line_states_its_time_where_that_can_be_read():
    [refused] = read(lines(kraken(1, volume="ten"))).quarantined
    assert refused.open_time == minute(1)


def test_bytes_that_are_no_text_are_refused_as_a_line():
    found = read(kraken(0).encode() + b"\n\xff\xfe\n" + kraken(2).encode())
    assert (found.minutes, len(found.quarantined)) == ([0, 2], 1)


def test_an_endless_line_is_refused_cut_and_the_next_is_read():
    found = read(lines(kraken(0), "1" * 1_000_000, kraken(2)), block_bytes=100_000)
    assert found.minutes == [0, 2]
    [refused] = found.quarantined
    assert len(refused.raw) < 1000


def test_a_candle_that_breaks_a_rule_is_refused_with_its_line():
    found = read(lines(kraken(0), kraken(1, volume="-1"), kraken(2)))
    [refused] = found.quarantined
    assert (refused.reason, refused.open_time) == ("not_positive", minute(1))
    assert refused.raw == f"line 2: {kraken(1, volume='-1')}"


def test_of_a_doubled_line_the_second_is_refused():
    found = read(lines(kraken(0), kraken(1), kraken(1), kraken(2)))
    assert found.minutes == [0, 1, 2]
    assert [(row.reason, row.raw[:7]) for row in found.quarantined] == [
        ("not_increasing", "line 3:")
    ]


@pytest.mark.parametrize("block_bytes", [1, 1000])
def test_a_line_out_of_order_costs_itself_alone(block_bytes: int):
    found = read(lines(*map(kraken, [9, 0, 1, 2, 3])), block_bytes=block_bytes)
    assert found.minutes == [0, 1, 2, 3]
    assert [row.raw for row in found.quarantined] == [f"line 1: {kraken(9)}"]


def test_a_row_beside_the_named_period_is_refused():
    found = read(lines(*map(kraken, [-1, 0])), named=FEBRUARY)
    assert (found.minutes, found.quarantined[0].reason) == ([0], "outside_window")


def test_a_row_of_the_file_beside_what_is_wanted_is_passed_over():
    window = TimeRange(minute(1), minute(3))
    text = lines(*map(kraken, range(5)), kraken(6, volume="ten"), kraken(7, volume="-1"))
    found = read(text, window=window, named=FEBRUARY)
    assert (found.minutes, found.quarantined) == ([1, 2], [])


def test_a_month_may_lack_days():
    days = 24 * 60
    text = lines(*(kraken(number) for number in range(29 * days) if number // days not in (4, 5)))
    found = read(text, named=FEBRUARY)
    assert (found.summary.missing, found.summary.quarantined) == (2 * days, 0)


DAY = 24 * 60


def answered(*minutes: int, window: TimeRange = FEBRUARY) -> list[tuple[int, int]]:
    """What a file with these candles answers for, in minutes, where the market has all of them."""
    found = read(lines(*map(kraken, minutes)), window=window, named=FEBRUARY, is_dense=True)
    ranges = merge(part.window for part in found.parts)
    return [
        ((each.start - START) // timedelta(minutes=1), (each.end - START) // timedelta(minutes=1))
        for each in ranges
    ]


def test_a_file_does_not_answer_for_days_that_it_lacks():
    assert answered(*range(10), *range(3 * DAY, 3 * DAY + 5)) == [(0, 10), (3 * DAY, 3 * DAY + 5)]


def test_a_file_answers_for_hours_that_it_lacks():
    assert answered(*range(10), *range(DAY + 9, DAY + 20)) == [(0, DAY + 20)]


def test_a_day_is_counted_from_the_close_of_a_candle():
    assert answered(0, DAY, 2 * DAY + 1) == [(0, DAY + 1), (2 * DAY + 1, 2 * DAY + 2)]


def test_a_file_answers_for_nothing_before_its_first_candle_or_behind_its_last():
    assert answered(*range(100, 200)) == [(100, 200)]


def test_candles_beside_what_is_wanted_tell_that_a_file_goes_on():
    assert answered(*range(5), *range(20, 25), window=TimeRange(minute(3), minute(22))) == [(3, 22)]
    assert answered(*range(5), *range(20, 25), window=TimeRange(minute(7), minute(9))) == [(7, 9)]


def test_a_file_that_lacks_all_that_is_wanted_has_no_part():
    assert answered(0, 4 * DAY, window=TimeRange(minute(DAY), minute(2 * DAY))) == []
    assert answered(*range(5), window=TimeRange(minute(7), minute(9))) == []


def test_what_no_part_holds_is_missing():
    found = read(lines(kraken(100)), window=first_minutes(200), named=FEBRUARY, is_dense=True)
    assert found.summary.missing == 199


@given(st.lists(st.integers(0, 40).map(lambda number: 700 * number), max_size=30), st.data())
def test_of_a_file_with_holes_each_row_is_in_its_part_and_one_part_is_the_last(
    minutes: list[int], data: st.DataObject
):
    text = lines(*map(kraken, data.draw(st.sampled_from([minutes, sorted(minutes)]))))
    first = data.draw(st.integers(0, 20_000))
    window = TimeRange(minute(first), minute(first + 9_000))
    sizes = {"part_rows": 3, "block_bytes": 90}
    parts = read(text, window=window, named=FEBRUARY, is_dense=True, **sizes).parts
    assert [part.is_last for part in parts] in ([], [False] * (len(parts) - 1) + [True])
    assert [part.number for part in parts] == list(range(len(parts)))
    for part in parts:
        times = part.page.rows["open_time"].to_pylist()
        assert all(part.window.start <= time < part.window.end for time in times)
    assert all(one.window.end <= other.window.start for one, other in pairwise(parts))


def test_missing_months_are_counted_by_the_calendar():
    year = TimeRange(datetime(2023, 1, 1, tzinfo=UTC), datetime(2024, 1, 1, tzinfo=UTC))
    opens = [datetime(2023, month, 1, tzinfo=UTC) for month in (1, 2, 4)]
    text = lines(*(binance(int((time - START) / timedelta(minutes=1))) for time in opens))
    content = Content("a.csv", "", 0, io.BytesIO(text.encode()))
    reading = Reading(content, Wanted(BINANCE, Timeframe.parse("1M"), year))
    assert len(list(reading.parts())) == 1
    assert reading.summary().missing == 9


def test_the_summary_tells_the_first_and_the_last_row():
    summary = read(lines(*map(kraken, [3, 4, 7]))).summary
    assert (summary.rows, summary.first, summary.last) == (3, minute(3), minute(7))


def test_windows_of_parts_follow_each_other():
    found = read(lines(*map(kraken, [1, 2, 5, 6, 9])), window=first_minutes(12), part_rows=2)
    assert [part.window for part in found.parts] == [
        TimeRange(START, minute(3)),
        TimeRange(minute(3), minute(7)),
        TimeRange(minute(7), minute(12)),
    ]


def test_only_the_last_part_is_the_last():
    parts = read(lines(*map(kraken, range(4))), window=first_minutes(4), part_rows=2).parts
    assert [(part.number, part.is_last) for part in parts] == [(0, False), (1, True)]


def test_a_file_without_rows_has_one_part():
    [part] = read("").parts
    assert (part.window, part.page.rows.num_rows, part.is_last) == (FEBRUARY, 0, True)


def test_a_refused_row_is_told_of_in_the_part_it_lies_in():
    bad = kraken(2, volume="-1")
    parts = read(lines(kraken(0), kraken(1), bad, kraken(3), kraken(4)), part_rows=2).parts
    assert [len(part.page.quarantined) for part in parts] == [0, 1]


def test_a_row_that_came_too_soon_is_told_of_in_the_part_it_lies_in():
    parts = read(lines(*map(kraken, [4, 0, 1, 2, 3])), window=first_minutes(6), part_rows=2).parts
    assert [len(part.page.quarantined) for part in parts] == [0, 1]


def test_of_very_many_refused_lines_some_are_kept_and_all_are_counted():
    found = read(lines(*["text"] * (MOST_WAITING + 5), kraken(0)))
    assert (found.minutes, found.summary.quarantined) == ([0], MOST_WAITING + 5)
    assert len(found.quarantined) == MOST_WAITING + 1
    assert found.quarantined[-1].raw == "5 more lines are not kept"


numbers = st.sampled_from(
    [
        *("10.0", "7", ".5", "5.", "1e1", "1E-3", "007", "-1", "0", "+1", "1e", "1.2.3", "--1"),
        *("", "nan", "inf", "1e400", "1e-400", "0x10", "1_0", " 1", "1\r", '"1"', "x"),
    ]
)
times = st.one_of(
    st.just(""), st.sampled_from(["x", "-5", "9" * 19, "9" * 25, "1706745600.0", "1706745601"])
)
some_lines = st.one_of(
    st.sampled_from(["", ",", "text", "1,2,3"]),
    st.integers(-2, 12).map(kraken),
    st.builds(kraken, st.integers(-2, 12), volume=numbers, trades=numbers, time=times),
    st.builds(lambda number: kraken(number, volume="1.0,10.0"), st.integers(0, 12)),
)
files = st.lists(
    st.tuples(some_lines, st.sampled_from(["\n", "\n", ",\n", "\r\n", ",\r\n"])), max_size=25
).map(lambda found: "".join(line + end for line, end in found))


@example("\n" + lines(kraken(0, trades="+1")), 1)
@given(files, st.integers(1, 120))
def test_a_file_is_read_as_well_in_small_blocks_as_at_once(text: str, block_bytes: int):
    window, named = first_minutes(10), first_minutes(11)
    at_once = read(text, window=window, named=named, part_rows=3)
    assert read(text, window=window, named=named, part_rows=3, block_bytes=block_bytes) == at_once


@given(files)
def test_every_line_of_a_file_is_a_row_or_refused(text: str):
    everything = TimeRange(START - timedelta(days=1), START + timedelta(days=1))
    summary = read(text, window=everything, named=everything).summary
    assert summary.rows + summary.quarantined == text.count("\n")


@given(st.lists(st.integers(-2, 12).map(kraken), max_size=25).map(lambda found: lines(*found)))
def test_parts_are_of_the_whole_window(text: str):
    parts = read(text, window=first_minutes(10), part_rows=3).parts
    assert merge(part.window for part in parts) == [first_minutes(10)]


@pytest.mark.parametrize("is_dense", [True, False])
@pytest.mark.parametrize("block_bytes", [1, 1000])
def test_a_file_does_not_answer_for_slots_that_it_lacks_where_a_line_tells_no_time(
    is_dense: bool, block_bytes: int
):
    text = lines(kraken(0), kraken(1), "x", kraken(4), kraken(6), "", kraken(7), kraken(9), "text")
    sizes = {"is_dense": is_dense, "block_bytes": block_bytes}
    parts = read(text, window=first_minutes(10), **sizes).parts
    assert [part.window for part in parts] == [
        first_minutes(2), TimeRange(minute(4), minute(10)),
    ]  # fmt: skip


def test_a_line_without_a_time_before_the_first_row_may_be_of_what_is_before_it():
    parts = read(lines("text", kraken(3)), window=first_minutes(10)).parts
    assert [part.window for part in parts] == [TimeRange(minute(3), minute(10))]


@pytest.mark.parametrize("symbol", ["AVAXUSDT", "FILUSDT", "NEARUSDT"])
def test_a_real_month_of_binance_is_read_whole(real_data: Path, symbol: str):
    file = binance_file(f"futures/um/monthly/klines/{symbol}/1m/{symbol}-1m-2024-02.zip")
    assert isinstance(file, ArchiveFile)
    path = real_data / "binance" / file.path
    with zipfile.ZipFile(path) as archive:
        text = archive.read(archive.namelist()[0]).decode()
    expected = [
        (int(row[0]), *map(float, row[1:6]), float(row[7]), int(row[8]))
        for row in list(csv.reader(io.StringIO(text)))[1:]
    ]
    checksum = path.with_name(path.name + ".CHECKSUM").read_bytes()
    with opened(path, checksum=checksum) as content:
        reading = Reading(content, Wanted(BINANCE, MINUTES, FEBRUARY, named=file.period))
        batches = [part.page.rows for part in reading.parts()]
    summary = reading.summary()
    found = [
        (milliseconds(time), *values)
        for batch in batches
        for time, *values in zip(*(column.to_pylist() for column in batch.columns), strict=True)
    ]
    assert len(batches) == 5
    assert (summary.rows, summary.quarantined, summary.missing) == (41_760, 0, 0)
    assert found == expected


def test_nine_real_years_of_kraken_are_read_whole(real_data: Path):
    hours = Timeframe.parse("1h")
    window = TimeRange(datetime(2013, 10, 6, 21, tzinfo=UTC), datetime(2023, 1, 7, 10, tzinfo=UTC))
    with opened(real_data / "kraken/XBTUSD_60.csv") as content:
        reading = Reading(content, Wanted(KRAKEN, hours, window))
        sizes = [part.page.rows.num_rows for part in reading.parts()]
    summary = reading.summary()
    assert sizes == [*[10_000] * 7, 253]
    assert (summary.rows, summary.quarantined, summary.missing) == (70_253, 0, 10_856)
