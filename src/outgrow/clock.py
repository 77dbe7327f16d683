"""The one source of local time, so that tests can hold it still."""

from __future__ import annotations

import time

#: Seconds that never run backwards; the only time that waits and staleness are measured in.
monotonic = time.monotonic
