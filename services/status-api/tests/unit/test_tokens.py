"""Tokens and scopes."""

import hashlib

import pytest

from candlelog.errors import Misconfigured
from status_api.domain.tokens import find, parse_tokens

HASH = hashlib.sha256(b"secret").hexdigest()


def test_entries_are_separated_by_semicolons_or_white_space():
    tokens = parse_tokens(f"a:read:{HASH}; b:submit,read:{HASH}\nc:admin:{HASH.upper()}")
    assert [token.name for token in tokens] == ["a", "b", "c"]
    assert [sorted(token.scopes) for token in tokens] == [
        ["read"], ["read", "submit"], ["admin", "read", "submit"],
    ]  # fmt: skip


def test_a_token_is_found_by_its_secret_alone():
    tokens = parse_tokens(f"a:read:{HASH}")
    assert find(tokens, "secret") is tokens[0]
    assert find(tokens, "Secret") is None
    assert find(tokens, "") is None
    assert find(tokens, "\udcff\u202e") is None


@pytest.mark.parametrize(
    "text",
    ["", " ; ", "a:read", f"a:write:{HASH}", f"a:read:{HASH[:-1]}", f"a:read:{HASH};a:read:{HASH}"],
)
def test_tokens_that_cannot_work_are_refused_without_being_repeated(text: str):
    with pytest.raises(Misconfigured) as caught:
        parse_tokens(text)
    assert HASH not in str(caught.value)
