"""The files of an archive that the sandbox makes of its candles."""

import hashlib
import io
import zipfile
from datetime import UTC, datetime

import orjson
import pytest

from candlelog_embedded.sandbox.intervals import INTERVALS
from candlelog_embedded.sandbox.markets import Markets, generated
from candlelog_embedded.sandbox.paging import candles
from candlelog_embedded.sandbox.rendering import kline_rows
from candlelog_embedded.sandbox.tenure import Tenure
from candlelog_embedded.sandbox.trees import Trees

FOLDER = "/archive/spot/monthly/klines/SYNAUSDT/1h"
FEBRUARY = f"{FOLDER}/SYNAUSDT-1h-2024-02.zip"


def ms(day: str) -> int:
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() * 1000)


NOW = ms("2024-03-15")


@pytest.fixture
def markets() -> Markets:
    return Markets(generated(1))


@pytest.fixture
def trees(markets: Markets) -> Trees:
    return Trees(markets)


def rows(content: bytes) -> list[list[str]]:
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        (name,) = file.namelist()
        return [line.split(",") for line in file.read(name).decode().splitlines()]


@pytest.mark.parametrize(
    ("path", "start", "end"),
    [
        (FEBRUARY, "2024-02-01", "2024-03-01"),
        (
            "/archive/futures/um/daily/klines/SYNAUSDT/1h/SYNAUSDT-1h-2024-03-14.zip",
            "2024-03-14", "2024-03-15",
        ),
    ],
)  # fmt: skip
def test_a_file_holds_the_rows_of_its_month_or_day(
    markets: Markets, trees: Trees, path: str, start: str, end: str
):
    source = markets.source("SYNAUSDT")
    assert source is not None
    told = candles(source, INTERVALS["1h"], ms(start), ms(end))
    expected = orjson.loads(kline_rows(told, INTERVALS["1h"]))
    assert rows(trees.answer("GET", path, NOW).body) == [list(map(str, row)) for row in expected]


def test_the_checksum_is_that_of_the_file(trees: Trees):
    digest = hashlib.sha256(trees.answer("GET", FEBRUARY, NOW).body).hexdigest()
    beside = trees.answer("GET", f"{FEBRUARY}.CHECKSUM", NOW)
    assert beside.body.decode() == f"{digest}  SYNAUSDT-1h-2024-02.zip\n"


def test_who_asks_only_whether_it_is_there_gets_the_tag_alone(trees: Trees):
    asked, got = (trees.answer(method, FEBRUARY, NOW) for method in ("HEAD", "GET"))
    assert (asked.status, asked.body, asked.headers) == (200, b"", got.headers)


def test_the_tag_is_another_one_where_the_rows_are(markets: Markets, trees: Trees):
    before = trees.answer("GET", FEBRUARY, NOW)
    markets.set_holes("SYNAUSDT", [(ms("2024-02-03"), ms("2024-02-04"))])
    after = trees.answer("GET", FEBRUARY, NOW)
    assert before.headers != after.headers
    assert len(rows(before.body)) - len(rows(after.body)) == 24


@pytest.mark.parametrize(
    "path",
    [
        f"{FOLDER}/SYNAUSDT-1h-2024-03.zip",
        f"{FOLDER}/SYNAUSDT-1h-2016-12.zip",
        f"{FOLDER}/SYNAUSDT-1h-2024-02.csv",
        FEBRUARY.replace("SYNAUSDT", "NOUSDT"),
        "/archive/",
    ],
    ids=["not over", "before the market", "another name", "unknown market", "a folder"],
)
def test_what_there_is_no_file_of_is_not_there(trees: Trees, path: str):
    assert trees.answer("GET", path, NOW).status == 404


def test_a_market_that_was_not_listed_then_has_no_file(markets: Markets, trees: Trees):
    markets.set_tenure("SYNAUSDT", Tenure(since=ms("2024-03-01")))
    assert trees.answer("GET", FEBRUARY, NOW).status == 404
