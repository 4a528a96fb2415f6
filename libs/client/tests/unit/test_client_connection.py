"""Where the client looks for a server."""

import pytest

from candlelog_client.connection import Connection, discover, variables_with
from candlelog_client.errors import NotConfigured


@pytest.mark.parametrize("host", ["127.0.0.1:80", "localhost", "[::1]:9", "127.8.8.8"])
def test_no_proxy_stands_before_this_machine(host):
    assert Connection(f"http://{host}").is_local


@pytest.mark.parametrize("host", ["example.org", "10.0.0.1:8080", "localhost.example.org"])
def test_other_machines_may_be_behind_a_proxy(host):
    assert not Connection(f"https://{host}").is_local


def test_a_token_is_not_shown():
    assert "secret" not in repr(Connection("http://a", "secret"))


def test_an_address_is_taken_without_its_last_slash(tmp_path):
    found = discover(tmp_path, {"CANDLELOG_API_URL": "http://a/", "CANDLELOG_API_TOKEN": ""})
    assert found == Connection("http://a", None)


def test_a_value_may_hold_equals_signs_and_lines_may_be_comments(tmp_path):
    (tmp_path / "candlelog.env").write_text("# a=b\n\nA=x=y\n")
    assert variables_with("A", tmp_path, {}) == {"A": "x=y"}


def test_a_file_without_the_name_does_not_configure(tmp_path):
    (tmp_path / "candlelog.env").write_text("OTHER=1\n")
    with pytest.raises(NotConfigured, match="candlelog up --data-dir"):
        variables_with("A", tmp_path, {})
