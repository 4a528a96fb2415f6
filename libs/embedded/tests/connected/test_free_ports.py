"""A port belongs to whom it was given, whether or not anybody listens there."""

import subprocess
import sys
from random import Random

import pytest

from candlelog_embedded.process import free_ports

pytestmark = pytest.mark.connected

SEED, COUNT = 2024, 20
ANOTHER_PROCESS = f"""
from random import Random
from candlelog_embedded.process import free_ports
print(*free_ports({COUNT}, Random({SEED})), flush=True)
input()
"""


def test_no_port_is_given_twice_in_a_process():
    first, second = (free_ports(COUNT, Random(SEED)) for _ in range(2))
    assert len({*first, *second}) == 2 * COUNT


def test_no_port_of_another_process_is_given():
    with subprocess.Popen(
        [sys.executable, "-c", ANOTHER_PROCESS],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as other:
        assert other.stdout is not None
        theirs = {int(port) for port in other.stdout.readline().split()}
        ours = set(free_ports(COUNT, Random(SEED)))
        other.communicate(b"\n")
    assert len(theirs | ours) == 2 * COUNT
