"""How long the end of a process may take, from the inside out."""

from typing import Final

IN_HAND_SECONDS: Final = 5.0
"""For records in hand, before they are dropped and come again to the next owner."""
MAIN_SECONDS: Final = 7.0
"""For everything a service does after it was told to stop: records in hand, the commit, leaving."""
ANSWERS_SECONDS: Final = 2
"""After that, for answers that are on their way."""
LEFTOVERS_SECONDS: Final = 0.5
"""When all that matters has ended, for what is left: tasks and threads of libraries."""
PROCESS_SECONDS: Final = MAIN_SECONDS + ANSWERS_SECONDS + 1.0 + LEFTOVERS_SECONDS
"""For the whole, with the goodbye to the broker: whoever supervises it kills it no sooner."""
