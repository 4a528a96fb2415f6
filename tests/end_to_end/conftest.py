"""A system whose exchange does what the test says."""

from collections.abc import AsyncGenerator

import pytest_asyncio
from tests.conftest import Launch, fresh_data_dir
from tests.sandbox import Sandbox, sandbox_of

from candlelog_client.client import Candlelog


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def system(launch: Launch) -> AsyncGenerator[tuple[Candlelog, Sandbox]]:
    """A client of a system on the sandbox, and the sandbox: one for all tests of a module, whose
    mark is `asyncio(loop_scope="module")`."""
    with fresh_data_dir() as data_dir:
        async with launch(data_dir, "--sandbox") as client, sandbox_of(data_dir) as sandbox:
            yield client, sandbox
