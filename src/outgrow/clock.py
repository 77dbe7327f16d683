"""The one source of local time, so that tests can hold it still."""

from __future__ import annotations

import time

#: Seconds that never run backwards; the only time that waits and staleness are measured in.
monotonic = time.monotonic

#: Nanoseconds since 1970 as this machine believes; may jump either way.  For ids that sort by time, and nothing else.
wall_ns = time.time_ns
