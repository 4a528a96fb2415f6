"""Where Candlelog is and with which token: from the environment or a data directory."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from candlelog_client.errors import NotConfigured

API_URL = "CANDLELOG_API_URL"
API_TOKEN = "CANDLELOG_API_TOKEN"  # noqa: S105 - the name of a variable, not a token
ENVIRONMENT_FILE = "candlelog.env"


@dataclass(frozen=True, slots=True)
class Connection:
    """Origin of the API (without `/api/v1`) and the bearer token, if any."""

    url: str
    token: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        """Raise `NotConfigured` for what no request could be sent with."""
        if not _is_address(self.url):
            raise NotConfigured(f"{self.url!r} is no address: set {API_URL} to http://HOST:PORT")
        if self.token is not None and not _is_token(self.token):
            raise NotConfigured(f"{API_TOKEN} holds characters that no token has")

    @property
    def is_local(self) -> bool:
        """Whether the server is this machine, which no proxy can reach."""
        host = urlsplit(self.url).hostname or ""
        try:
            return ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"


def _is_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def _is_token(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text


def from_environment(environ: Mapping[str, str] | None = None) -> Connection:
    """The connection that `CANDLELOG_API_URL` and `CANDLELOG_API_TOKEN` describe.

    Raises `NotConfigured` without an address.
    """
    environ = os.environ if environ is None else environ
    url = environ.get(API_URL)
    if not url:
        raise NotConfigured(f"no address of Candlelog is known: set {API_URL}")
    return Connection(url.rstrip("/"), environ.get(API_TOKEN) or None)


def discover(data_dir: Path, environ: Mapping[str, str] | None = None) -> Connection:
    """The connection of the environment, else of the system that runs on `data_dir`.

    Raises `NotConfigured`, saying both ways, when there is neither.
    """
    return from_environment(variables_with(API_URL, data_dir, environ))


def variables_with(
    name: str, data_dir: Path, environ: Mapping[str, str] | None = None
) -> Mapping[str, str]:
    """The environment if it holds `name`, else the variables of the system on `data_dir`.

    Raises `NotConfigured` when neither holds it.
    """
    environ = os.environ if environ is None else environ
    if environ.get(name):
        return environ
    written = data_dir / ENVIRONMENT_FILE
    variables = read_environment_file(written) if written.is_file() else {}
    if not variables.get(name):
        raise NotConfigured(
            f"no running Candlelog found: {name} is not set, and {written} does not name it. "
            f"Start one with `candlelog up --data-dir {data_dir}`, or set {name}"
        )
    return variables


def read_environment_file(path: Path) -> dict[str, str]:
    """The variables of a `candlelog.env`: one `KEY=value` a line, `#` begins a comment line."""
    variables: dict[str, str] = {}
    for line in path.read_text(encoding="utf-8").splitlines():
        key, separator, value = line.strip().partition("=")
        if separator and not key.startswith("#"):
            variables[key] = value
    return variables
