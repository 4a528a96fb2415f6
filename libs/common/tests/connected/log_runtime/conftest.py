"""A broker of this test's own, which may be frozen and killed."""

import os
import signal
import subprocess
import time
from random import Random

import pytest

from candlelog_embedded.broker import broker
from candlelog_embedded.process import free_ports


class OwnBroker:
    """Started by `start`; the data stays over `kill` and the next `start`."""

    def __init__(self, directory):
        self._port, controller_port = free_ports(2, Random())
        self._spec = broker(directory / "broker", port=self._port, controller_port=controller_port)
        self._log = directory / "broker.log"
        self._process = None

    @property
    def bootstrap(self):
        return f"127.0.0.1:{self._port}"

    def revive(self):
        if self._process is None or self._process.poll() is not None:
            self.start()
        self.thaw()

    def start(self):
        self._spec.prepare()
        with self._log.open("ab") as output:
            self._process = subprocess.Popen(
                self._spec.leashed_command, stdout=output, stderr=subprocess.STDOUT
            )
        deadline = time.monotonic() + 60
        while not self._spec.ready():
            assert self._process.poll() is None, self._log.read_text()[-2000:]
            assert time.monotonic() < deadline
            time.sleep(0.1)

    def freeze(self):
        """It keeps its connections and answers nothing."""
        os.kill(self._process.pid, signal.SIGSTOP)
        time.sleep(0.5)  # until every thread has stopped

    def thaw(self):
        os.kill(self._process.pid, signal.SIGCONT)

    def kill(self):
        """Its connections break, and new ones are refused."""
        self._process.kill()
        self._process.wait()


@pytest.fixture(scope="module")
def _broker_of_the_module(tmp_path_factory):
    made = OwnBroker(tmp_path_factory.mktemp("own"))
    yield made
    made.kill()


@pytest.fixture
def own_broker(_broker_of_the_module):
    """Running when the test begins; the test may leave it in any state."""
    _broker_of_the_module.revive()
    return _broker_of_the_module
