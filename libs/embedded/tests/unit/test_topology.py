"""What is started, in which order, and what each process is told."""

from dataclasses import replace
from pathlib import Path

import pytest

from candlelog import grace
from candlelog.errors import Misconfigured
from candlelog.log.consume import ConsumeLoop
from candlelog_embedded.process import ProcessSpec
from candlelog_embedded.supervisor.identity import Identity
from candlelog_embedded.topology import Options, Ports, shared_environment, stages

OPTIONS = Options(Path("/data"))
IDENTITY = Identity(sandbox=False, admin_token="secret")


def told(options: Options) -> dict[str, str]:
    return shared_environment(options, Ports(options, range(20_000, 20_050)), IDENTITY)


def processes(options: Options) -> list[list[ProcessSpec]]:
    ports = Ports(options, range(20_000, 20_050))
    environment = shared_environment(options, ports, IDENTITY)
    return [list(stage.processes) for stage in stages(options, ports, environment)]


def names(options: Options) -> list[list[str]]:
    return [[process.name for process in stage] for stage in processes(options)]


def test_stores_start_before_services():
    assert names(OPTIONS) == [
        ["broker", "postgres", "clickhouse"],
        ["coordinator", "fetcher", "clickhouse-sink", "status-api"],
    ]


def test_the_sandbox_is_an_exchange_beside_the_stores():
    options = replace(OPTIONS, sandbox=True)
    assert names(options)[0] == ["broker", "postgres", "clickhouse", "sandbox"]
    assert told(options)["CANDLELOG_EXCHANGE_URLS"].startswith("binance=http://127.0.0.1:")


def test_without_a_word_the_exchanges_are_the_real_ones():
    assert "CANDLELOG_EXCHANGE_URLS" not in told(OPTIONS)


def test_addresses_of_exchanges_and_archives_are_passed_on():
    options = replace(
        OPTIONS,
        exchange_urls={"binance": "http://127.0.0.1:9800", "kraken": "http://127.0.0.1:9900"},
        archives={"binance": "/archive"},
    )
    environment = told(options)
    assert environment["CANDLELOG_EXCHANGE_URLS"] == (
        "binance=http://127.0.0.1:9800,kraken=http://127.0.0.1:9900"
    )
    assert environment["CANDLELOG_ARCHIVES"] == "binance=/archive"


def test_a_given_address_goes_before_the_sandbox():
    options = replace(OPTIONS, sandbox=True, exchange_urls={"binance": "http://127.0.0.1:9800"})
    assert told(options)["CANDLELOG_EXCHANGE_URLS"] == "binance=http://127.0.0.1:9800"


def test_replicas_have_names_and_ports_of_their_own():
    options = replace(OPTIONS, replicas={"fetcher": 3})
    fetchers = [one for one in processes(options)[1] if one.service == "fetcher"]
    told_each = [(one.replica, one.environment["FETCHER_INSTANCE"]) for one in fetchers]
    assert told_each == [(0, "fetcher-0"), (1, "fetcher-1"), (2, "fetcher-2")]
    assert len({one.environment["FETCHER_HTTP_PORT"] for one in fetchers}) == 3
    assert [one.name for one in fetchers] == ["fetcher", "fetcher-1", "fetcher-2"]


def test_the_api_listens_where_it_was_asked_to():
    options = replace(OPTIONS, api_port=8080)
    (api,) = (one for one in processes(options)[1] if one.service == "status-api")
    assert api.environment["STATUS_API_HTTP_PORT"] == "8080"
    assert told(options)["CANDLELOG_API_URL"] == "http://127.0.0.1:8080"


@pytest.mark.parametrize("sandbox", [True, False])
def test_the_api_knows_whether_its_venues_are_invented(sandbox: bool):
    options = replace(OPTIONS, sandbox=sandbox)
    (api,) = (one for one in processes(options)[1] if one.service == "status-api")
    assert api.environment["STATUS_API_SANDBOX"] == str(sandbox).lower()


@pytest.mark.parametrize(
    ("known", "expected"),
    [
        ("", "127.0.0.1,localhost"),
        ("venue.example", "venue.example,127.0.0.1,localhost"),
        ("*", "*"),
    ],
)
def test_services_reach_each_other_past_a_proxy(
    known: str, expected: str, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.setenv("NO_PROXY", known)
    for service in processes(OPTIONS)[1]:
        assert service.environment["no_proxy"] == service.environment["NO_PROXY"] == expected


def test_the_api_accepts_the_token_by_its_hash_alone():
    environment = told(OPTIONS)
    name, scope, digest = environment["CANDLELOG_API_TOKENS"].split(":")
    assert (name, scope, len(digest)) == ("admin", "admin", 64)
    assert environment["CANDLELOG_API_TOKEN"] == "secret"


@pytest.mark.parametrize("replicas", [{"nobody": 1}, {"fetcher": 0}, {"fetcher": 1000}])
def test_replicas_that_cannot_work_are_refused(replicas: dict[str, int]):
    with pytest.raises(Misconfigured):
        Options(Path("/data"), replicas=replicas)


def test_a_service_that_uses_up_its_grace_is_not_killed_before_and_all_are_gone_within_15_s():
    ports = Ports(OPTIONS, range(20_000, 20_050))
    stores, services = stages(OPTIONS, ports, shared_environment(OPTIONS, ports, IDENTITY))
    assert services.grace_seconds > grace.MAIN_SECONDS + grace.ANSWERS_SECONDS
    assert services.grace_seconds + stores.grace_seconds < 15


def test_what_a_service_has_in_hand_is_let_go_within_the_grace_of_the_whole():
    assert ConsumeLoop.grace_seconds < grace.MAIN_SECONDS
