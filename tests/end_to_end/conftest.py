"""A system whose exchange does what the test says."""

from collections.abc import AsyncGenerator, Generator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.conftest import Launch, fresh_data_dir
from tests.sandbox import Sandbox, sandbox_of

from candlelog_client.client import Candlelog


@pytest.fixture(scope="module")
def system_dir() -> Generator[Path]:
    """The folder of `system`."""
    with fresh_data_dir() as folder:
        yield folder


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system(launch: Launch, system_dir: Path) -> AsyncGenerator[tuple[Candlelog, Sandbox]]:
    """A client of a system on the sandbox, and the sandbox: one for all tests of a module, whose
    mark is `asyncio(loop_scope="module")`."""
    async with launch(system_dir, "--sandbox") as client, sandbox_of(system_dir) as sandbox:
        yield client, sandbox
