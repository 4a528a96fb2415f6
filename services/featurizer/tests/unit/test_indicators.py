"""Which indicators a set may name, from how many rows they follow, and why others are refused."""

from collections.abc import Mapping
from pathlib import Path
from re import escape

import numpy as np
import pytest
import talib
from numpy.typing import NDArray

from candlelog.errors import Invalid, Misconfigured
from candlelog.market.candles import Columns
from candlelog.market.feature_sets import FeatureSet, Indicator
from candlelog.market.timeframe import Timeframe
from featurizer.domain.catalogue import CARRIED, FRESH, known
from featurizer.domain.computation import Computation
from featurizer.domain.indicators import calculation, check
from featurizer.domain.settling import RECURSIONS
from featurizer.domain.windows import W

USABLE = sorted(FRESH | CARRIED | RECURSIONS.keys())
OF_PERCENT = frozenset({
    "ADX", "AROON", "AROONOSC", "CCI", "CMO", "COPPOCK", "DX", "IMI", "MINUS_DI", "NATR",
    "PERCENTRANK", "PLUS_DI", "PPO", "ROC", "ROCR100", "RSI", "STOCH", "STOCHF", "TRIX", "ULTOSC",
    "WILLR",
})  # fmt: skip
OF_ONE = frozenset({"BETA", "BOP", "CORREL", "DIV", "LN", "LOG10", "ROCP", "ROCR", "VHF"})


def indicator(name: str, *, outputs: int = 1, inputs: tuple = (), **parameters: float) -> Indicator:
    columns = tuple(f"column_{number}" for number in range(outputs))
    return Indicator(indicator=name, parameters=parameters, inputs=inputs, columns=columns)


def with_defaults(name: str) -> Indicator:
    return indicator(name, outputs=len(known(name).outputs))


def arrays(c: Columns) -> Mapping[str, NDArray[np.float64]]:
    return {name: getattr(c, name) for name in ("open", "high", "low", "close", "volume")}


def walk(rows: int) -> Columns:
    """Minutes of a random walk, at prices with two decimals."""
    rng = np.random.default_rng(5)
    close = np.round(60_000 * np.exp(np.cumsum(rng.normal(0, 1e-3, rows))), 2)
    before = np.concatenate([close[:1], close[:-1]])
    high = np.maximum(close, before) + np.round(30 * rng.random(rows), 2)
    low = np.minimum(close, before) - np.round(30 * rng.random(rows), 2)
    return Columns(np.arange(rows) * 60_000, before, high, low, close, rng.lognormal(0, 2, rows))


def require_its_rows_to_be_enough(name: str, candles: Columns, step: int) -> None:
    ready, columns = calculation(with_defaults(name)), arrays(candles)
    read = [columns[each] for each in ready.inputs]
    whole = ready.compute(*read)
    for end in range(W, len(candles.close), step):
        alone = ready.compute(*(each[end - ready.rows : end] for each in read))
        scale = 100 if name in OF_PERCENT else 1 if name in OF_ONE else candles.close[end - 1]
        for one, other in zip(alone, whole, strict=True):
            expected = other[end - 1]
            assert np.isfinite(one[-1])
            assert abs(one[-1] - expected) <= 1e-9 * max(abs(expected), scale), (name, end)


def test_the_default_set_can_be_computed(default_set: FeatureSet):
    check(default_set)


@pytest.mark.parametrize("name", USABLE)
def test_the_rows_of_an_indicator_are_enough_for_its_value(name: str):
    require_its_rows_to_be_enough(name, walk(8000), step=131)


def test_the_rows_of_every_indicator_are_enough_in_a_real_market(
    real_market: tuple[Timeframe, Columns],
):
    for name in USABLE:
        require_its_rows_to_be_enough(name, real_market[1], step=2003)


@pytest.mark.parametrize(
    ("name", "parameters", "rows"),
    [
        ("SMA", {"timeperiod": 200}, 200),
        ("ROCP", {"timeperiod": 1}, 2),
        ("EMA", {"timeperiod": 200}, 2273),
        ("RSI", {"timeperiod": 14}, 482),
        ("ADX", {"timeperiod": 14}, 544),
    ],
)
def test_a_value_follows_from_so_many_rows(name: str, parameters: dict[str, float], rows: int):
    assert calculation(indicator(name, **parameters)).rows == rows


@pytest.mark.parametrize("name", talib.get_functions())
def test_every_function_of_talib_can_be_used_or_is_refused_with_the_reason(name: str):
    if name in USABLE:
        assert calculation(with_defaults(name)).rows <= W
    else:
        with pytest.raises(Invalid, match=r"cannot be used: .{20}"):
            known(name)


def test_the_reference_names_what_can_be_used_and_nothing_else():
    root = Path(__file__).parents[4]
    table = (root / "docs/reference/feature-sets.md").read_text().split("## TA-Lib's indicators")[1]
    rows = [line.split("|") for line in table.splitlines() if line.startswith("|")][2:]
    assert sorted(name for row in rows for name in row[2].split()) == USABLE


@pytest.mark.parametrize(
    ("name", "inputs", "longest"),
    [
        ("EMA", (), 211), ("TEMA", (), 135), ("ATR", (), 110), ("RSI", (), 34), ("ADX", (), 30),
        ("EMA", ("volume",), 131), ("RMA", ("volume",), 68), ("SMA", ("volume",), W),
    ],
)  # fmt: skip
def test_a_period_can_be_as_long_as_the_reference_says(name: str, inputs: tuple, longest: int):
    calculation(indicator(name, inputs=inputs, timeperiod=longest))
    with pytest.raises(Invalid, match="choose a shorter period"):
        calculation(indicator(name, inputs=inputs, timeperiod=longest + 1))


