"""What a request asks of the engine: one statement with its surroundings."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

_NAME = rb"(?:`[^`]+`|\"[^\"]+\"|\w+)"
_INSERT_WITH_DATA = re.compile(
    rb"\s*(?P<statement>INSERT\s+INTO\s+(?:TABLE\s+)?" + _NAME + rb"(?:\s*\.\s*" + _NAME + rb")?"
    rb"(?:\s*\([^)]*\))?)\s*\bFORMAT\s+(?P<format>\w+)"
    rb"[ \t\f]*;?[ \t\f]*\r?\n?",
    re.IGNORECASE,
)
_ASKED_FORMAT = re.compile(r"\bFORMAT\s+(?P<format>\w+)\s*;?\s*\Z", re.IGNORECASE)

_DEFAULT_FORMAT = "TabSeparated"
_PARAMETER = "param_"
_NOT_SETTINGS = frozenset(
    {
        "buffer_size",
        "client_protocol_version",
        "compress",
        "database",
        "decompress",
        "default_format",
        "enable_http_compression",
        "http_headers_progress_interval_ms",
        "password",
        "query",
        "query_id",
        "quota_key",
        "role",
        "send_progress_in_http_headers",
        "session_check",
        "session_id",
        "session_timeout",
        "user",
        "wait_end_of_query",
    }
)
"""What ClickHouse's HTTP interface takes in the URL beside settings; the rest are settings."""


@dataclass(frozen=True, slots=True)
class Statement:
    """SQL, the database it runs in, its settings and bound parameters (in ClickHouse's text form).

    `format` is that of the answer, or of `data` where the statement is an INSERT with data.
    """

    sql: str
    format: str
    database: str | None
    settings: Mapping[str, str]
    parameters: Mapping[str, str]
    data: bytes | None = None


class UnreadableStatementError(Exception):
    """The bytes of a statement are no text."""


def read_statement(url: Mapping[str, str], body: bytes) -> Statement:
    """The statement of a request: `query` of the URL followed by the body, as a server reads it."""
    query = url.get("query", "").encode()
    text = b"\n".join(part for part in (query, body) if part)
    inserted = _INSERT_WITH_DATA.match(text)
    sql = _decoded(inserted["statement"] if inserted else text)
    asked = _ASKED_FORMAT.search(sql)
    if inserted:
        name = inserted["format"].decode()
    else:
        name = asked["format"] if asked else url.get("default_format", _DEFAULT_FORMAT)
    return Statement(
        sql=sql,
        format=name,
        database=url.get("database") or None,
        settings=_settings(url),
        parameters={
            name.removeprefix(_PARAMETER): value
            for name, value in url.items()
            if name.startswith(_PARAMETER)
        },
        data=text[inserted.end() :] if inserted else None,
    )


def _settings(url: Mapping[str, str]) -> dict[str, str]:
    return {
        name: value
        for name, value in url.items()
        if name not in _NOT_SETTINGS and not name.startswith(_PARAMETER)
    }


def _decoded(sql: bytes) -> str:
    try:
        return sql.decode()
    except UnicodeDecodeError as error:
        raise UnreadableStatementError(f"the statement is not UTF-8: {error}") from None
