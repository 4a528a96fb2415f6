"""Who may do what: tokens are known by their SHA-256 alone."""

import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from candlelog.errors import Misconfigured

Scope = Literal["read", "submit", "admin"]

_IMPLIED: Final[dict[str, frozenset[Scope]]] = {
    "read": frozenset({"read"}),
    "submit": frozenset({"read", "submit"}),
    "admin": frozenset({"read", "submit", "admin"}),
}
_ENTRY: Final = re.compile(r"(?P<name>[^:,]+):(?P<scopes>[a-z,]+):(?P<hash>[0-9a-fA-F]{64})")


@dataclass(frozen=True, slots=True)
class Token:
    """An accepted token: its name, what it may do, and its hash."""

    name: str
    scopes: frozenset[Scope]
    sha256: str


def parse_tokens(text: str) -> tuple[Token, ...]:
    """Read `name:scope[,scope]:sha256` entries, separated by `;` or white space.

    Raises `Misconfigured`, which never repeats the entry itself.
    """
    entries = [entry for entry in re.split(r"[;\s]+", text) if entry]
    if not entries:
        raise Misconfigured("CANDLELOG_API_TOKENS is empty: nobody could use the API")
    tokens = tuple(_token(number, entry) for number, entry in enumerate(entries, 1))
    if len({token.name for token in tokens}) < len(tokens):
        raise Misconfigured("CANDLELOG_API_TOKENS names a token twice")
    return tokens


def find(tokens: Iterable[Token], secret: str) -> Token | None:
    """The token with this secret; looks at all of them, so that time tells nothing."""
    digest = hashlib.sha256(secret.encode(errors="surrogateescape")).hexdigest()
    found: Token | None = None
    for token in tokens:
        if hmac.compare_digest(token.sha256, digest):
            found = token
    return found


def _token(number: int, entry: str) -> Token:
    match = _ENTRY.fullmatch(entry)
    if match is None:
        raise Misconfigured(
            f"CANDLELOG_API_TOKENS: entry {number} is not of the form name:scope[,scope]:sha256"
        )
    scopes: frozenset[Scope] = frozenset()
    for scope in match["scopes"].split(","):
        if scope not in _IMPLIED:
            raise Misconfigured(f"CANDLELOG_API_TOKENS: entry {number} has an unknown scope")
        scopes |= _IMPLIED[scope]
    return Token(match["name"], scopes, match["hash"].lower())
