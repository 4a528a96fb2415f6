"""The architecture, held by tests: shape of the services, purity, sizes, no I/O at import."""

import ast
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]
SERVICES = {
    "coordinator": "coordinator",
    "fetcher": "fetcher",
    "clickhouse-sink": "clickhouse_sink",
    "featurizer": "featurizer",
    "gap-auditor": "gap_auditor",
    "status-api": "status_api",
}
PACKAGES = {
    "candlelog": ROOT / "libs/common/src/candlelog",
    "candlelog_client": ROOT / "libs/client/src/candlelog_client",
    "candlelog_embedded": ROOT / "libs/embedded/src/candlelog_embedded",
    **{package: ROOT / f"services/{name}/src/{package}" for name, package in SERVICES.items()},
}
MODULE_LINES = 400
FUNCTION_LINES = 50
MAIN_LINES = 40
WAITING = (ast.AsyncFunctionDef, ast.Await, ast.AsyncFor, ast.AsyncWith)

# I/O and ambient state that a pure module has no business with.
IMPURE = {
    "asyncio", "socket", "time", "random", "os", "subprocess", "threading", "logging", "structlog",
    "aiohttp", "aiokafka", "asyncpg", "ccxt", "clickhouse_connect", "fastapi", "httpx", "starlette",
    "candlelog.clock", "candlelog.log.kafka", "candlelog.log.memory", "candlelog.lifecycle",
    "candlelog.entry", "candlelog.process", "candlelog.stores", "candlelog.telemetry",
    "candlelog.settings", "candlelog.health",
}  # fmt: skip


def modules(*folders: Path) -> list[Path]:
    return sorted(file for folder in folders for file in folder.rglob("*.py"))


