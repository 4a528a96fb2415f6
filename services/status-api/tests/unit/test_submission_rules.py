"""What a body of POST /jobs may say."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from candlelog.market.profile import profile
from status_api.domain.problems import Problem
from status_api.domain.submission import JobRequest, check, check_symbols, idempotent_job_id
from status_api.domain.suggestions import unknown_names, unknown_timeframes

NOW = datetime(2024, 3, 1, 12, tzinfo=UTC)
SETS = ("default", "mine")
BODY = {
    "exchange": "binance",
    "symbols": ["BTC/USDT"],
    "timeframes": ["1m"],
    "start": "2024-02-01",
    "end": "2024-02-02T01:00:00+01:00",
}


def request(**changes: Any) -> JobRequest:
    body = {**BODY, **changes}
    return JobRequest(**{name: value for name, value in body.items() if value is not ...})


def refusal(**changes: Any) -> tuple[str, ...]:
    with pytest.raises(Problem) as caught:
        check(request(**changes), NOW, SETS)
    assert caught.value.status == 422
    return tuple(f"{error.field}:{error.code}" for error in caught.value.errors)


def test_times_are_utc_unless_they_say_otherwise():
    assert check(request(), NOW, SETS) == (
        datetime(2024, 2, 1, tzinfo=UTC),
        datetime(2024, 2, 2, tzinfo=UTC),
    )


@pytest.mark.parametrize("lookback", ["\ud800", "30d\udfff", "\0", ""])
def test_a_lookback_that_is_no_text_is_malformed_before_anything_is_made_of_it(lookback: str):
    with pytest.raises(Problem) as caught:
        request(start=..., lookback=lookback).digest()
    assert (caught.value.status, caught.value.code) == (422, "malformed_time")


@pytest.mark.parametrize("change", [{"label": "x" * 201}, {"exchange": "x" * 65}])
def test_a_text_that_is_too_long_is_no_list_that_is(change: dict[str, str]):
    with pytest.raises(ValidationError) as caught:
        request(**change)
    assert caught.value.errors()[0]["type"] == "string_too_long"


def test_an_end_left_out_is_now():
    assert check(request(end=...), NOW, SETS)[1] == NOW


def test_a_lookback_counts_back_from_the_end():
    start, end = check(request(start=..., lookback="30d"), NOW, SETS)
    assert end - start == timedelta(days=30)


def test_a_clock_a_little_ahead_means_now():
    assert check(request(end="2024-03-01T12:00:04Z"), NOW, SETS)[1] == NOW


@pytest.mark.parametrize(
    ("changes", "errors"),
    [
        ({"exchange": "binanse"}, ("exchange:unknown_exchange",)),
        ({"timeframes": ["1m", "7m"]}, ("timeframes:unknown_timeframe",)),
        ({"start": "2024-02-03"}, ("start:invalid_range",)),
        ({"start": "2024-02-02"}, ("start:invalid_range",)),
        ({"end": "2024-03-01T12:00:06Z"}, ("end:end_in_future",)),
        ({"start": "2008-12-31"}, ("start:too_early",)),
        ({"start": "yesterday"}, ("start:malformed_time",)),
        ({"start": "0001-01-01T00:00:00+14:00"}, ("start:malformed_time",)),
        ({"end": "9999-12-31T23:59:59-14:00"}, ("end:malformed_time",)),
        ({"start": "1706745600"}, ("start:malformed_time",)),
        ({"start": ...}, ("start:missing_field",)),
        ({"lookback": "1d"}, ("start:invalid_value",)),
        ({"start": ..., "lookback": "1y"}, ("lookback:malformed_time",)),
        ({"start": ..., "lookback": "9999999w"}, ("lookback:too_early",)),
        ({"symbols": ...}, ("symbols:missing_field",)),
        ({"symbols": ..., "tier": "TIER1"}, ("tier:not_available",)),
        ({"feature_sets": ["defualt"]}, ("feature_sets:unknown_feature_set",)),
        ({"feature_sets": ["default"], "features": False}, ("feature_sets:invalid_value",)),
        (
            {"timeframes": ["7m"], "end": "2030-01-01"},
            ("timeframes:unknown_timeframe", "end:end_in_future"),
        ),
    ],
)
def test_every_broken_rule_is_named(changes: dict[str, Any], errors: tuple[str, ...]):
    assert refusal(**changes) == errors


@pytest.mark.parametrize(
    "changes",
    [
        {"symbols": []},
        {"symbols": ["BTC/USDT"] * 1001},
        {"timeframes": []},
        {"timeframes": ["1m"] * 21},
        {"priority": 10},
        {"priority": True},
        {"priority": 10**40},
        {"max_attempts": 0},
        {"features": "no"},
        {"feature_sets": []},
        {"feature_sets": "default"},
        {"feature_sets": ["default"] * 21},
        {"label": "a\0b"},
        {"label": "\u202egnp.exe"},
        {"label": "x" * 201},
        {"symbols": ["BTC\n"]},
        {"symbols": [""]},
        {"symbols": [7]},
        {"source": "ftp"},
        {"surprise": 1},
    ],
)
def test_a_wrong_shape_is_refused(changes: dict[str, Any]):
    with pytest.raises(ValidationError):
        request(**changes)


def test_the_nearest_symbols_are_named():
    with pytest.raises(Problem) as caught:
        check_symbols(request(symbols=["BTCUSDT", "eth/usdt", "zzz"]), {"BTC/USDT", "ETH/USDT"})
    assert [error.nearest for error in caught.value.errors] == [("BTC/USDT",), ("ETH/USDT",), ()]
    assert caught.value.code == "unknown_symbol"


def test_features_are_asked_for_unless_they_are_not_and_mean_the_default_set():
    assert request().sets == ("default",)
    assert request(features=False).sets == ()
    assert request(feature_sets=["mine", "default", "mine"]).sets == ("mine", "default")


def test_the_nearest_feature_sets_are_named():
    with pytest.raises(Problem) as caught:
        check(request(feature_sets=["default", "mind"]), NOW, SETS)
    (error,) = caught.value.errors
    assert (error.detail, error.nearest) == (
        "unknown feature set 'mind'; did you mean mine?",
        ("mine",),
    )


def test_a_body_without_features_has_the_digest_it_had_before_there_were_any():
    assert request(features=False).digest() == (
        "6b0a53767755de4ed82802276e59beac920361c6e8b87b0265a52cff48ed9d5f"
    )


def test_bodies_that_say_the_same_have_one_digest():
    assert request().digest() == request(features=True, feature_sets=["default"]).digest()
    assert request().digest() == request(priority=5, end="2024-02-02T00:00:00Z").digest()
    assert request().digest() == request(symbols=["BTC/USDT", "BTC/USDT"]).digest()
    assert request(end=...).digest() == request(end=...).digest()


@pytest.mark.parametrize(
    "changes",
    [
        {"end": ...},
        {"label": "x"},
        {"priority": 6},
        {"symbols": ["ETH/USDT"]},
        {"features": False},
        {"feature_sets": ["mine"]},
    ],
)
def test_bodies_that_differ_have_different_digests(changes: dict[str, Any]):
    assert request().digest() != request(**changes).digest()


def test_a_key_belongs_to_its_token():
    assert idempotent_job_id("a", "k") == idempotent_job_id("a", "k")
    assert idempotent_job_id("a", "k") != idempotent_job_id("b", "k")


def test_a_name_like_no_other_still_gets_names_that_exist():
    (exchange,) = unknown_names("exchange", "unknown_exchange", ["nowhere"], ("binance",))
    assert exchange.nearest == ("binance",)


@pytest.mark.parametrize(
    ("name", "exchange", "nearest"),
    [
        ("3m", "kraken", ("5m", "1m", "15m")),
        ("60m", "binance", ("1h", "30m", "2h")),
        ("1M", "kraken", ("1d", "4h", "1h")),
        ("2y", "kraken", ("1m", "5m", "15m")),
        ("1H", "binance", ("1h",)),
        ("0m", "kraken", ("30m",)),
    ],
)
def test_the_timeframes_nearest_in_length_are_named(
    name: str, exchange: str, nearest: tuple[str, ...]
):
    valid = profile(exchange).timeframes
    (error,) = unknown_timeframes("timeframes", [name], valid)
    assert error.nearest == nearest
