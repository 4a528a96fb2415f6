"""`candlelog up --detach`: the supervisor in the background, in a process of its own.

`python -m candlelog_embedded.detached OPTIONS` is that process; OPTIONS is JSON.
"""

import json
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

from candlelog.errors import CandlelogError
from candlelog_embedded.supervisor.directory import DataDirectory
from candlelog_embedded.supervisor.state import read_report
from candlelog_embedded.system import up
from candlelog_embedded.topology import Options

_LOOK_EVERY_SECONDS = 0.1


class DetachedFailedError(CandlelogError):
    """The supervisor ended instead of becoming ready; the text is what it said."""


def up_detached(options: Options) -> Path:
    """Start the system in the background; returns its `candlelog.env` when all is ready.

    Raises DetachedFailedError, Misconfigured (the data directory cannot be).
    """
    directory = DataDirectory(options.data_dir)
    directory.make()
    log = directory.log_of("supervisor")
    begin = log.stat().st_size if log.exists() else 0
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603  (our own module)
            (sys.executable, "-m", "candlelog_embedded.detached", _to_json(options)),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    if _becomes_ready(directory, process):
        return directory.environment_file
    with log.open("rb") as said:
        said.seek(begin)
        raise DetachedFailedError(said.read().decode(errors="replace").strip())


def main(arguments: Sequence[str]) -> int:
    """Be the supervisor; what it has to say goes to standard output, its log."""
    options = _from_json(arguments[0])
    try:
        up(options, ready=lambda told: _say(told.line), note=_say)
    except CandlelogError as error:
        _say(str(error))
        return 1
    return 0


def _becomes_ready(directory: DataDirectory, process: subprocess.Popen[bytes]) -> bool:
    """Wait until it is ready, or has ended; one that is not waited for any longer is ended."""
    never = threading.Event()
    try:
        while process.poll() is None:
            if _is_ready(directory, process.pid):
                process.returncode = 0  # it outlives us on purpose: nobody waits for it
                return True
            never.wait(_LOOK_EVERY_SECONDS)
    except KeyboardInterrupt:
        process.terminate()
        process.wait()
        raise
    return False


def _is_ready(directory: DataDirectory, pid: int) -> bool:
    # The file of an earlier supervisor is gone once this one has reported itself.
    report = read_report(directory)
    ours = report is not None and report.supervisor.pid == pid
    return ours and directory.environment_file.exists()


def _to_json(options: Options) -> str:
    plain = {name: getattr(options, name) for name in Options.__slots__}
    return json.dumps(plain, default=_plain)


def _from_json(text: str) -> Options:
    plain = json.loads(text)
    return Options(**(plain | {"data_dir": Path(plain["data_dir"])}))


def _plain(value: object) -> object:
    return dict(value) if isinstance(value, Mapping) else str(value)


def _say(sentence: str) -> None:
    sys.stdout.write(f"{sentence}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
