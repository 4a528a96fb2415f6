"""The one chDB engine of this process, and how a statement runs on it.

Every statement gets a handle of its own, which costs a quarter of a millisecond: settings, the
current database and temporary tables of one request are never seen by another.
"""

import re
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

import chdb
import tenacity
from chdb.state.sqlitelike import Connection

from candlelog_embedded.clickhouse_front.statement import Statement

_CODE = re.compile(r"Code: (?P<code>\d+)\.")
_UNKNOWN_ERROR = 1000
_TAKE_OVER_SECONDS = 15.0


class EngineError(Exception):
    """The engine refused a statement: ClickHouse's error `code` and its text."""

    def __init__(self, text: str) -> None:
        found = _CODE.search(text)
        self.code = int(found["code"]) if found else _UNKNOWN_ERROR
        # chDB puts words of its own before the engine's.
        super().__init__(text[found.start() :] if found else text)


@dataclass(frozen=True, slots=True)
class Result:
    """An answer in the format asked for, and what it took."""

    body: bytes
    read_rows: int
    written_rows: int
    written_bytes: int
    elapsed_seconds: float


class Engine:
    """chDB on a data directory. Statements may run in several threads at once."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self._path = str(directory)
        # The engine lives as long as one handle does.
        self._keeper = _connect_when_free(self._path)
        self.version = self._ask("SELECT version()")
        self.timezone = self._ask("SELECT timezone()")

    def run(self, statement: Statement) -> Result:
        """Run one statement to its end; raises EngineError."""
        with _engine_errors(), self._handle(statement) as handle, _whole(statement) as sql:
            answer = handle.query(sql, statement.format, params=dict(statement.parameters))
            return Result(
                body=answer.bytes() or b"",
                read_rows=answer.storage_rows_read(),
                written_rows=answer.rows_written(),
                written_bytes=answer.bytes_written(),
                elapsed_seconds=answer.elapsed(),
            )

    def close(self) -> None:
        """Shut the engine down in order."""
        self._keeper.close()

    def _ask(self, sql: str) -> str:
        return self._keeper.query(sql, "TabSeparatedRaw").bytes().decode().strip()

    @contextmanager
    def _handle(self, statement: Statement) -> Generator[Connection]:
        handle = chdb.connect(self._path)
        try:
            if statement.database:
                handle.query(f"USE {_identifier(statement.database)}", "Null")
            if statement.settings:
                settings = ", ".join(
                    f"{_identifier(name)} = {_literal(value)}"
                    for name, value in statement.settings.items()
                )
                handle.query(f"SET {settings}", "Null")
            yield handle
        finally:
            handle.close()


@contextmanager
def _whole(statement: Statement) -> Generator[str]:
    """The SQL, which finds the data of an INSERT in a file.

    chDB's streaming insert says that all went well also where the table refused the rows.
    """
    if statement.data is None:
        yield statement.sql
        return
    with NamedTemporaryFile(prefix="candlelog-insert-") as file:
        file.write(statement.data)
        file.flush()
        yield f"{statement.sql} FROM INFILE {_literal(file.name)} FORMAT {statement.format}"


@contextmanager
def _engine_errors() -> Generator[None]:
    try:
        yield
    except RuntimeError as error:
        raise EngineError(str(error)) from None


@tenacity.retry(
    retry=tenacity.retry_if_exception_type(EngineError),
    wait=tenacity.wait_fixed(0.3),
    stop=tenacity.stop_after_delay(_TAKE_OVER_SECONDS),
    reraise=True,
)
def _connect_when_free(path: str) -> Connection:
    """Open the engine. A killed predecessor may hold the directory for a moment longer, of which
    chDB tells the log, but not the caller: to us, every failure to open looks the same.
    """
    with _engine_errors():
        return chdb.connect(path)


def _identifier(name: str) -> str:
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def _literal(value: str) -> str:
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
