"""Compose, image and example settings fit the services, and each other."""

import importlib
import importlib.metadata
import re
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import yaml

from candlelog.settings import ServiceSettings

ROOT = Path(__file__).parents[2]
WORKSPACE = {path.parent.name for path in (ROOT / "services").glob("*/pyproject.toml")}

DOCKERFILE = (ROOT / "deploy/Dockerfile").read_text()
LAST_STAGE = DOCKERFILE.rpartition("\nFROM ")[2]
EXAMPLE = dict(re.findall(r"^(\w+)=(.*)$", (ROOT / "deploy/example.env").read_text(), re.MULTILINE))
COMPOSE_TEXT = (ROOT / "docker-compose.yml").read_text()
COMPOSE = yaml.safe_load(COMPOSE_TEXT)
ENTRIES = COMPOSE["services"]
OURS = {name for name, entry in ENTRIES.items() if entry["image"].startswith("candlelog:")}
STORES = {
    "CANDLELOG_KAFKA_BOOTSTRAP": "redpanda",
    "CANDLELOG_POSTGRES_DSN": "postgres",
    "CANDLELOG_CLICKHOUSE_URL": "clickhouse",
}

every_service = pytest.mark.parametrize("service", sorted(WORKSPACE))
every_entry = pytest.mark.parametrize("name", sorted(ENTRIES))


def package(service: str) -> str:
    return service.replace("-", "_")


def settings_class(service: str) -> type[ServiceSettings]:
    return importlib.import_module(f"{package(service)}.settings").Settings


def known_variables(settings: type[ServiceSettings]) -> set[str]:
    prefix = settings.model_config.get("env_prefix", "")
    return {
        str(field.validation_alias or prefix + name.upper())
        for name, field in settings.model_fields.items()
    }


def filled_in(value: str) -> str:
    """What compose makes of a value when every variable of `.env` is a word."""
    return re.sub(r"\$\{\w+[^}]*\}", "word", value)


def told(service: str) -> dict[str, str]:
    return {name: filled_in(value) for name, value in ENTRIES[service]["environment"].items()}


def loaded(service: str, monkeypatch: pytest.MonkeyPatch) -> ServiceSettings:
    """The settings of a service in a container that compose has made."""
    for name in known_variables(settings_class(service)):
        monkeypatch.delenv(name, raising=False)
    for name, value in told(service).items():
        monkeypatch.setenv(name, value)
    return settings_class(service).load()


def port_of(service: str) -> int:
    return int(told(service)[f"{package(service).upper()}_HTTP_PORT"])


def test_compose_runs_every_service_and_no_other():
    assert OURS - {"topics"} == WORKSPACE


@every_service
def test_a_service_is_started_by_its_module(service: str):
    assert ENTRIES[service]["command"] == ["python", "-m", package(service)]


@every_service
def test_a_service_knows_every_variable_it_is_told(service: str):
    assert set(told(service)) - known_variables(settings_class(service)) == set()


@every_service
def test_a_service_takes_the_settings_of_compose_and_listens_to_the_network(
    service: str, monkeypatch: pytest.MonkeyPatch
):
    settings = loaded(service, monkeypatch)
    assert settings.http_host == "0.0.0.0"
    assert settings.http_port == port_of(service)


@every_service
def test_a_service_is_told_of_the_stores_it_uses_and_of_no_other(service: str):
    folder = ROOT / "services" / service / "src" / package(service)
    source = "\n".join(path.read_text() for path in folder.rglob("*.py"))
    used = {
        name for name in STORES if f"settings.{name.removeprefix('CANDLELOG_').lower()}" in source
    }
    assert set(told(service)) & set(STORES) == used | {"CANDLELOG_KAFKA_BOOTSTRAP"}


@pytest.mark.parametrize("name", sorted(OURS))
def test_an_address_of_a_store_names_its_entry(name: str):
    for variable in set(told(name)) & set(STORES):
        address = told(name)[variable]
        host = urlsplit(address if "://" in address else f"//{address}").hostname
        assert host == STORES[variable]


@pytest.mark.parametrize("name", sorted(OURS - {"topics"}))
def test_a_service_is_healthy_when_it_is_ready(name: str):
    assert f"http://127.0.0.1:{port_of(name)}/readyz" in ENTRIES[name]["healthcheck"]["test"][-1]


