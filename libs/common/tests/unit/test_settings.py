"""Settings come from the environment and refuse what they do not know."""

import pytest

from candlelog.errors import Misconfigured
from candlelog.settings import ServiceSettings, parse_pairs, service_config


class ExampleSettings(ServiceSettings):
    model_config = service_config("EXAMPLE_")

    concurrency: int = 4


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANDLELOG_KAFKA_BOOTSTRAP", "127.0.0.1:9092")


def test_a_field_is_read_from_its_prefixed_name(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("EXAMPLE_CONCURRENCY", "9")
    assert ExampleSettings.load().concurrency == 9


def test_an_unknown_name_with_the_prefix_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("EXAMPLE_CONCURENCY", "9")
    with pytest.raises(Misconfigured, match="EXAMPLE_CONCURENCY"):
        ExampleSettings.load()


def test_a_shared_setting_under_the_prefix_of_a_service_is_refused(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setenv("EXAMPLE_TOPIC_PREFIX", "other.")
    with pytest.raises(Misconfigured, match=r"EXAMPLE_TOPIC_PREFIX.*CANDLELOG_TOPIC_PREFIX"):
        ExampleSettings.load()


def test_a_shared_setting_is_read_from_its_shared_name(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("CANDLELOG_TOPIC_PREFIX", "other.")
    assert ExampleSettings.load().topic_prefix == "other."


def test_a_missing_setting_is_named(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("CANDLELOG_KAFKA_BOOTSTRAP")
    with pytest.raises(Misconfigured, match="CANDLELOG_KAFKA_BOOTSTRAP"):
        ExampleSettings.load()


def test_pairs_are_read_as_a_mapping():
    assert parse_pairs("binance=http://a,kraken=http://b?x=1") == {
        "binance": "http://a",
        "kraken": "http://b?x=1",
    }


@pytest.mark.parametrize("text", ["binance", "=x", "binance="])
def test_pairs_of_another_form_are_refused(text: str):
    with pytest.raises(ValueError, match="name=value"):
        parse_pairs(text)
