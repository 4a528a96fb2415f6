"""What the tests of processes ask of the machine."""

from collections.abc import Callable

import pytest
from tests.processes import gone as has_ended


@pytest.fixture
def gone() -> Callable[[int], bool]:
    """Whether a process has ended; one that nobody has buried yet counts as ended."""
    return has_ended
