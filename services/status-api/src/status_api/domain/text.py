"""Text from outside: what may be accepted."""

import unicodedata
from typing import Final

from pydantic import AfterValidator

_DIRECTION: Final = frozenset(
    "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)


def presentable(text: str) -> str:
    """The text itself; `ValueError` when it would not show as what it is."""
    if any(letter in _DIRECTION or unicodedata.category(letter) in {"Cc", "Cs"} for letter in text):
        raise ValueError("must not contain control or direction characters")
    return text


PRESENTABLE: Final = AfterValidator(presentable)
"""Of a text that shows as what it is: no control characters, nothing that turns its direction
around, nothing that is no character at all. Stands behind limits of length, which are of strings.
"""
