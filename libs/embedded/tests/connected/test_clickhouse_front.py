"""The front, as `clickhouse-connect` uses a ClickHouse server."""

import gzip
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import clickhouse_connect
import lz4.frame
import pyarrow as pa
import pytest
import urllib3
import zstandard
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

pytestmark = pytest.mark.connected

MOMENT = datetime(2024, 2, 1, 12, 30, 0, 250_000, tzinfo=UTC)


@pytest.fixture
def client(clickhouse_url: str) -> Generator[Client]:
    with connect(clickhouse_url) as connected:
        connected.command(
            "CREATE TABLE t (n UInt64, text Nullable(String), at DateTime64(3, 'UTC'), x Float64)"
            " ENGINE = MergeTree ORDER BY n"
        )
        yield connected


def connect(url: str, **options) -> Client:
    settings = {"async_insert": 0}
    return clickhouse_connect.get_client(
        dsn=url, autogenerate_session_id=False, settings=settings, tz_mode="aware", **options
    )


def test_a_client_learns_version_and_settings(client: Client):
    assert client.server_version.startswith("26.")
    assert client.server_tz == UTC or str(client.server_tz) == "UTC"
    assert client.server_settings["async_insert"].value == "1"


@pytest.mark.parametrize("compress", [False, "lz4", "zstd", "gzip"])
def test_rows_are_inserted_in_native_blocks(clickhouse_url: str, client: Client, compress):
    rows = [(1, "a", MOMENT, 0.1), (2, None, MOMENT, 1e-300)]
    with connect(clickhouse_url, compress=compress) as other:
        summary = other.insert("t", rows, column_names=["n", "text", "at", "x"])
    assert summary.written_rows == 2
    assert client.query("SELECT * FROM t ORDER BY n").result_rows == rows


def test_columns_are_inserted_and_read_as_arrow(client: Client):
    table = pa.table(
        {
            "n": pa.array(range(100_000), pa.uint64()),
            "text": pa.array([None] * 100_000, pa.string()),
            "at": pa.array([MOMENT] * 100_000, pa.timestamp("ms", "UTC")),
            "x": pa.array([0.1] * 100_000, pa.float64()),
        }
    )
    assert client.insert_arrow("t", table).written_rows == 100_000
    read = client.query_arrow("SELECT * FROM t ORDER BY n", use_strings=True)
    assert read.column("n").to_pylist() == list(range(100_000))
    assert read.column("x").unique().to_pylist() == [0.1]
    assert read.column("at").unique().cast(table.column("at").type).to_pylist() == [MOMENT]


def test_a_large_insert_is_one_part(client: Client):
    # A block may hold a million rows before the engine cuts it; then a crash could keep a half.
    rows = [(number, "text", MOMENT, 1.0) for number in range(5_000)]
    client.insert("t", rows, column_names=["n", "text", "at", "x"])
    parts = "SELECT count() FROM system.parts WHERE table = 't' AND database = currentDatabase()"
    assert client.command(parts) == 1


@pytest.mark.parametrize("text", ["it's", "tab\there", "back\\slash", "line\nfeed", "snow ☃", ""])
def test_parameters_are_bound_not_pasted(client: Client, text: str):
    assert client.query("SELECT {text:String}", {"text": text}).result_rows == [(text,)]


def test_times_and_lists_are_bound(client: Client):
    sql = "SELECT {at:DateTime64(3, 'UTC')}, {names:Array(String)}"
    found = client.query(sql, {"at": MOMENT, "names": ["a'b", "c"]}).result_rows
    assert found == [(MOMENT, ["a'b", "c"])]


def test_parameters_may_come_in_a_form(clickhouse_url: str):
    with connect(clickhouse_url, form_encode_query_params=True) as client:
        found = client.query("SELECT {text:String}", {"text": "x" * 100_000}).result_rows
    assert found == [("x" * 100_000,)]


@pytest.mark.parametrize(
    ("sql", "code"),
    [("SELECT * FROM nowhere", 60), ("SELEC 1", 62), ("SELECT toUInt8('x')", 6)],
)
def test_an_error_has_the_engines_code_and_text(client: Client, sql: str, code: int):
    with pytest.raises(DatabaseError, match=f"Code: {code}. DB::Exception") as raised:
        client.query(sql)
    assert raised.value.code == code


