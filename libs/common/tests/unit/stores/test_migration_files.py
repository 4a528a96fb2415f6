from pathlib import Path

import pytest

from candlelog.errors import Misconfigured
from candlelog.stores.clickhouse import ClickHouse
from candlelog.stores.migrations import (
    Migration,
    migrations_directory,
    pending,
    read_migrations,
    statements,
)


def write(directory: Path, *names: str) -> Path:
    for name in names:
        (directory / name).write_text(f"-- {name}")
    return directory


def test_migrations_are_read_in_the_order_of_their_numbers(tmp_path):
    found = read_migrations(write(tmp_path, "0002_b.sql", "0001_a.sql"))
    assert [(migration.version, migration.name) for migration in found] == [
        (1, "0001_a"),
        (2, "0002_b"),
    ]


@pytest.mark.parametrize(
    "names", [["0002_a.sql"], ["0001_a.sql", "0003_b.sql"], ["0001_a.sql", "0001_b.sql"], ["a.sql"]]
)
def test_a_hole_or_a_double_in_the_numbers_is_refused(tmp_path, names):
    with pytest.raises(Misconfigured, match="out of line"):
        read_migrations(write(tmp_path, *names))


def test_a_folder_without_migrations_is_refused(tmp_path):
    with pytest.raises(Misconfigured, match="no migrations"):
        read_migrations(tmp_path)


def test_only_what_was_not_applied_is_pending():
    first, second = Migration(1, "0001_a", "A"), Migration(2, "0002_b", "B")
    assert pending([first, second], {1: first.checksum}) == [second]


def test_a_migration_changed_after_it_was_applied_is_refused():
    with pytest.raises(Misconfigured, match="was changed"):
        pending([Migration(1, "0001_a", "A")], {1: "another checksum"})


def test_statements_end_at_a_semicolon_at_the_end_of_a_line():
    assert statements("-- note\nSELECT ';' AS a;\n\nSELECT 2;") == [
        "-- note\nSELECT ';' AS a",
        "SELECT 2",
    ]


def test_the_folder_of_a_service_can_be_named_by_the_environment(monkeypatch):
    monkeypatch.setenv("CANDLELOG_MIGRATIONS", "/app/services")
    assert migrations_directory("clickhouse-sink") == Path(
        "/app/services/clickhouse-sink/migrations"
    )


@pytest.mark.parametrize(
    "url", ["", "clickhouse:8123", "http://host:8123", "http://host/a.b", "http://host/a`b"]
)
def test_a_url_that_names_no_database_is_refused(url):
    with pytest.raises(Misconfigured, match="must read"):
        ClickHouse(url)
