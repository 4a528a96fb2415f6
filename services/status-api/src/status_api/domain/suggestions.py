"""The valid names nearest to one that is not."""

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from difflib import get_close_matches
from typing import Final

from status_api.domain.problems import FieldError

_EXPLAINED = 5
"""Unknown names that get suggestions: comparing with thousands of symbols costs milliseconds."""

_LISTED = 20
"""Of so few exchanges, timeframes or feature sets some are named even when none is like what was
asked for."""

_LENGTH: Final = re.compile(r"([1-9][0-9]{0,5})([mhdwM])")
_MINUTES: Final = {"m": 1, "h": 60, "d": 1440, "w": 7 * 1440, "M": 30 * 1440}


def nearest(name: str, valid: Collection[str]) -> tuple[str, ...]:
    """Up to three valid names like this one: `BTCUSDT` and `btc/usdt` are like `BTC/USDT`."""
    bare = _bare(name)
    same = [each for each in valid if _bare(each) == bare]
    if same:
        return tuple(same[:3])
    folded = {each.upper() for each in valid}
    like = get_close_matches(name.upper(), folded, n=3, cutoff=0.6) or get_close_matches(
        name.upper(), folded, n=3, cutoff=0.3
    )
    return tuple(each for match in like for each in valid if each.upper() == match)[:3]


def nearest_in_length(timeframe: str, valid: Collection[str]) -> tuple[str, ...]:
    """The three valid timeframes that are the fewest times as long, or as short, as this one: `3m`
    is like `5m`, not like `30m`. Of a name that is no length, those that are written like it."""
    asked = _minutes(timeframe)
    if asked is None:
        return nearest(timeframe, valid)
    lengths = {name: length for name in valid if (length := _minutes(name)) is not None}
    ratios = {name: (max(asked, each) / min(asked, each), each) for name, each in lengths.items()}
    return tuple(sorted(ratios, key=ratios.__getitem__)[:3])


def unknown_timeframes(
    field: str, wanted: Iterable[str], valid: Collection[str]
) -> Sequence[FieldError]:
    """An error for each wanted timeframe that is not valid."""
    return unknown_names(field, "unknown_timeframe", wanted, valid, near_of=nearest_in_length)


def unknown_names(
    field: str,
    code: str,
    wanted: Iterable[str],
    valid: Collection[str],
    *,
    near_of: Callable[[str, Collection[str]], tuple[str, ...]] = nearest,
) -> Sequence[FieldError]:
    """An error for each wanted name that is not valid; the first few name the nearest."""
    unknown = [name for name in wanted if name not in valid]
    what = code.removeprefix("unknown_").replace("_", " ")
    errors: list[FieldError] = []
    for number, name in enumerate(unknown):
        near = near_of(name, valid) if number < _EXPLAINED else ()
        if not near and len(valid) <= _LISTED and what != "symbol":
            near = tuple(valid)[:3]
        hint = f"; did you mean {', '.join(near)}?" if near else ""
        errors.append(FieldError(field, code, f"unknown {what} {name!r}{hint}", near))
    return errors


def _minutes(timeframe: str) -> int | None:
    written = _LENGTH.fullmatch(timeframe)
    return None if written is None else int(written[1]) * _MINUTES[written[2]]


def _bare(name: str) -> str:
    return "".join(letter for letter in name.upper() if letter.isalnum())
