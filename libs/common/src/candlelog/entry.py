"""What the entry of a service imports first: `Runtime` and `run`, and what holds from then on.

At import, against the rule: what an entry imports after this must find it so.
"""

import gc
import sys
from importlib.abc import MetaPathFinder


class _WithoutPandas(MetaPathFinder):
    """Keeps pandas out of the services. pyarrow and TA-Lib import it, wherever it is installed, to
    ask whether a value is one of its own: a second of processor and 60 MB, and no service uses it.
    """

    def find_spec(self, fullname: str, *_: object) -> None:
        """Refuse pandas, leave everything else to the finders that follow."""
        if fullname == "pandas":
            raise ModuleNotFoundError("services do without pandas", name=fullname)


sys.meta_path.insert(0, _WithoutPandas())
# Modules hold on to what they make: to look for garbage meanwhile is in vain. `run` ends this.
gc.disable()

from candlelog.lifecycle import Runtime  # noqa: E402  (after the above)
from candlelog.process import run  # noqa: E402

__all__ = ["Runtime", "run"]
