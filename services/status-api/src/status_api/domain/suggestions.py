"""The valid names nearest to one that is not."""

from collections.abc import Collection, Iterable, Sequence
from difflib import get_close_matches

from status_api.domain.problems import FieldError

_EXPLAINED = 5
"""Unknown names that get suggestions: comparing with thousands of symbols costs milliseconds."""

_LISTED = 20
"""Of so few exchanges, timeframes or feature sets some are named even when none is like what was
asked for."""


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


def unknown_names(
    field: str, code: str, wanted: Iterable[str], valid: Collection[str]
) -> Sequence[FieldError]:
    """An error for each wanted name that is not valid; the first few name the nearest."""
    unknown = [name for name in wanted if name not in valid]
    what = code.removeprefix("unknown_").replace("_", " ")
    errors: list[FieldError] = []
    for number, name in enumerate(unknown):
        near = nearest(name, valid) if number < _EXPLAINED else ()
        if not near and len(valid) <= _LISTED and what != "symbol":
            near = tuple(valid)[:3]
        hint = f"; did you mean {', '.join(near)}?" if near else ""
        errors.append(FieldError(field, code, f"unknown {what} {name!r}{hint}", near))
    return errors


def _bare(name: str) -> str:
    return "".join(letter for letter in name.upper() if letter.isalnum())
