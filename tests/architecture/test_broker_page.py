"""The page on what a broker must do names what the tests hold it to, no more and no less."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SUITE = ROOT / "tests/contract/test_log_contract.py"
TOPICS = ROOT / "libs/common/tests/connected/log_runtime/test_log_topics.py"
PAGE = (ROOT / "docs/reference/broker.md").read_text()


def demands(source: str) -> dict[str, set[str]]:
    """What each test of a module names in its mark `broker`."""
    return {
        node.name: set(_named(node.decorator_list))
        for node in ast.parse(source).body
        if isinstance(node, ast.AsyncFunctionDef) and node.name.startswith("test_")
    }


def _named(decorators: list[ast.expr]) -> Iterator[str]:
    for mark in decorators:
        if isinstance(mark, ast.Call) and ast.unparse(mark.func).split(".")[-1] == "broker":
            yield from (ast.literal_eval(demand) for demand in mark.args)


def test_every_test_of_the_contract_of_the_log_names_what_it_demands():
    assert [name for name, named in demands(SUITE.read_text()).items() if not named] == []


def test_the_page_has_a_row_for_every_demand_and_a_test_for_every_row():
    found = demands(SUITE.read_text()) | demands(TOPICS.read_text())
    rows = re.findall(r"^\| `([^`]+)` \|", PAGE, re.MULTILINE)
    assert sorted(rows) == sorted(set.union(*found.values()))


@pytest.mark.parametrize("mark", ["", "@broker()\n", "@slow('order')\n"])
def test_the_rule_sees_a_test_that_demands_nothing(mark: str):
    assert demands(f"{mark}async def test_x(log): ...") == {"test_x": set()}
    assert demands("@broker('order')\nasync def test_x(log): ...") == {"test_x": {"order"}}
