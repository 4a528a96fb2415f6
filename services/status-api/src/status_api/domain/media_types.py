"""Which media type of those there are a client wants most (RFC 9110, section 12.5.1)."""

import re
from collections.abc import Mapping, Sequence
from typing import Final

from status_api.domain.problems import Problem

_WEIGHT: Final = re.compile(r"q=(0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?)")

_Rank = tuple[float, int, int]
"""Weight, then how exactly the type is named, then how early; more is better."""


def most_wanted(accept: str, offered: Sequence[str]) -> str:
    """The offered type that an `Accept` header ranks highest, the first where it says nothing.

    Raises a `not_acceptable` problem where it allows none of them.
    """
    ranges = _ranges(accept)
    if not ranges:
        return offered[0]
    ranked = {media_type: _rank(media_type, ranges) for media_type in offered}
    best = max(offered, key=lambda media_type: ranked[media_type])
    if ranked[best][0] == 0:
        raise Problem(406, "not_acceptable", f"there is {', '.join(offered)}; Accept allows none")
    return best


def _ranges(accept: str) -> Mapping[str, tuple[float, int]]:
    """Weight and place of each media range; one whose weight is no weight is not looked at."""
    found: dict[str, tuple[float, int]] = {}
    for place, part in enumerate(accept.lower().split(",")):
        name, *parameters = (each.strip() for each in part.split(";"))
        weight = next((each for each in parameters if each.startswith("q=")), "q=1")
        match = _WEIGHT.fullmatch(weight)
        if name and match:
            found.setdefault(name, (float(match[1]), -place))
    return found


def _rank(media_type: str, ranges: Mapping[str, tuple[float, int]]) -> _Rank:
    """By the range that names the type most exactly, as the RFC says."""
    kind = media_type.partition("/")[0]
    for exactness, name in ((2, media_type), (1, f"{kind}/*"), (0, "*/*")):
        if name in ranges:
            weight, place = ranges[name]
            return weight, exactness, place
    return 0.0, 0, 0
