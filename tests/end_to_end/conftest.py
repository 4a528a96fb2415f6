"""A system whose exchange does what the test says."""

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest
from tests.conftest import Launch
from tests.sandbox import Sandbox, sandbox_of

from candlelog_client.client import Candlelog


@pytest.fixture
async def system(launch: Launch, data_dir: Path) -> AsyncGenerator[tuple[Candlelog, Sandbox]]:
    """A client of a system on the sandbox, and the sandbox."""
    async with launch(data_dir, "--sandbox") as client, sandbox_of(data_dir) as sandbox:
        yield client, sandbox
