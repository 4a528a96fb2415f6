"""Files of an archive, made of what the sandbox exchange answers."""

import hashlib
import io
import zipfile
from datetime import datetime
from pathlib import Path

from tests.sandbox import Sandbox


def path_of(market: str, month: str, timeframe: str = "1h") -> str:
    """Where the file of a month lies in a tree of spot markets."""
    return f"spot/monthly/klines/{market}/{timeframe}/{market}-{timeframe}-{month}.zip"


async def put(
    archive: Path,
    sandbox: Sandbox,
    market: str,
    month: str,
    *,
    timeframe: str = "1h",
    until: datetime | None = None,
    checksum: str | None = None,
) -> None:
    """Put the file of a month there, with the rows that the exchange has `until` then, and its
    checksum."""
    start = datetime.fromisoformat(f"{month}-01T00:00:00+00:00")
    end = start.replace(month=start.month + 1)
    rows = await sandbox.klines(market, timeframe, start, until or end)
    text = "".join(",".join(map(str, row)) + "\n" for row in rows)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(f"{market}-{timeframe}-{month}.csv", text)
    path = archive / path_of(market, month, timeframe)
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = checksum or hashlib.sha256(packed.getvalue()).hexdigest()
    path.with_name(f"{path.name}.CHECKSUM").write_text(f"{digest}  {path.name}\n")
    path.write_bytes(packed.getvalue())
