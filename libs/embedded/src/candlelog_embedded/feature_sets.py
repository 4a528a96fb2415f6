"""The folder of feature sets that `candlelog up` is told of, judged before anything starts."""

import subprocess
import sys
from pathlib import Path

from candlelog.errors import Misconfigured
from candlelog.market.feature_sets import load_feature_sets


def check_feature_sets(folder: str | None) -> None:
    """Raises Misconfigured for a set that is wrong, and says where. Whether its indicators can be
    computed the featurizer is asked, in a process that ends at once.
    """
    if folder is None:
        return
    load_feature_sets(Path(folder))
    asked = subprocess.run(  # noqa: S603  (our own module)
        (sys.executable, "-m", "featurizer.checking", folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if asked.returncode:
        raise Misconfigured(asked.stderr.strip())
