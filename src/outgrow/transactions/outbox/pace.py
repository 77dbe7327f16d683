"""When what could not be delivered is tried again: a key by itself, or the target as a whole."""

from __future__ import annotations

from collections.abc import Callable

#: A key's first, second, … wait doubles up to this (seconds).
KEY_FIRST, KEY_LONGEST = 1.0, 300.0
#: A target's; short, because everything waits for it, and one look is one message.
TARGET_FIRST, TARGET_LONGEST = 0.5, 15.0
#: So many keys one behind the other, and none delivered in between: it is not the messages.
IN_A_ROW = 5


def key_wait(attempts: int, chance: float) -> float:
    """How long a key waits after its first message has failed `attempts` times; `chance` from 0 to 1."""
    return _spread(min(KEY_LONGEST, KEY_FIRST * 2.0 ** min(attempts - 1, 20)), chance)


def _spread(seconds: float, chance: float) -> float:
    """What failed together shall not be tried again together."""
    return seconds * (0.8 + 0.4 * chance)


class Pace:
    """Of one topic on one shard: whether its target is there."""

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance
        self._failed_in_a_row = 0
        self._pauses = 0
        #: Until then nothing is given to the target; then one message, to see.
        self.paused_until: float | None = None

    @property
    def probing(self) -> bool:
        return self._pauses > 0

    def delivered(self) -> bool:
        """It took something; True where it had not been there."""
        back = self._pauses > 0
        self._failed_in_a_row = self._pauses = 0
        self.paused_until = None
        return back

    def refused(self, fresh: int, now: float) -> None:
        """It took nothing, and refused messages of keys; so many of those had not failed before."""
        self._failed_in_a_row += fresh
        if self._failed_in_a_row >= IN_A_ROW or self.probing:
            self.unavailable(now)

    def unavailable(self, now: float) -> None:
        seconds = min(TARGET_LONGEST, TARGET_FIRST * 2.0 ** min(self._pauses, 20))
        self._pauses += 1
        self.paused_until = now + _spread(seconds, self._chance())
