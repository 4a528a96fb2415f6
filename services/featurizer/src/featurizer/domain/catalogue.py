"""The indicators a feature set may name, and why it may not name the others."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from typing import Any, Final

import talib
from talib import abstract

from candlelog.errors import Invalid
from featurizer.domain import formulas
from featurizer.domain.quotients import QUOTIENTS
from featurizer.domain.settling import RECURSIONS, Parameters
from featurizer.domain.windows import W

Function = Callable[..., Any]
Rows = Callable[[Parameters], int]

FRESH: Final = frozenset({
    "ADD", "AROON", "AROONOSC", "AVGDEV", "AVGPRICE", "BBANDS", "BOP", "DIV", "DONCHIAN", "IMI",
    "LN", "LOG10", "MAX", "MEDPRICE", "MIDPOINT", "MIDPRICE", "MIN", "MINMAX", "MOM", "MULT",
    "PERCENTILE", "PERCENTRANK", "ROC", "ROCP", "ROCR", "ROCR100", "SMA", "SQRT", "SUB", "TRANGE",
    "TYPPRICE", "VHF", "WCLPRICE", "WILLR",
})  # fmt: skip
"""Of TA-Lib's functions of a window of rows: those that look at each window anew."""

CARRIED: Final = frozenset({
    "AC", "ACCBANDS", "AO", "BETA", "CCI", "COPPOCK", "CORREL", "DPO", "HMA", "LINEARREG",
    "LINEARREG_INTERCEPT", "LINEARREG_SLOPE", "STDDEV", "STOCH", "STOCHF", "SUM", "TRIMA", "TSF",
    "ULTOSC", "VAR", "WMA",
})  # fmt: skip
"""Those that carry sums from window to window, and the rounding of what was summed before. For
prices, which do not fall to a millionth in one pass, it stays far below what counts."""

_EXACT: Final[Mapping[str, Function]] = {
    "SMA": formulas.sma,
    "EMA": formulas.ema,
    "BBANDS": formulas.bollinger,
    **{name: quotient.compute for name, quotient in QUOTIENTS.items()},
}
"""TA-Lib's functions that are computed here, so that no pass leaves a trace in them."""

_REFUSED: Final[Mapping[str, str]] = {
    **dict.fromkeys(
        ("MAXINDEX", "MININDEX", "MINMAXINDEX"),
        "its value is the number of a row, counted from where a pass began",
    ),
    **dict.fromkeys(
        ("MA", "MACDEXT", "MAVP"),
        "it stands for many averages; name the one you mean, such as SMA, EMA or MACD",
    ),
    **dict.fromkeys(
        ("CMF", "MFI", "PVO", "RVOL", "VWMA"),
        "it divides by sums of volume that are carried along, of which little but rounding is left "
        "where nothing is traded",
    ),
    **dict.fromkeys(
        ("SMI", "STOCHRSI", "TSI"),
        "it divides by movements of which little but rounding is left where the price stands still",
    ),
}


@dataclass(frozen=True, slots=True)
class Known:
    """An indicator of the catalogue."""

    inputs: tuple[str, ...]
    """What it reads: columns of candles, or `slot`, the position on the grid."""
    free: bool
    """Whether it may read other columns of candles instead."""
    parameters: Parameters
    """All it has, with their defaults."""
    outputs: tuple[str, ...]
    rows: Rows
    """From how many rows a value follows, without what a recursive one needs to settle; 0 for
    parameters that are out of range."""
    function: Function
    """Of the inputs, and the parameters by name; of a quotient, of `still` besides."""


def known(name: str) -> Known:
    """The indicator of that name; `Invalid` says why there is none, and names the nearest."""
    if name in _OWN:
        return _OWN[name]
    if name in FRESH | CARRIED | RECURSIONS.keys():
        return _of_talib(name)
    if name in talib.get_functions():
        raise Invalid(f"cannot be used: {_refusal(name)}")
    folded = {each.casefold(): each for each in (*_OWN, *FRESH, *CARRIED, *RECURSIONS)}
    near = [folded[each] for each in get_close_matches(name.casefold(), folded, n=3, cutoff=0)]
    raise Invalid(f"is no indicator; did you mean {', '.join(near)}?")


def _refusal(name: str) -> str:
    if name.startswith("CDL"):
        return "it compares candles with sums that are carried along, and their rounding decides"
    if "Output is path-dependent" in _described(name).function_flags:
        return "every candle since the first counts in it, so no number of rows is enough"
    return _REFUSED.get(name, "it is not known from how many rows its value follows")


@cache
def _of_talib(name: str) -> Known:
    function = _described(name)
    names: list[str | list[str]] = list(function.input_names.values())
    return Known(
        inputs=tuple(
            column for each in names for column in ([each] if isinstance(each, str) else each)
        ),
        free=all(isinstance(each, str) for each in names),
        parameters=dict(function.parameters),
        outputs=tuple(function.output_names),
        rows=lambda parameters: _lookback(name, **parameters) + 1,
        function=_EXACT.get(name) or getattr(talib, name),
    )


@cache
def _lookback(name: str, **parameters: float) -> int:
    """How many rows lie before the first value."""
    return int(_described(name, **parameters).lookback)


def _described(name: str, **parameters: float) -> Any:
    """TA-Lib's own description of a function, with these parameters; what it says is untyped."""
    return abstract.Function(name, **parameters)  # pyright: ignore[reportAttributeAccessIssue] -- not in the stubs


def _periods(least: int, more: int = 0) -> Rows:
    def rows(parameters: Parameters) -> int:
        periods = int(parameters["timeperiod"])
        return periods + more if periods >= least else 0

    return rows


_OWN: Final[Mapping[str, Known]] = {
    "log_return": Known(("close",), False, {}, ("log_return",), lambda _: 2, formulas.log_return),
    "volatility": Known(
        ("close",), False, {"timeperiod": 20}, ("volatility",), _periods(2, 1), formulas.volatility
    ),
    "zscore": Known(
        ("close",), True, {"timeperiod": 20}, ("zscore",), _periods(2), formulas.zscore
    ),
    "vwap": Known(
        ("high", "low", "close", "volume"), False, {"timeperiod": 20}, ("vwap",), _periods(1),
        formulas.vwap,
    ),
    "bars_contiguous": Known(
        ("slot",), False, {}, ("bars_contiguous",), lambda _: W, formulas.bars_contiguous
    ),
}  # fmt: skip