def imports(nodes: Iterable[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


class Looked(NamedTuple):
    """What the rules ask of a source."""

    imports: tuple[str, ...]
    waiting: tuple[str, ...]
    long_functions: tuple[str, ...]


def looked_at(source: str) -> Looked:
    """Found in one walk: to parse and to walk all takes seconds."""
    nodes = list(ast.walk(ast.parse(source)))
    return Looked(
        tuple(imports(nodes)),
        tuple(type(node).__name__ for node in nodes if isinstance(node, WAITING)),
        tuple(long_functions(nodes)),
    )


@cache
def module_at(path: Path) -> Looked:
    """What stands in a module. Several rules ask."""
    return looked_at(path.read_text())


def names_one_of(imported: str, wanted: set[str]) -> bool:
    return any(imported == name or imported.startswith(f"{name}.") for name in wanted)


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def impurities(module: Looked) -> list[str]:
    return [name for name in module.imports if names_one_of(name, IMPURE)] + [*module.waiting]


def long_functions(nodes: Iterable[ast.AST]) -> Iterator[str]:
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - node.lineno + 1
            if length > FUNCTION_LINES:
                yield f"{node.name}: {length} lines"


every_module = pytest.mark.parametrize("path", modules(*PACKAGES.values()), ids=relative)
pure_module = pytest.mark.parametrize(
    "path",
    modules(
        *(PACKAGES[package] / "domain" for package in SERVICES.values()),
        PACKAGES["candlelog"] / "market",
        PACKAGES["candlelog"] / "events",
    ),
    ids=relative,
)


@pytest.mark.parametrize(("name", "package"), SERVICES.items())
def test_a_service_has_the_shape_of_all_services(name: str, package: str):
    folder = PACKAGES[package]
    expected = {"__main__.py", "settings.py", "ports.py", "domain", "adapters"}
    present = {path.name for path in folder.iterdir()}
    assert expected <= present
    assert {"handlers", "handlers.py"} & present
    beside = {path.name for path in (ROOT / "services" / name).iterdir()}
    assert {"pyproject.toml", "README.md", "src", "tests"} <= beside


@pytest.mark.parametrize("package", SERVICES.values())
def test_the_entry_of_a_service_is_read_at_a_glance(package: str):
    lines = (PACKAGES[package] / "__main__.py").read_text().splitlines()
    assert len(lines) <= MAIN_LINES


@pytest.mark.parametrize("package", SERVICES.values())
def test_the_entry_of_a_service_imports_first_what_all_entries_do(package: str):
    ours = [
        name
        for name in module_at(PACKAGES[package] / "__main__.py").imports
        if name.startswith("candlelog.")
    ]
    assert ours[0].startswith("candlelog.entry.")


FRUGAL = ["clickhouse_sink", "featurizer"]


@pytest.fixture(scope="module")
def pandas_taken_in() -> dict[str, bool]:
    """Whether pandas is there after each import; in one process, for what none takes in the
    first does not, and they share most of it."""
    look = (
        "import importlib, json, sys\n"
        "def taken(name):\n"
        "    importlib.import_module(name + '.__main__')\n"
        "    return 'pandas' in sys.modules\n"
        "print(json.dumps({name: taken(name) for name in sys.argv[1:]}))"
    )
    return json.loads(subprocess.check_output([sys.executable, "-c", look, *FRUGAL], text=True))


@pytest.mark.parametrize("package", FRUGAL)
def test_what_a_service_imports_takes_no_pandas_in(package: str, pandas_taken_in: dict[str, bool]):
    assert pandas_taken_in[package] is False


@pure_module
def test_a_domain_module_is_pure(path: Path):
    assert impurities(module_at(path)) == []


def test_the_purity_rule_sees_an_await_and_an_import():
    assert impurities(looked_at("import asyncio\nasync def f():\n    await g()")) == [
        "asyncio", "AsyncFunctionDef", "Await",
    ]  # fmt: skip


@pytest.mark.parametrize("package", SERVICES.values())
def test_a_service_imports_no_other_service(package: str):
    others = set(SERVICES.values()) - {package} | {"candlelog_client", "candlelog_embedded"}
    found = {
        (relative(path), name)
        for path in modules(PACKAGES[package])
        for name in module_at(path).imports
        if names_one_of(name, others)
    }
    assert found == set()


@pytest.mark.parametrize("path", modules(PACKAGES["candlelog"] / "events"), ids=relative)
def test_the_contracts_import_nothing_else_of_ours(path: Path):
    ours = {name for name in module_at(path).imports if names_one_of(name, set(PACKAGES))}
    assert {name for name in ours if not name.startswith("candlelog.events.")} == set()


@pytest.mark.parametrize(
    ("library", "only"),
    [
        ("faust", "services/featurizer/src/featurizer/adapters/faust_stream.py"),
        ("aiokafka", "libs/common/src/candlelog/log/"),
        ("ccxt", "services/fetcher/src/fetcher/adapters/exchange.py"),
        ("chdb", "libs/embedded/src/candlelog_embedded/clickhouse_front/"),
        ("clickhouse_connect", "libs/common/src/candlelog/stores/"),
        ("talib", "services/featurizer/src/featurizer/domain/"),
    ],
)
def test_a_foreign_library_is_met_in_one_place(library: str, only: str):
    users = {
        relative(path)
        for path in modules(*PACKAGES.values())
        if any(names_one_of(name, {library}) for name in module_at(path).imports)
    }
    assert users
    assert {user for user in users if not user.startswith(only)} == set()


@every_module
def test_a_module_is_read_in_one_sitting(path: Path):
    assert len(path.read_text().splitlines()) <= MODULE_LINES


@every_module
def test_a_function_fits_on_a_page(path: Path):
    assert module_at(path).long_functions == ()


def test_the_length_rule_sees_a_long_function():
    source = "def f():\n" + "    x = 1\n" * FUNCTION_LINES
    assert looked_at(source).long_functions == (f"f: {FUNCTION_LINES + 1} lines",)


@every_module
def test_a_module_is_not_named_for_nothing(path: Path):
    assert path.stem not in {"utils", "util", "helpers", "manager", "base", "misc", "common"}


IMPORT_EVERYTHING = """
import importlib, json, pkgutil, socket, subprocess, sys, threading, traceback
import chdb, faust.contrib.asgi, jgo  # foreign imports may do as they like
def refuse(*args, **kwargs):
    raise AssertionError("I/O at import")
socket.socket.connect = subprocess.Popen.__init__ = refuse
def done_by(name):
    before = threading.active_count()
    try:
        package = importlib.import_module(name)
        for module in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            if not module.name.endswith("__main__"):
                importlib.import_module(module.name)
    except Exception:
        return traceback.format_exc()
    return "" if threading.active_count() == before else "a thread was started"
print(json.dumps({name: done_by(name) for name in sys.argv[1:]}))
"""


@pytest.fixture(scope="module")
def done_at_import() -> dict[str, str]:
    """What each package does when it is imported; in one process, for they share most of it."""
    process = subprocess.run(
        [sys.executable, "-c", IMPORT_EVERYTHING, *PACKAGES],
        capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


@pytest.mark.parametrize("package", PACKAGES)
def test_importing_a_package_does_nothing(package: str, done_at_import: dict[str, str]):
    assert not done_at_import[package], done_at_import[package]