def test_a_parameter_that_is_not_named_has_the_default_of_talib():
    candles = walk(100)
    (value,) = calculation(indicator("WMA")).compute(candles.close)
    assert np.array_equal(value, talib.WMA(candles.close), equal_nan=True)


def test_a_number_without_a_fraction_is_taken_where_one_with_it_is_meant():
    candles = walk(100)
    ready = calculation(indicator("BBANDS", outputs=3, timeperiod=20, nbdevup=2, nbdevdn=2))
    upper, _, _ = ready.compute(candles.close)
    assert np.allclose(upper, talib.BBANDS(candles.close, 20, 2.0, 2.0)[0], equal_nan=True)


def test_inputs_can_be_chosen_where_they_are_free():
    one = FeatureSet(
        name="one", version=1, features=(indicator("SMA", timeperiod=3, inputs=("volume",)),)
    )
    candles = walk(50)
    values = Computation(one).compute(Timeframe.parse("1m"), candles)["column_0"]
    assert values[49].as_py() == pytest.approx(candles.volume[47:].mean())


def test_what_has_no_finite_value_is_null():
    one = FeatureSet(name="one", version=1, features=(indicator("LN", inputs=("volume",)),))
    candles = walk(2)
    candles.volume[0] = 0
    values = Computation(one).compute(Timeframe.parse("1m"), candles)["column_0"]
    assert values.is_null().to_pylist() == [True, False]


@pytest.mark.parametrize(
    ("wanted", "message"),
    [
        (indicator("sma"), "sma is no indicator; did you mean SMA, "),
        (indicator("BOLLINGER"), "BOLLINGER is no indicator; did you mean "),
        (indicator("logreturn"), "logreturn is no indicator; did you mean log_return, "),
        (indicator("OBV"), "OBV cannot be used: every candle since the first counts in it"),
        (indicator("SAR"), "SAR cannot be used: every candle since the first counts in it"),
        (indicator("AD"), "AD cannot be used: every candle since the first"),
        (indicator("VWAP"), "VWAP cannot be used: every candle since the first"),
        (indicator("CDLDOJI"), "CDLDOJI cannot be used: it compares candles with sums that are"),
        (indicator("MAXINDEX"), "its value is the number of a row, counted from where a pass beg"),
        (indicator("MA"), "it stands for many averages; name the one you mean"),
        (indicator("MFI"), "it divides by sums of volume that are carried along"),
        (indicator("STOCHRSI", outputs=2), "it divides by movements of which little but rounding"),
        (indicator("KAMA"), "KAMA cannot be used: it is not known from how many rows"),
        (indicator("RSI", period=9), "RSI has no parameter 'period'; did you mean timeperiod?"),
        (indicator("TYPPRICE", timeperiod=9), "TYPPRICE has no parameter 'timeperiod'; it has no"),
        (indicator("SMA", timeperiod=0), "SMA cannot be computed with timeperiod: 0: one is out"),
        (indicator("volatility", timeperiod=1), "cannot be computed with timeperiod: 1: one is o"),
        (indicator("SMA", timeperiod=-1), "SMA needs a whole number from 0 to 100,000 for timepe"),
        (indicator("SMA", timeperiod=2**40), "needs a whole number from 0 to 100,000"),
        (indicator("SMA", timeperiod=9.0), "for timeperiod, not 9.0"),
        (indicator("STOCH", outputs=2, slowk_matype=1), "can be used with slowk_matype: 0 alone"),
        (indicator("MACD"), "MACD has 3 output(s), macd, macdsignal, macdhist: name as many col"),
        (indicator("SMA", outputs=2), "SMA has 1 output(s), real: name as many columns, not 2"),
        (indicator("ATR", inputs=("open",)), "ATR always reads high, low, close; leave `inputs`"),
        (indicator("SMA", inputs=("open", "close")), "SMA reads as many columns as in ['close']"),
        (indicator("WMA", inputs=("volume",)), "WMA cannot read volume: what was traded long ago"),
        (indicator("RSI", inputs=("volume",)), "RSI cannot read volume"),
        (
            indicator("SMA", timeperiod=2401),
            "SMA with timeperiod: 2401 follows from more than 2,400 rows",
        ),
        (indicator("EMA", timeperiod=300), "timeperiod: 300 follows from more than 2,400 rows"),
        (
            indicator("EMA", timeperiod=200, inputs=("volume",)),
            "timeperiod: 200 follows from more than 2,400 rows",
        ),
        (indicator("RSI", timeperiod=50), "timeperiod: 50 follows from more than 1,200 rows"),
        (indicator("zscore", timeperiod=9999), "9999 follows from more than 2,400 rows"),
    ],
)
def test_what_cannot_be_computed_is_refused(wanted: Indicator, message: str):
    wrong = FeatureSet(
        name="mine", version=2, features=(Indicator(indicator="RSI", columns=("r",)), wanted)
    )
    with pytest.raises(Misconfigured, match=escape(message)) as refused:
        check(wrong)
    assert str(refused.value).startswith("feature set mine/2: features[1]: ")
