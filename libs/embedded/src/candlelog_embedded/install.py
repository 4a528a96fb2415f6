"""`python -m candlelog_embedded.install`: makes ready what the broker needs.

Its jars, an empty log, and an archive of its classes. `jgo` fetches the jars from Maven Central;
one with other bytes than the locked ones is refused. Quick when everything is there. `--lock`
resolves the class path anew and writes `jars.lock`.
"""

import hashlib
import sys
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from random import Random

import requests
from filelock import FileLock
from jgo.maven import Artifact, MavenContext, PythonResolver
from jgo.parse import Endpoint

from candlelog.errors import CandlelogError
from candlelog_embedded.broker import BrokerFailedError, format_pattern, hasten_starts
from candlelog_embedded.jars import (
    KAFKA_VERSION,
    LOCK,
    LockedJar,
    cache_directory,
    locked_jars,
    repository,
)

_ROOTS = (
    f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}",
    # Kafka logs through slf4j 1.7, and its POM leaves the choice of a backend open. The mark at the
    # end keeps log4j's POM from managing the versions of Kafka's own dependencies.
    "org.apache.logging.log4j:log4j-slf4j-impl:2.25.5!",
)
_DOWNLOADS_AT_ONCE = 8
_NOT_FETCHED = """\
the broker's jar {jar} is not in the cache and could not be fetched.
  What to do: connect this machine to the network and run `make install` again (behind a proxy,
  set HTTPS_PROXY), or copy the folder {cache} from a machine that has it.
  Reason: {error}"""

_NOT_WRITTEN = """\
the cache {cache} cannot be written: {error}
  What to do: make it writable for this account, or set XDG_CACHE_HOME to another folder.
"""

_SLOW = """\
the broker will start more slowly than it could, for its classes are not archived: {error}
"""


class JarNotFetchedError(CandlelogError):
    """A jar is not in the cache and could not be fetched; the message says what to do."""


def fetch_jars(cache: Path) -> int:
    """Bring every locked jar into the cache, whose lock is held; returns how many were fetched.

    Raises JarNotFetchedError when one can neither be found nor fetched.
    """
    maven = _maven(cache)
    with ThreadPoolExecutor(_DOWNLOADS_AT_ONCE) as pool:
        wanted = [jar for jar in locked_jars() if not jar.is_sound(cache)]
        fetches = [pool.submit(_fetch, jar, maven, cache) for jar in wanted]
        for fetch in fetches:
            fetch.result()
    return len(wanted)


def resolve_lock(cache: Path) -> str:
    """The text of a new `jars.lock`: the roots and all they need at run time."""
    lines: list[str] = []
    for artifact in _resolve(_maven(cache)):
        sha256 = hashlib.sha256(artifact.resolve().read_bytes()).hexdigest()
        lines.append(f"{artifact.groupId}:{artifact.artifactId}:{artifact.version} {sha256}")
    return "\n".join(sorted(lines)) + "\n"


def _resolve(maven: MavenContext) -> Iterable[Artifact]:
    coordinates = Endpoint.parse("+".join(_ROOTS)).coordinates
    roots = [maven.create_dependency(replace(one, scope="compile")) for one in coordinates]
    inputs, needed = maven.resolver.resolve(roots)
    at_run_time = (one for one in needed if one.scope in ("compile", "runtime"))
    return [dependency.artifact for dependency in (*inputs, *at_run_time)]


def _maven(cache: Path) -> MavenContext:
    return MavenContext(resolver=PythonResolver(), repo_cache=repository(cache), timeout=30)


def _fetch(jar: LockedJar, maven: MavenContext, cache: Path) -> None:
    # jgo takes any file that is there: what an interrupted download left must go first.
    jar.path(cache).unlink(missing_ok=True)
    try:
        maven.project(jar.group, jar.name).at_version(jar.version).artifact().resolve()
        if jar.is_sound(cache):
            return
        error = "what was fetched has another SHA-256 than jars.lock says"
    except (requests.RequestException, RuntimeError, OSError) as failure:
        error = str(failure)
    jar.path(cache).unlink(missing_ok=True)
    raise JarNotFetchedError(_NOT_FETCHED.format(jar=jar.coordinate, cache=cache, error=error))


def _hasten_starts(cache: Path) -> None:
    try:
        hasten_starts(cache, Random())
    except (BrokerFailedError, OSError) as error:
        sys.stderr.write(_SLOW.format(error=error))


def main(arguments: list[str]) -> int:
    """Install; the exit code is 1 and the message says what to do when that cannot be done."""
    cache = cache_directory()
    if arguments == ["--lock"]:
        LOCK.write_text(resolve_lock(cache))
    try:
        cache.mkdir(parents=True, exist_ok=True)
        with FileLock(cache / "jars.filelock"):
            fetched = fetch_jars(cache)
            format_pattern(cache)
            _hasten_starts(cache)
    except (JarNotFetchedError, BrokerFailedError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except OSError as error:
        sys.stderr.write(_NOT_WRITTEN.format(cache=cache, error=error))
        return 1
    if fetched:
        sys.stdout.write(f"Apache Kafka {KAFKA_VERSION}: {fetched} jars fetched into {cache}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
