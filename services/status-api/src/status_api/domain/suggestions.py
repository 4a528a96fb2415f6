"""The valid names nearest to one that is not."""

from collections.abc import Collection, Iterable, Sequence
from difflib import get_close_matches

from status_api.domain.problems import FieldError

_EXPLAINED = 5
"""Unknown names that get suggestions: comparing with thousands of symbols costs milliseconds."""


def nearest(name: str, valid: Collection[str]) -> tuple[str, ...]:
    """Up to three valid names like this one: `BTCUSDT` and `btc/usdt` are like `BTC/USDT`."""
    bare = _bare(name)
    same = [each for each in valid if _bare(each) == bare]
    return tuple(same[:3] or get_close_matches(name.upper(), valid, n=3, cutoff=0.6))


def unknown_names(
    field: str, code: str, wanted: Iterable[str], valid: Collection[str]
) -> Sequence[FieldError]:
    """An error for each wanted name that is not valid; the first few name the nearest."""
    unknown = [name for name in wanted if name not in valid]
    what = code.removeprefix("unknown_")
    errors: list[FieldError] = []
    for number, name in enumerate(unknown):
        near = nearest(name, valid) if number < _EXPLAINED else ()
        hint = f"; did you mean {', '.join(near)}?" if near else ""
        errors.append(FieldError(field, code, f"unknown {what} {name!r}{hint}", near))
    return errors


def _bare(name: str) -> str:
    return "".join(letter for letter in name.upper() if letter.isalnum())
