"""How the system is, from what its processes report."""

from datetime import UTC, datetime, timedelta

import pytest

from candlelog.events.services import ServiceReportedV1
from status_api.domain import components as module
from status_api.domain.components import SERVICES, STORES, Component, Reports, overall

NOW = datetime(2024, 3, 1, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def report(
    service: str, ago: timedelta, instance: str = "one", trouble: str | None = None
) -> ServiceReportedV1:
    return ServiceReportedV1(
        service=service,
        instance=instance,
        version="1.2.3",
        state="degraded" if trouble else "healthy",
        detail=trouble,
        lag=0,
        interval_seconds=2.0,
        started_at=NOW - ago,
        reported_at=NOW - ago,
    )


def reports(*found: ServiceReportedV1) -> Reports:
    heard = Reports()
    for each in [*(report(name, SECOND) for name in SERVICES), *found]:
        heard.read(each)
    return heard


def health(heard: Reports) -> tuple[dict[str, str], str]:
    found = [*heard.components(NOW), *(Component(name, "healthy") for name in STORES)]
    return {each.name: each.state for each in found}, overall(found, None)


def test_the_system_is_well_when_all_that_must_run_is_heard_of():
    states, system = health(reports())
    assert set(states) == {*SERVICES, *STORES}
    assert (set(states.values()), system) == ({"healthy"}, "healthy")


def test_a_service_that_must_run_is_missed_whether_it_was_ever_heard_of_or_not():
    heard = Reports()
    heard.read(report("coordinator", timedelta(days=30)))
    assert health(heard) == (
        dict.fromkeys(SERVICES, "down") | dict.fromkeys(STORES, "healthy"),
        "degraded",
    )


def test_another_service_that_falls_silent_makes_the_system_degraded_not_down():
    states, system = health(reports(report("backtester", timedelta(minutes=1))))
    assert (states["backtester"], system) == ("down", "degraded")


def test_another_service_that_has_been_silent_for_long_is_no_part_of_the_system():
    states, system = health(reports(report("backtester", timedelta(minutes=10))))
    assert "backtester" not in states
    assert system == "healthy"


def fetcher(*found: ServiceReportedV1) -> Component:
    [shown] = [each for each in reports(*found).components(NOW) if each.name == "fetcher"]
    return shown


def test_a_service_is_degraded_where_one_of_its_processes_is_and_says_why():
    well = report("fetcher", SECOND, "two")
    unwell = [
        report("fetcher", SECOND, instance, trouble=f"{venue}: left alone")
        for instance, venue in (("three", "binance"), ("four", "kraken"), ("five", "kraken"))
    ]
    assert fetcher(well, *unwell) == Component(
        "fetcher", "degraded", "binance: left alone; kraken: left alone", instances=5, lag=0
    )


def test_a_service_that_is_degraded_makes_the_system_so():
    states, system = health(reports(report("fetcher", SECOND, trouble="binance: left alone")))
    assert (states["fetcher"], system) == ("degraded", "degraded")


def test_a_process_that_is_well_again_is_no_longer_degraded():
    unwell = report("fetcher", 2 * SECOND, trouble="binance: left alone")
    assert fetcher(unwell, report("fetcher", SECOND)) == Component(
        "fetcher", "healthy", instances=1, lag=0
    )


def test_what_a_process_said_before_it_fell_silent_counts_no_more():
    gone = report("fetcher", timedelta(minutes=1), "two", trouble="binance: left alone")
    assert fetcher(gone) == Component("fetcher", "healthy", instances=1, lag=0)


@pytest.mark.parametrize("store", STORES)
def test_the_system_is_down_when_a_store_is(store: str):
    stores = [Component(name, "down" if name == store else "healthy") for name in STORES]
    assert overall([*reports().components(NOW), *stores], None) == "down"


def test_processes_that_came_and_went_are_not_remembered_for_ever(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(module, "_REMEMBERED", 10)
    heard = Reports()
    for number in range(100):
        heard.read(report("coordinator", SECOND))
        heard.read(report("fetcher", timedelta(hours=1), instance=str(number)))
    assert len(heard.newest) == 10
    assert {each.name: each.instances for each in heard.components(NOW)}["coordinator"] == 1
