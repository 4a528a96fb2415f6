"""The ways a chunk can go."""

from enum import StrEnum


class Route(StrEnum):
    """Who works on a chunk: fetchers ask the venue, or read a file of its archive, or features are
    computed of what is stored."""

    REST = "rest"
    ARCHIVE = "archive"
    FEATURES = "features"