def test_a_bad_insert_stores_nothing_and_says_why(client: Client):
    with pytest.raises(DatabaseError) as raised:
        client.raw_insert("t", ["n", "text"], insert_block=b"1,a\nno number,b\n", fmt="CSV")
    assert raised.value.code == 27
    assert client.command("SELECT count() FROM t") == 0


def test_an_insert_that_the_table_refuses_stores_nothing_and_says_why(client: Client):
    client.command("CREATE TABLE p (n UInt64) ENGINE = MergeTree PARTITION BY n ORDER BY n")
    with pytest.raises(DatabaseError) as raised:
        client.insert_arrow("p", pa.table({"n": pa.array(range(101), pa.uint64())}))
    assert raised.value.code == 252
    assert client.command("SELECT count() FROM p") == 0


def test_an_unknown_setting_is_refused(clickhouse_url: str):
    answer = post(clickhouse_url, "SELECT 1", "no_such_setting=1")
    assert answer.headers["X-ClickHouse-Exception-Code"] == "115"


def test_settings_hold_for_one_statement(client: Client):
    ask = "SELECT getSetting('max_block_size')"
    assert client.query(ask, settings={"max_block_size": 777}).result_rows == [(777,)]
    assert client.query(ask).result_rows != [(777,)]


def test_a_session_statement_does_not_leak_into_the_next(client: Client):
    database = client.command("SELECT currentDatabase()")
    client.command("USE system")
    client.command("CREATE TEMPORARY TABLE mine (n UInt8)")
    assert client.command("SELECT currentDatabase()") == database
    assert client.command("EXISTS TEMPORARY TABLE mine") == 0


def test_statements_of_two_databases_run_at_once(clickhouse_url: str, client: Client):
    def ask(number: int) -> tuple[object, ...]:
        database = "system" if number % 2 else None
        query = "SELECT currentDatabase(), {n:UInt32} FROM numbers(1000) LIMIT 1"
        with connect(clickhouse_url) as other:
            if database:
                other.database = database
            return other.query(query, {"n": number}).result_rows[0]

    mine = clickhouse_url.rsplit("/", 1)[1]
    with ThreadPoolExecutor(16) as threads:
        answers = list(threads.map(ask, range(64)))
    assert answers == [("system" if n % 2 else mine, n) for n in range(64)]


def test_inserts_and_merging_reads_run_at_once(client: Client):
    client.command("CREATE TABLE r (k UInt32, v UInt32) ENGINE = ReplacingMergeTree(v) ORDER BY k")

    def write(version: int) -> None:
        rows = [(key, version) for key in range(100)]
        client.insert("r", rows, column_names=["k", "v"])
        client.query("SELECT count() FROM r FINAL")

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(write, range(50)))
    assert client.query("SELECT count(), min(v), max(v) FROM r FINAL").result_rows == [
        (100, 49, 49)
    ]


@pytest.mark.parametrize(
    ("encoding", "compress"),
    [("gzip", gzip.compress), ("lz4", lz4.frame.compress), ("zstd", zstandard.compress)],
)
def test_a_compressed_body_is_read(clickhouse_url: str, encoding: str, compress):
    body = compress(b"SELECT 1 + 1")
    assert post(clickhouse_url, body, **{"Content-Encoding": encoding}).data == b"2\n"


def test_a_broken_body_is_refused(clickhouse_url: str):
    answer = post(clickhouse_url, b"no lz4", **{"Content-Encoding": "lz4"})
    assert answer.status == 400
    assert answer.headers["X-ClickHouse-Exception-Code"] == "36"


@pytest.mark.parametrize(
    ("header", "status"),
    [({"Origin": "http://evil.example"}, 403), ({"Host": "evil.example"}, 400)],
)
def test_a_web_page_cannot_use_the_engine(clickhouse_url: str, header: dict[str, str], status: int):
    assert post(clickhouse_url, b"SELECT 1", **header).status == status


def test_the_answer_names_its_format(clickhouse_url: str):
    answer = post(clickhouse_url, "SELECT 1 AS a FORMAT JSONEachRow")
    assert answer.data == b'{"a":1}\n'
    assert answer.headers["X-ClickHouse-Format"] == "JSONEachRow"


def post(url: str, sql: str | bytes, query: str = "", **headers: str) -> urllib3.BaseHTTPResponse:
    address = f"http://{url.split('@')[1].rsplit('/', 1)[0]}/?{query}"
    with urllib3.PoolManager() as pool:
        return pool.request("POST", address, body=sql, headers=headers)
