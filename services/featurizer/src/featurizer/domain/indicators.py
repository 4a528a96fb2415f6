"""Indicators of a feature set: made ready to be computed, or refused with what to do about it."""

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from functools import partial
from typing import Any, Final

import numpy as np

from candlelog.errors import Invalid, Misconfigured
from candlelog.market.feature_sets import FeatureSet, Indicator
from featurizer.domain.catalogue import CARRIED, Known, known
from featurizer.domain.formulas import Floats
from featurizer.domain.quotients import QUOTIENTS
from featurizer.domain.settling import ACTIVITY, RECURSIONS, Parameters
from featurizer.domain.windows import W

_LARGEST: Final = 100_000
"""The largest whole number TA-Lib takes for any parameter."""


@dataclass(frozen=True, slots=True)
class Calculation:
    """An indicator with its parameters, ready to be computed."""

    inputs: tuple[str, ...]
    """What it reads: columns of candles, or `slot`, the position on the grid."""
    rows: int
    """From how many rows, its own among them, a value follows; W at most."""
    compute: Callable[..., tuple[Floats, ...]]
    """The outputs, given the inputs, all of one length; NaN where there is no value."""


def check(feature_set: FeatureSet) -> None:
    """`Misconfigured` if an indicator of the set cannot be computed: which, why, what to do."""
    for place, indicator in enumerate(feature_set.features):
        try:
            calculation(indicator)
        except Invalid as error:
            raise Misconfigured(
                f"feature set {feature_set.ref.text}: features[{place}]: "
                f"{indicator.indicator} {error}"
            ) from error


def calculation(indicator: Indicator) -> Calculation:
    """The indicator made ready; `Invalid` says what is wrong with it."""
    name, entry = indicator.indicator, known(indicator.indicator)
    parameters = _parameters(indicator, entry)
    inputs = _inputs(indicator, entry)
    _require_columns(indicator, entry)
    rows = _rows(name, entry, parameters, volume="volume" in inputs)
    # A choice of average is always TA-Lib's default, and what is computed here has no other.
    arguments = {key: value for key, value in parameters.items() if not key.endswith("matype")}
    if name in QUOTIENTS:
        arguments["still"] = min(W - rows, RECURSIONS[name].vanishing(parameters))
    return Calculation(inputs, rows, partial(_outputs, partial(entry.function, **arguments)))


def _outputs(function: Callable[..., Any], *columns: Any) -> tuple[Floats, ...]:
    values = function(*columns)
    outputs = values if isinstance(values, tuple) else (values,)
    return tuple(np.asarray(output, dtype=np.float64) for output in outputs)


def _parameters(indicator: Indicator, entry: Known) -> Parameters:
    """All parameters with their values, of the types that TA-Lib takes."""
    values = dict(entry.parameters)
    for name, value in indicator.parameters.items():
        if name not in values:
            near = get_close_matches(name, values, n=3, cutoff=0)
            advice = f"did you mean {', '.join(near)}?" if near else "it has none"
            raise Invalid(f"has no parameter {name!r}; {advice}")
        default = values[name]
        if name.endswith("matype") and value != default:
            raise Invalid(
                f"can be used with {name}: {default} alone, which is TA-Lib's default; leave it out"
            )
        if isinstance(default, float):
            values[name] = float(value)
        elif isinstance(value, int) and 0 <= value <= _LARGEST:
            values[name] = value
        else:
            raise Invalid(f"needs a whole number from 0 to {_LARGEST:,} for {name}, not {value}")
    return values


def _inputs(indicator: Indicator, entry: Known) -> tuple[str, ...]:
    inputs = indicator.inputs or entry.inputs
    if inputs != entry.inputs and not entry.free:
        raise Invalid(f"always reads {', '.join(entry.inputs)}; leave `inputs` out")
    if len(inputs) != len(entry.inputs):
        raise Invalid(f"reads as many columns as in {list(entry.inputs)}; `inputs` must, too")
    recursion = RECURSIONS.get(indicator.indicator)
    prices_only = indicator.indicator in CARRIED or (recursion and not recursion.of_volume)
    if "volume" in inputs and prices_only:
        raise Invalid(
            "cannot read volume: what was traded long ago would stay in its value; "
            "SMA, EMA and zscore can"
        )
    return inputs


def _require_columns(indicator: Indicator, entry: Known) -> None:
    if len(indicator.columns) != len(entry.outputs):
        raise Invalid(
            f"has {len(entry.outputs)} output(s), {', '.join(entry.outputs)}: "
            f"name as many columns, not {len(indicator.columns)}"
        )


def _rows(name: str, entry: Known, parameters: Parameters, *, volume: bool) -> int:
    rows, most = entry.rows(parameters), W
    if rows < 1:
        raise Invalid(f"cannot be computed with {_text(parameters)}: one is out of range")
    if name in RECURSIONS:
        scale = ACTIVITY if volume or name in QUOTIENTS else 1.0
        rows += RECURSIONS[name].settling(parameters, scale)
    if name in QUOTIENTS:
        most = W // 2  # the other half is left for rows in which nothing moves
    if rows > most:
        raise Invalid(
            f"with {_text(parameters)} follows from more than {most:,} rows, which are the most "
            "that are read for it; choose a shorter period"
        )
    return rows


def _text(parameters: Parameters) -> str:
    return ", ".join(f"{name}: {value}" for name, value in parameters.items())
