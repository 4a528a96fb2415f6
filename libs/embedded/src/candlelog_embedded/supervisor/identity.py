"""What a data directory is for good: which venues its data came from, and its admin token."""

import hashlib
import secrets
from dataclasses import asdict, dataclass, field

import orjson

from candlelog.errors import Misconfigured
from candlelog_embedded.supervisor.directory import DataDirectory, write_json

_WORDS = {True: "the sandbox exchange", False: "real venues"}
_FLAGS = {True: "--sandbox", False: "--no-sandbox"}


@dataclass(frozen=True, slots=True)
class Identity:
    """Invented candles and real ones never share a directory."""

    sandbox: bool
    admin_token: str = field(repr=False)

    @property
    def accepted_tokens(self) -> str:
        """What the API is told to accept: names and hashes, not the token."""
        return f"admin:admin:{hashlib.sha256(self.admin_token.encode()).hexdigest()}"


def identify(directory: DataDirectory, *, sandbox: bool) -> Identity:
    """The identity of a directory, made at its first start.

    Raises Misconfigured when the directory was first started for the other kind of venue.
    """
    if directory.identity_file.exists():
        identity = Identity(**orjson.loads(directory.identity_file.read_bytes()))
        if identity.sandbox != sandbox:
            raise Misconfigured(
                f"{directory.root} holds data of {_WORDS[identity.sandbox]}: start it with"
                f" {_FLAGS[identity.sandbox]}, or give another --data-dir"
            )
        return identity
    identity = Identity(sandbox=sandbox, admin_token=secrets.token_urlsafe(32))
    write_json(directory.identity_file, asdict(identity))
    return identity
