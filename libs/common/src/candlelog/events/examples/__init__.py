"""Golden examples: one record of every event version, as it stands on the log.

A file is `<ce_type>.json` with `headers`, `key` and `value` (JSON), or `value_base64` (Arrow).
They are never edited: somebody wrote code against them. `SHA256SUMS` holds them to that.
"""

import base64
import json
from dataclasses import dataclass
from importlib.resources import files

import orjson


@dataclass(frozen=True, slots=True)
class Example:
    """A record as bytes."""

    ce_type: str
    key: bytes
    headers: tuple[tuple[str, bytes], ...]
    value: bytes


def load_examples() -> list[Example]:
    """Every golden example, ordered by `ce_type`."""
    found = (file for file in files(__name__).iterdir() if file.name.endswith(".json"))
    return sorted((_read(file.read_bytes()) for file in found), key=lambda each: each.ce_type)


def _read(text: bytes) -> Example:
    document = json.loads(text)
    headers = document["headers"]
    encoded = document.get("value_base64")
    return Example(
        ce_type=headers["ce_type"],
        key=document["key"].encode(),
        headers=tuple((name, value.encode()) for name, value in headers.items()),
        value=base64.b64decode(encoded) if encoded else orjson.dumps(document["value"]),
    )
