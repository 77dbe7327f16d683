"""Events → logs, spans and metrics.  It subscribes to a fleet, and nothing below knows of it."""

from outgrow.watch.attaching import Watched, attach, instrument
from outgrow.watch.slow import SlowStatements

__all__ = [
    "SlowStatements",
    "Watched",
    "attach",
    "instrument",
]
