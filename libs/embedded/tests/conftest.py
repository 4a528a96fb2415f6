"""What the tests of processes ask of the machine."""

from collections.abc import Callable

import psutil
import pytest


def _gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture
def gone() -> Callable[[int], bool]:
    """Whether a process has ended; one that nobody has buried yet counts as ended."""
    return _gone
