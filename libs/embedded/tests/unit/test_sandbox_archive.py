"""Archive files are read value for value, and only when their checksum holds."""

import hashlib
import io
import zipfile
from decimal import Decimal
from importlib.resources import files
from pathlib import Path

import numpy as np
import orjson
import pytest

from candlelog.errors import Invalid
from candlelog_embedded.sandbox.archive import read_klines
from candlelog_embedded.sandbox.archived import ArchivedMarket, Files, archived_symbols
from candlelog_embedded.sandbox.intervals import INTERVALS, MINUTE
from candlelog_embedded.sandbox.markets import archived
from candlelog_embedded.sandbox.paging import Question, page
from candlelog_embedded.sandbox.rendering import kline_rows

SAMPLE = Path(str(files("candlelog_embedded"))) / "sample_market"
ZIP = SAMPLE / "futures/um/monthly/klines/NEARUSDT/1m/NEARUSDT-1m-2024-02.zip"
FEBRUARY = 1_706_745_600_000
MARCH = 1_709_251_200_000
NOW = 1_795_000_000_000
HEADER = b"open_time,open,high,low,close,volume,close_time,quote_volume,count,x,y,ignore\n"


def put(path: Path, rows: bytes, *, checksum: str | None = None) -> Path:
    """A kline zip with a checksum beside it, the right one unless another is given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr(path.stem + ".csv", rows)
    path.write_bytes(content.getvalue())
    digest = checksum or hashlib.sha256(content.getvalue()).hexdigest()
    path.with_name(path.name + ".CHECKSUM").write_text(f"{digest}  {path.name}\n")
    return path


def minute(open_time: int, price: str = "1.5") -> bytes:
    row = f"{open_time},{price},{price},{price},{price},10,{open_time + 59_999},15,3,4,6,0\n"
    return row.encode()


def month(folder: Path, symbol: str = "ABCUSDT", tree: str = "spot/monthly") -> Path:
    return folder / tree / "klines" / symbol / "1m"


def lines_of_the_sample() -> list[list[str]]:
    with zipfile.ZipFile(ZIP) as archive:
        text = archive.read("NEARUSDT-1m-2024-02.csv").decode()
    return [line.split(",") for line in text.splitlines()[1:]]


def test_the_sample_market_is_served_value_for_value() -> None:
    (listing,) = archived(SAMPLE)
    served: list[list[str | int]] = []
    at = 0
    while rows := orjson.loads(
        kline_rows(
            page(listing.source, Question(INTERVALS["1m"], at, None, 1000), NOW), INTERVALS["1m"]
        )
    ):
        served += rows
        at = rows[-1][0] + 1
    expected = lines_of_the_sample()
    assert len(served) == len(expected) == 41_760
    assert [[Decimal(value) for value in row] for row in served] == [
        [Decimal(value) for value in row] for row in expected
    ]


def test_the_sample_market_is_listed_under_its_spot_symbol() -> None:
    (listing,) = archived(SAMPLE)
    assert (listing.symbol, listing.base, listing.quote) == ("NEARUSDT", "NEAR", "USDT")


def test_reading_a_file_gives_the_doubles_nearest_to_its_text() -> None:
    klines = read_klines(ZIP)
    lines = lines_of_the_sample()
    assert klines.open_time.tolist() == [int(line[0]) for line in lines]
    for column, field in (
        *((klines.open, 1), (klines.high, 2), (klines.low, 3), (klines.close, 4)),
        *((klines.volume, 5), (klines.quote_volume, 7)),
    ):
        assert column.tolist() == [float(line[field]) for line in lines]
    assert klines.trades.tolist() == [int(line[8]) for line in lines]


def test_a_wrong_checksum_is_refused(tmp_path: Path) -> None:
    path = put(tmp_path / "ABCUSDT-1m-2024-02.zip", minute(FEBRUARY), checksum="0" * 64)
    with pytest.raises(Invalid, match="does not match"):
        read_klines(path)


def test_a_missing_checksum_is_refused(tmp_path: Path) -> None:
    path = put(tmp_path / "ABCUSDT-1m-2024-02.zip", minute(FEBRUARY))
    path.with_name(path.name + ".CHECKSUM").unlink()
    with pytest.raises(Invalid, match="missing"):
        read_klines(path)


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    path = put(tmp_path / "ABCUSDT-1m-2024-02.zip", b"1,2,3\n")
    with pytest.raises(Invalid, match="not a kline file"):
        read_klines(path)


@pytest.mark.parametrize("header", [b"", HEADER])
@pytest.mark.parametrize("factor", [1, 1000])
def test_headers_and_microseconds_are_told_by_looking(
    tmp_path: Path, header: bytes, factor: int
) -> None:
    rows = header + minute(FEBRUARY * factor)
    klines = read_klines(put(tmp_path / "ABCUSDT-1m-2024-02.zip", rows))
    assert klines.open_time.tolist() == [FEBRUARY]


def test_months_follow_one_another_and_keep_their_own_decimals(tmp_path: Path) -> None:
    folder = month(tmp_path)
    put(folder / "ABCUSDT-1m-2024-02.zip", minute(MARCH - MINUTE, "1.5"))
    put(folder / "ABCUSDT-1m-2024-03.zip", minute(MARCH, "0.00000123"))
    market = ArchivedMarket(archived_symbols(tmp_path)["ABCUSDT"], Files())
    both = market.minutes(FEBRUARY, MARCH + MINUTE)
    rows = orjson.loads(kline_rows(both, INTERVALS["1m"]))
    assert [row[1] for row in rows] == ["1.50000000", "0.00000123"]


def test_what_follows_and_precedes_is_found_across_files(tmp_path: Path) -> None:
    folder = month(tmp_path)
    put(folder / "ABCUSDT-1m-2024-02.zip", minute(FEBRUARY))
    put(folder / "ABCUSDT-1m-2024-03.zip", minute(MARCH + 5 * MINUTE))
    market = ArchivedMarket(archived_symbols(tmp_path)["ABCUSDT"], Files())
    assert market.following(0) == FEBRUARY
    assert market.following(FEBRUARY + 1) == MARCH + 5 * MINUTE
    assert market.preceding(MARCH + MINUTE) == FEBRUARY
    assert market.preceding(FEBRUARY - 1) is None
    assert market.following(MARCH + 6 * MINUTE) is None


def test_a_day_counts_only_where_no_month_holds_it(tmp_path: Path) -> None:
    put(month(tmp_path) / "ABCUSDT-1m-2024-02.zip", minute(FEBRUARY, "2"))
    days = month(tmp_path, tree="spot/daily")
    put(days / "ABCUSDT-1m-2024-02-01.zip", minute(FEBRUARY, "3"))
    put(days / "ABCUSDT-1m-2024-03-01.zip", minute(MARCH, "4"))
    market = ArchivedMarket(archived_symbols(tmp_path)["ABCUSDT"], Files())
    assert market.minutes(0, NOW).open_time.tolist() == [FEBRUARY, MARCH]
    assert market.minutes(0, NOW).values[0].tolist() == [2, 4]


def test_spot_files_win_over_futures_files(tmp_path: Path) -> None:
    spot = put(month(tmp_path) / "ABCUSDT-1m-2024-02.zip", minute(FEBRUARY))
    put(
        month(tmp_path, tree="futures/um/monthly") / "ABCUSDT-1m-2024-03.zip",
        minute(MARCH),
    )
    assert archived_symbols(tmp_path) == {"ABCUSDT": [spot]}


def test_rows_out_of_order_are_put_in_order(tmp_path: Path) -> None:
    path = month(tmp_path) / "ABCUSDT-1m-2024-02.zip"
    put(path, minute(FEBRUARY + MINUTE) + minute(FEBRUARY))
    market = ArchivedMarket([path], Files())
    assert np.diff(market.minutes(0, NOW).open_time).tolist() == [MINUTE]


def test_a_symbol_of_no_known_quote_is_refused(tmp_path: Path) -> None:
    put(month(tmp_path, "ABCXYZ") / "ABCXYZ-1m-2024-02.zip", minute(FEBRUARY))
    with pytest.raises(Invalid, match="ABCXYZ"):
        archived(tmp_path)
