"""What the demo says at the end."""

import io

import pytest
from rich.console import Console

from candlelog_client.demo import market, truth
from candlelog_client.demo.checks import Check
from candlelog_client.demo.inspection import Inspection, SeriesResult
from candlelog_client.demo.report import report
from candlelog_client.demo.venue import Arrivals
from candlelog_client.results import Job, Limit


def inspection(api, **changes) -> Inspection:
    good = Check("it holds", holds=True)
    found = {
        "job": Job.model_validate(api.job(status="completed", progress_pct=100.0)),
        "series": (SeriesResult("NEAR/USDT 1m", 41_760, 41_760, good, good),),
        "arrivals": Arrivals(requests=50, weight=120, heaviest=120, refused=0),
        "limits": (Limit(budget="binance|default|REQUEST_WEIGHT", capacity=6000, used=120),),
        "sample": truth.archived_minutes(market.SAMPLE_FILE).slice(0, 100),
    }
    return Inspection(**(found | changes))


def printed(found: Inspection) -> str:
    screen = io.StringIO()
    report(Console(file=screen, width=120), found)
    return screen.getvalue()


def test_a_good_run_prints_figures_a_plot_and_that_all_checks_hold(api):
    text = printed(inspection(api))
    assert "41,760" in text
    assert "120 of 6,000" in text
    assert "02-01 00:00" in text
    assert "All 4 checks hold." in text


def test_a_failed_check_is_named_with_what_was_found(api):
    bad = Check("NEAR/USDT 1m: equal", holds=False, found="41,759 candles are stored")
    series = (SeriesResult("NEAR/USDT 1m", 41_760, 41_759, bad, bad),)
    text = printed(inspection(api, series=series))
    assert "does not hold: NEAR/USDT 1m: equal: 41,759 candles are stored" in text
    assert "checks hold" not in text


@pytest.mark.parametrize("arrivals", [Arrivals(50, 6100, 6001, 0), Arrivals(50, 120, 120, 1)])
def test_a_broken_limit_fails_the_demo(api, arrivals):
    assert [check.holds for check in inspection(api, arrivals=arrivals).checks][-1] is False
