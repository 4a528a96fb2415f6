"""How records are compressed; apart from the log, so that settings need nothing of it."""

from typing import Literal

Compression = Literal["zstd"] | None
"""None is for who writes what is compressed already."""
