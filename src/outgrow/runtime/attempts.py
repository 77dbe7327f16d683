"""Running a transaction again where the servers ask for it: what `fleet.run` does, in both colours of waiting."""

from __future__ import annotations

import random

from outgrow.clock import monotonic
from outgrow.errors import Error, InterfaceError
from outgrow.waits import Steps, Until

#: How often in all, unless the caller says otherwise.
ATTEMPTS = 10
#: Before the second attempt, at most; each pause is up to twice as long as the one before, as far as the second.
_FIRST_SECONDS, _LONGEST_SECONDS = 0.01, 1.0
#: Serialization failures and deadlocks, and a lock that was not to be had in time.
_AGAIN_SQLSTATES = ("40001", "40P01")
_AGAIN_CODES = ("OG-TX-008",)


class Attempts:
    """Counts the attempts of one transaction."""

    def __init__(self, most: int) -> None:
        if most < 1:
            raise InterfaceError("OG-RUN-160", f"a transaction cannot be run {most} times", cure="pass 1 or more")
        self._left = most - 1
        self._longest = _FIRST_SECONDS

    def pause_steps(self, error: Error) -> Steps[None]:
        """Wait before the next; raises the error where another is no use, or there have been enough.

        Chance keeps those apart that were in each other's way.
        """
        again = error.sqlstate in _AGAIN_SQLSTATES or error.code in _AGAIN_CODES
        if not again or self._left == 0:
            raise error
        self._left -= 1
        longest, self._longest = self._longest, min(2 * self._longest, _LONGEST_SECONDS)
        yield Until(monotonic() + longest * random.random())
