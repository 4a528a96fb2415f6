"""What the front reads out of a request."""

import pytest

from candlelog_embedded.clickhouse_front.statement import UnreadableStatementError, read_statement


@pytest.mark.parametrize(
    ("url", "body", "sql", "form", "data"),
    [
        ({}, b"SELECT 1", "SELECT 1", "TabSeparated", None),
        ({"query": "SELECT 1"}, b"", "SELECT 1", "TabSeparated", None),
        ({}, b"SELECT 1\n FORMAT Native", "SELECT 1\n FORMAT Native", "Native", None),
        ({"default_format": "CSV"}, b"SELECT 1", "SELECT 1", "CSV", None),
        ({}, b"INSERT INTO t FORMAT Native\n\x01\xff", "INSERT INTO t", "Native", b"\x01\xff"),
        ({"query": "INSERT INTO t FORMAT Arrow"}, b"\xff", "INSERT INTO t", "Arrow", b"\xff"),
        (
            {},
            b"INSERT INTO `d b`.`t` (`a`, b) FORMAT CSV 1,2\n",
            "INSERT INTO `d b`.`t` (`a`, b)",
            "CSV",
            b"1,2\n",
        ),
        ({}, b"INSERT INTO t FORMAT Native", "INSERT INTO t", "Native", b""),
        (
            {},
            b"INSERT INTO t VALUES ('in FORMAT CSV')",
            "INSERT INTO t VALUES ('in FORMAT CSV')",
            "TabSeparated",
            None,
        ),
        (
            {},
            b"INSERT INTO t SELECT 1 FORMAT Null",
            "INSERT INTO t SELECT 1 FORMAT Null",
            "Null",
            None,
        ),
    ],
)
def test_a_statement_is_told_from_its_data(url, body, sql, form, data):
    statement = read_statement(url, body)
    assert (statement.sql, statement.format, statement.data) == (sql, form, data)


def test_what_is_no_word_of_http_is_a_setting_or_a_parameter():
    url = {"database": "d", "query_id": "1", "async_insert": "0", "param_from": "2024"}
    statement = read_statement(url, b"SELECT 1")
    assert statement.database == "d"
    assert statement.settings == {"async_insert": "0"}
    assert statement.parameters == {"from": "2024"}


def test_a_statement_of_other_bytes_is_refused():
    with pytest.raises(UnreadableStatementError):
        read_statement({}, b"SELECT \xff")
