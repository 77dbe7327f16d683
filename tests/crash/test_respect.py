"""When a coordinator whose messages were late was there all the time, and when it was not."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import cast

import pytest

from tests.crash.journal import Attempt, Told
from tests.crash.respect import Respect
from tests.crash.watch import Age, Watch
from tests.crash.world import World

NUMBER = "01a2"
WORKER = 1


class Names:
    """A world in which a branch's name is its transaction's number."""

    def number(self, name: str) -> str:
        return name


def struck_again(respect: Respect) -> None:
    respect.note_strike(WORKER)


def struck_another(respect: Respect) -> None:
    respect.note_strike(WORKER + 1)


def server_died(respect: Respect) -> None:
    respect.watch.ailing(None)()


def nothing(respect: Respect) -> None:
    pass


@pytest.mark.parametrize("said", ["OG-TX-004: aborted", "OG-TX-005: unknown"])
@pytest.mark.parametrize(
    ("meanwhile", "prepared_seconds", "there"),
    [
        (nothing, 1.5, True),
        (struck_another, 1.5, True),
        (struck_again, 1.5, False),
        (server_died, 1.5, False),
        (nothing, 2.9, False),
    ],
)
def test_who_is_there_is_left_alone(
    meanwhile: Callable[[Respect], None], prepared_seconds: float, there: bool, said: str
) -> None:
    respect = Respect(Watch(cast(World, Names())))
    respect.note_strike(WORKER)
    respect.expect(NUMBER, WORKER)
    meanwhile(respect)
    ended = time.monotonic()
    respect.watch.ages["s1", NUMBER] = Age(ended - prepared_seconds)
    # (What comes after the answer changes nothing.)
    respect.note_strike(WORKER)
    respect.watch.ailing(None)
    attempt = Attempt("t", (), "aborted", said, f"app/s2/{NUMBER}", ended=ended)
    found = list(respect.anomalies(Told({"t": attempt, "u": Attempt("u", (), ended=math.inf)})))
    assert len(found) == (there and said.startswith("OG-TX-004"))
