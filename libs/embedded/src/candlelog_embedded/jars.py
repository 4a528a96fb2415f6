"""The broker's class path: which jars, which bytes, and where the cache keeps them.

`jars.lock` names every jar as `group:artifact:version` with the SHA-256 of its bytes, one a line.
"""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

KAFKA_VERSION = "4.4.0"
LOCK = Path(__file__).with_name("jars.lock")


@dataclass(frozen=True, slots=True)
class LockedJar:
    """One jar: its Maven coordinate and the SHA-256 of its bytes in hex."""

    group: str
    name: str
    version: str
    sha256: str

    @property
    def coordinate(self) -> str:
        """`group:artifact:version`."""
        return f"{self.group}:{self.name}:{self.version}"

    def path(self, cache: Path) -> Path:
        """Where the jar lies in the cache, in the layout of a Maven repository."""
        folder = repository(cache).joinpath(*self.group.split("."), self.name, self.version)
        return folder / f"{self.name}-{self.version}.jar"

    def is_sound(self, cache: Path) -> bool:
        """Whether the cache holds exactly the locked bytes."""
        path = self.path(cache)
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == self.sha256


def cache_directory() -> Path:
    """Where downloads are kept for every checkout of this user (honours XDG_CACHE_HOME)."""
    root = os.environ.get("XDG_CACHE_HOME")
    return (Path(root) if root else Path.home() / ".cache") / "candlelog"


def repository(cache: Path) -> Path:
    """The Maven repository inside the cache."""
    return cache / "maven"


def locked_jars() -> tuple[LockedJar, ...]:
    """The committed class path."""
    return tuple(_locked(line) for line in LOCK.read_text().splitlines())


def class_path(cache: Path) -> str:
    """The class path in Java's form."""
    return os.pathsep.join(str(jar.path(cache)) for jar in locked_jars())


def all_present(cache: Path) -> bool:
    """Whether every jar is in the cache; their bytes were checked when they were fetched."""
    return all(jar.path(cache).is_file() for jar in locked_jars())


def _locked(line: str) -> LockedJar:
    coordinate, sha256 = line.split()
    group, name, version = coordinate.split(":")
    return LockedJar(group, name, version, sha256)