@pytest.mark.parametrize("name", sorted(OURS - {"topics"}))
def test_a_service_starts_once_the_topics_are_applied(name: str):
    applied = {"condition": "service_completed_successfully"}
    assert ENTRIES[name]["depends_on"]["topics"] == applied
    assert ENTRIES["topics"]["command"] == ["candlelog", "topics", "apply"]


def test_only_the_api_is_published_and_only_to_this_machine():
    published = {name: entry["ports"] for name, entry in ENTRIES.items() if "ports" in entry}
    address = f"127.0.0.1:${{CANDLELOG_API_PORT:-8080}}:{port_of('status-api')}"
    assert published == {"status-api": [address]}


@every_entry
def test_an_entry_has_a_memory_limit_and_says_whether_it_is_restarted(name: str):
    assert re.fullmatch(r"\d+[mg]", ENTRIES[name]["mem_limit"])
    assert ENTRIES[name]["restart"] == ("no" if name == "topics" else "unless-stopped")


@every_entry
def test_an_entry_of_ours_can_write_nothing_and_gain_nothing(name: str):
    strict = {"read_only": True, "cap_drop": ["ALL"], "security_opt": ["no-new-privileges:true"]}
    assert name not in OURS or strict.items() <= ENTRIES[name].items()


@pytest.mark.parametrize("name", sorted(OURS))
def test_an_entry_of_ours_is_started_in_the_one_folder_it_can_write(name: str):
    assert re.findall(r"^WORKDIR (\S+)", LAST_STAGE, re.MULTILINE) == ENTRIES[name]["tmpfs"]


def is_pinned(image: str) -> bool:
    """Whether an image is named down to its patch: a tag that moves with every release is not."""
    _, _, tag = image.rpartition(":")
    return re.match(r"v?\d+\.\d+", tag) is not None and "/" not in tag


@pytest.mark.parametrize(
    "image", ["postgres", "postgres:latest", "postgres:18-bookworm", "host:5000/postgres"]
)
def test_the_rule_of_pinned_images_sees_one_that_moves(image: str):
    assert not is_pinned(image)


def test_every_image_is_pinned():
    images = [entry["image"] for entry in ENTRIES.values()]
    images += re.findall(r"^FROM (\S+)", DOCKERFILE, re.MULTILINE)
    assert [image for image in images if not is_pinned(image)] == []


def test_secrets_come_from_the_environment_alone_and_without_them_nothing_starts():
    secrets = {name for name, value in EXAMPLE.items() if not value}
    assert secrets == set(re.findall(r"\$\{(\w+):\?see deploy/example\.env\}", COMPOSE_TEXT))
    given = [
        f"{name}: {variable}"
        for name, entry in ENTRIES.items()
        for variable, value in entry.get("environment", {}).items()
        if re.search(r"PASSWORD|TOKEN|DSN|URL", variable) and ":?" not in value
    ]
    assert given == []


def test_the_example_has_every_variable_of_compose():
    assert set(EXAMPLE) == set(re.findall(r"\$\{(\w+)", COMPOSE_TEXT))


def test_the_broker_writes_before_it_acknowledges_and_makes_no_topic():
    command = ENTRIES["redpanda"]["command"]
    assert "--unsafe-bypass-fsync=false" in command
    pairs = list(pairwise(command))
    assert ("--set", "redpanda.write_caching_default=false") in pairs
    assert ("--set", "redpanda.auto_create_topics_enabled=false") in pairs


def test_the_last_stage_of_the_image_builds_nothing_and_is_not_run_by_root():
    assert re.search(r"^USER [1-9]\d*:[1-9]\d*$", LAST_STAGE, re.MULTILINE)
    assert not re.search(r"\b(uv|pip|apt-get)\b", LAST_STAGE)


def test_the_image_and_the_makefile_install_with_the_same_uv():
    pinned = r"uv==([\d.]+)"
    makefile = (ROOT / "Makefile").read_text()
    assert set(re.findall(pinned, DOCKERFILE)) == set(re.findall(pinned, makefile)) != set()


def test_the_image_is_of_the_version_of_the_services():
    version = importlib.metadata.version("candlelog")
    assert {ENTRIES[name]["image"] for name in OURS} == {f"candlelog:{version}"}


def test_no_secret_and_no_test_gets_into_the_image():
    ignored = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in ignored if line and not line.startswith("#")]
    assert rules[0] == "*"
    assert {line for line in rules if line.startswith("!")} == {
        "!requirements.lock", "!libs/common", "!libs/client", "!services",
    }  # fmt: skip
    assert "**/tests" in rules
    assert ".env" in (ROOT / ".gitignore").read_text().splitlines()
