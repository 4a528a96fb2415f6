"""What is started, in which order, and what each process is told."""

from dataclasses import replace
from pathlib import Path

import pytest

from candlelog import grace
from candlelog.errors import Misconfigured, Unavailable
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
        ["coordinator", "fetcher", "clickhouse-sink", "featurizer", "gap-auditor", "status-api"],
    ]


def test_the_sandbox_is_an_exchange_beside_the_stores():
    options = replace(OPTIONS, sandbox=True)
    assert names(options)[0] == ["broker", "postgres", "clickhouse", "sandbox"]
    assert told(options)["CANDLELOG_EXCHANGE_URLS"].startswith("binance=http://127.0.0.1:")


def test_without_a_word_services_are_told_of_no_address():
    assert told(OPTIONS)["CANDLELOG_EXCHANGE_URLS"] == ""


def test_services_look_for_the_topics_that_are_made():
    assert told(OPTIONS)["CANDLELOG_TOPIC_PREFIX"] == "candlelog."


def test_addresses_of_exchanges_and_archives_are_passed_on(tmp_path: Path):
    options = replace(
        OPTIONS,
        exchange_urls={"binance": "http://127.0.0.1:9800", "kraken": "http://127.0.0.1:9900"},
        archives={"binance": str(tmp_path)},
    )
    environment = told(options)
    assert environment["CANDLELOG_EXCHANGE_URLS"] == (
        "binance=http://127.0.0.1:9800,kraken=http://127.0.0.1:9900"
    )
    assert environment["CANDLELOG_ARCHIVES"] == f"binance={tmp_path}"


def test_a_given_address_goes_before_the_sandbox():
    options = replace(OPTIONS, sandbox=True, exchange_urls={"binance": "http://127.0.0.1:9800"})
    given, *others = told(options)["CANDLELOG_EXCHANGE_URLS"].split(",")
    assert given == "binance=http://127.0.0.1:9800"
    assert [name.partition("=http://127.0.0.1:")[0] for name in others] == ["binanceusdm", "kraken"]


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
    assert services.grace_seconds > (
        grace.MAIN_SECONDS + grace.ANSWERS_SECONDS + grace.LEFTOVERS_SECONDS
    )
    assert services.grace_seconds + stores.grace_seconds < 15


def test_what_a_service_has_in_hand_is_let_go_within_the_grace_of_the_whole():
    assert ConsumeLoop.grace_seconds < grace.MAIN_SECONDS


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:9800", "https://api.example.com", "http://[::1]:9800", "http://venue/"],
)
def test_an_exchange_is_at_a_scheme_a_host_and_a_port(url: str):
    assert told(replace(OPTIONS, exchange_urls={"binance": url}))["CANDLELOG_EXCHANGE_URLS"] == (
        f"binance={url}"
    )


@pytest.mark.parametrize(
    "urls",
    [
        {"nope": "http://127.0.0.1:9800"},
        {"": "http://127.0.0.1:9800"},
        {"binance": "ftp://127.0.0.1:9800"},
        {"binance": "127.0.0.1:9800"},
        {"binance": "http://"},
        {"binance": "http://:9800"},
        {"binance": "http://[::1"},
        {"binance": "http://127.0.0.1:port"},
        {"binance": "http://127.0.0.1:0"},
        {"binance": "http://127.0.0.1:99999"},
        {"binance": "http://127.0.0.1:9800/api/v3"},
        {"binance": "http://127.0.0.1:9800?x=1"},
        {"binance": "http://127.0.0.1:9800#x"},
        {"binance": "http://user:secret@127.0.0.1:9800"},
        {"binance": "http://one,kraken=http://two"},
        {"binance": "http://a b"},
        {"binance": "http://a\nCANDLELOG_API_URL=b"},
        {"kraken": ""},
    ],
)
def test_an_address_where_no_exchange_can_be_is_refused(urls: dict[str, str]):
    with pytest.raises(Misconfigured) as caught:
        Options(Path("/data"), exchange_urls=urls)
    assert "secret" not in str(caught.value)


def test_an_archive_is_a_folder_or_a_url(tmp_path: Path):
    for place in (str(tmp_path), "https://data.example.com/mirror/", "http://127.0.0.1:1"):
        environment = told(replace(OPTIONS, archives={"binance": place}))
        assert environment["CANDLELOG_ARCHIVES"] == f"binance={place}"


@pytest.mark.parametrize(
    "place", ["missing", "file", "a,b", "a\nb", "ftp://x", "http://", "http://a\nb/", ""]
)
def test_an_archive_that_cannot_be_read_is_refused(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").touch()
    for name in ("a,b", "a\nb"):  # the environment of a service could not say these
        (tmp_path / name).mkdir()
    with pytest.raises(Misconfigured, match="binance"):
        Options(Path("/data"), archives={"binance": place})
    with pytest.raises(Misconfigured, match="nope"):
        Options(Path("/data"), archives={"nope": str(tmp_path)})


@pytest.mark.parametrize("archives", [{"binanceusdm": "/tmp"}, {"kraken": "http://files.test"}])
def test_an_archive_that_nobody_would_read_is_refused(archives: dict[str, str]):
    with pytest.raises(Misconfigured, match=r"are in the archive of binance|from a folder"):
        Options(Path("/data"), archives=archives)


def test_services_are_told_of_the_folder_of_feature_sets_wherever_they_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    told_of = told(Options(Path("/data"), feature_sets="sets"))["CANDLELOG_FEATURE_SETS"]
    assert told_of == str(tmp_path / "sets")
    assert "CANDLELOG_FEATURE_SETS" not in told(OPTIONS)


async def test_a_broker_that_hangs_up_is_asked_again_for_its_topics(monkeypatch):
    answers = iter([Unavailable("closed"), None])
    asked: list[str] = []

    async def apply_topics(bootstrap: str, prefix: str) -> None:
        asked.append(f"{bootstrap} {prefix}")
        if (answer := next(answers)) is not None:
            raise answer

    monkeypatch.setattr("candlelog.log.topics_admin.apply_topics", apply_topics)
    ports = Ports(OPTIONS, range(20_000, 20_050))
    first, _ = stages(OPTIONS, ports, shared_environment(OPTIONS, ports, IDENTITY))
    await first.then()
    assert asked == ["127.0.0.1:20000 candlelog."] * 2
