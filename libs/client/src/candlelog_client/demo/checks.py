"""What the demo checks, each as a sentence that holds or does not."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa

from candlelog.market.ranges import TimeRange, merge
from candlelog_client.demo.truth import COMPARED
from candlelog_client.results import Job
from candlelog_client.stored import CoverageRun


@dataclass(frozen=True, slots=True)
class Check:
    """One claim; `found` says what was seen where it does not hold."""

    claim: str
    holds: bool
    found: str = ""


def job_is_complete(job: Job) -> Check:
    """The job ended as it should."""
    why = job.error.message if job.error else job.reason or ""
    return Check("the job is completed", job.status == "completed", f"{job.status} {why}".strip())


def candles_equal(series: str, expected: pa.Table, found: pa.Table) -> Check:
    """Every stored candle equals the source, value for value, and none is missing or too many."""
    claim = f"{series}: {expected.num_rows:,} stored candles equal the source"
    if found.num_rows != expected.num_rows:
        return Check(claim, holds=False, found=f"{found.num_rows:,} candles are stored")
    for name in COMPARED:
        left, right = expected[name].to_numpy(), found[name].to_numpy()
        wrong = np.flatnonzero(left != right)
        if len(wrong):
            at = int(wrong[0])
            told = f"{len(wrong):,} differ in {name}, the first in row {at}: {right[at].item()!r}"
            return Check(claim, holds=False, found=f"{told} instead of {left[at].item()!r}")
    return Check(claim, holds=True)


def covered(series: str, runs: Sequence[CoverageRun], start: datetime, end: datetime) -> Check:
    """Coverage explains the whole range."""
    explained = merge(TimeRange(run.start, run.end) for run in runs if run.state != "unknown")
    claim = f"{series}: coverage explains the whole range"
    told = ", ".join(f"{run.start:%m-%d %H:%M} to {run.end:%m-%d %H:%M}" for run in explained)
    holds = any(run.start <= start and run.end >= end for run in explained)
    return Check(claim, holds, f"only {told or 'nothing'}")


def limit_kept(*, refused: int, heaviest: float, capacity: float) -> Check:
    """The exchange was never asked for more than it allows; `refused` counts 429 and 418."""
    claim = f"no minute took more than {capacity:,.0f} of the exchange's weight"
    holds = refused == 0 and heaviest <= capacity
    return Check(claim, holds, f"{heaviest:,.0f} in one minute, {refused} requests refused")
