"""Where `candlelog up` is told that exchanges and archives are, judged before anything starts."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from candlelog.errors import Misconfigured

NAMES: Final = ("binance", "binanceusdm", "kraken")
"""Those that may be named."""
_IN_ANOTHER: Final = {"binanceusdm": "binance"}
_HOST: Final = re.compile(r"[A-Za-z0-9._:%-]+")


def check_exchange_urls(urls: Mapping[str, str]) -> None:
    """Raises Misconfigured for a name that no exchange has, or what is no origin."""
    for name, url in urls.items():
        _check_name(name)
        if not _is_origin(url):
            shown = "" if "@" in url else f", not {url!r}"  # never a password
            raise Misconfigured(f"{name} must be at http://HOST:PORT, without a path{shown}")


def check_archives(archives: Mapping[str, str]) -> None:
    """Raises Misconfigured for a name that no exchange has, or a place that cannot be read."""
    for name, place in archives.items():
        _check_name(name)
        if name in _IN_ANOTHER:
            raise Misconfigured(f"files of {name} are in the archive of {_IN_ANOTHER[name]}")
        if name == "kraken" and _is_url(place):
            raise Misconfigured("files of kraken are read from a folder: download them")
        if "," in place or not place.isprintable():
            raise Misconfigured(f"the archive of {name} has a name with a comma or a line end")
        if not (_is_url(place) or _is_readable_folder(place)):
            shown = "" if "@" in place else f": {place!r}"
            raise Misconfigured(
                f"the archive of {name} is no folder that can be read and no http address{shown}"
            )


def _check_name(name: str) -> None:
    if name not in NAMES:
        raise Misconfigured(f"no exchange {name!r}: there are {', '.join(NAMES)}")


def _is_origin(text: str) -> bool:
    bare = text.removesuffix("/")
    return (
        text.isprintable() and _is_url(text) and bare.count("/") == 2 and not set("?#@") & set(bare)
    )


def _is_url(text: str) -> bool:
    try:
        parts = urlsplit(text)
        sound = parts.scheme in ("http", "https") and parts.port != 0
        return sound and _HOST.fullmatch(parts.hostname or "") is not None
    except ValueError:
        return False


def _is_readable_folder(text: str) -> bool:
    folder = Path(text)
    return bool(text) and folder.is_dir() and os.access(folder, os.R_OK | os.X_OK)
