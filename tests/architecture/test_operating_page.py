"""The page for operators names every metric, and every setting that services share."""

import ast
import re
from pathlib import Path

import pytest
from prometheus_client import Counter, Gauge, Histogram

from candlelog import telemetry

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/reference/operating.md").read_text()
SETTINGS = [
    ROOT / "libs/common/src/candlelog/settings.py",
    *ROOT.glob("services/*/src/*/settings.py"),
]


def test_the_page_has_a_row_for_every_metric_with_its_labels():
    metrics = [
        each for each in vars(telemetry).values() if isinstance(each, Counter | Gauge | Histogram)
    ]
    rows = re.findall(r"^\| `(candlelog_[^`]+)` \|", PAGE, re.MULTILINE)
    assert sorted(rows) == sorted(_row(metric) for metric in metrics)


def _row(metric: Counter | Gauge | Histogram) -> str:
    described = metric.describe()[0]
    name = f"{described.name}_total" if described.type == "counter" else described.name
    labels = ",".join(metric._labelnames)
    return f"{name}{{{labels}}}" if labels else name


@pytest.mark.parametrize("module", SETTINGS, ids=lambda path: path.parent.name)
def test_the_page_has_every_shared_setting_that_a_service_reads(module: Path):
    read = {
        f"CANDLELOG_{node.value.removeprefix('CANDLELOG_')}"
        for call in ast.walk(ast.parse(module.read_text()))
        if isinstance(call, ast.keyword) and call.arg == "validation_alias"
        for node in ast.walk(call.value)
        if isinstance(node, ast.Constant)
    }
    assert sorted(name for name in read if f"| `{name}` |" not in PAGE) == []
