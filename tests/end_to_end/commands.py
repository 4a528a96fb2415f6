"""Commands of `candlelog`, as a user types them."""

import asyncio
import os
import subprocess

from tests.conftest import CANDLELOG


async def typed(*arguments: str, **environment: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of one command, which has no variables of Candlelog's but
    these."""
    process = await asyncio.create_subprocess_exec(
        CANDLELOG, *arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        env={name: value for name, value in os.environ.items() if not name.startswith("CANDLELOG")}
        | environment,
    )  # fmt: skip
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()
