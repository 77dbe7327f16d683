"""What every run must say, whatever was struck."""

from __future__ import annotations

from tests.crash.report import Report
from tests.crash.run import DOUBT_SECONDS


def unharmed(report: Report) -> None:
    assert report.anomalies == 0, report.to_dict()
    assert report.sums_conserved
    assert max(report.doubts, default=0.0) <= DOUBT_SECONDS
    # It must have been at work between the faults, or it has shown nothing.
    assert report.answers["committed"] > 3 * report.faults, report.to_dict()
