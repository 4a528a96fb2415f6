"""`python -m featurizer.checking FOLDER`: whether every feature set of a folder can be computed."""

import sys
from pathlib import Path

from candlelog.errors import Misconfigured
from candlelog.market.feature_sets import FeatureSets, load_feature_sets
from featurizer.domain.indicators import check


def checked_feature_sets(directory: Path | None) -> FeatureSets:
    """The sets there are; `Misconfigured` says what is wrong with one, and where it stands."""
    feature_sets = load_feature_sets(directory)
    for feature_set in feature_sets.versions.values():
        check(feature_set)
    return feature_sets


def main(folder: str) -> int:
    """Exit code 0, or 1 with the fault on stderr."""
    try:
        checked_feature_sets(Path(folder))
    except Misconfigured as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
