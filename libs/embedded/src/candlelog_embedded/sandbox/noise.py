"""Random numbers that are a function of where they stand, the same on every machine.

Integer hashing only (the finaliser of SplitMix64, Steele, Lea and Flood 2014): no stream, no state,
nothing that depends on the version of a library.
"""

import hashlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

Bits = NDArray[np.uint64]

_STEP: Final = np.uint64(0x9E3779B97F4A7C15)
_FIRST: Final = np.uint64(0xBF58476D1CE4E5B9)
_SECOND: Final = np.uint64(0x94D049BB133111EB)
_LANE: Final = np.uint64(0xFFFF)
_BELL_SCALE: Final = 2.0**-16
_BELL_MEAN: Final = 2 * 0xFFFF


def key(*parts: str) -> np.uint64:
    """The seed that these words name."""
    digest = hashlib.sha256("\x00".join(parts).encode()).digest()
    return np.uint64(int.from_bytes(digest[:8], "big"))


def bits(seed: np.uint64, places: NDArray[np.int64]) -> Bits:
    """64 random bits for each place: shape of `places`."""
    mixed = places.astype(np.uint64)
    mixed *= _STEP
    mixed ^= seed
    for shift, factor in ((30, _FIRST), (27, _SECOND)):
        mixed ^= mixed >> np.uint64(shift)
        mixed *= factor
    mixed ^= mixed >> np.uint64(31)
    return mixed


def lane(random: Bits, number: int) -> NDArray[np.int64]:
    """One of the four 16-bit numbers in `random`: 0 to 65535."""
    return ((random >> np.uint64(16 * number)) & _LANE).astype(np.int64)


def bell(random: Bits) -> NDArray[np.int64]:
    """A bell-shaped whole number around zero, the sum of four lanes: within ±131070, with a
    standard deviation of 37837 (65536 / √3).
    """
    pairs = (random & np.uint64(0x0000FFFF0000FFFF)) + (
        (random >> np.uint64(16)) & np.uint64(0x0000FFFF0000FFFF)
    )
    total = (pairs & np.uint64(0xFFFFFFFF)) + (pairs >> np.uint64(32))
    return total.astype(np.int64) - _BELL_MEAN


def bell_unit(random: Bits) -> NDArray[np.float64]:
    """`bell` as a float within ±2, with a standard deviation of 1/√3."""
    return np.multiply(bell(random), _BELL_SCALE, dtype=np.float64)
