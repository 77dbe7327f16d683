"""Ids made in memory: unique and ordered whatever clocks and threads do."""

from __future__ import annotations

import random
import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outgrow.runtime import uuid7
from outgrow.runtime.numbers import ids
from outgrow.runtime.numbers.ids import Minter


class Clock:
    def __init__(self, now: int = 1_000) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now


def parts(minted: int | None) -> tuple[int, int, int]:
    assert minted is not None
    return minted >> 22, minted >> 10 & 0xFFF, minted & 0x3FF


def test_the_layout() -> None:
    minter = Minter(Clock(7))
    minter.lease(4095, 7, 100)
    assert parts(minter.mint()) == (7, 4095, 0)
    assert parts(minter.mint()) == (7, 4095, 1)
    minter = Minter(Clock((1 << 41) - 1))
    minter.lease(4095, (1 << 41) - 1, (1 << 41) - 1)
    for _ in range(1023):
        minter.mint()
    assert minter.mint() == 2**63 - 1
    assert minter.mint() is None


def test_a_full_millisecond_begins_the_next_one_early() -> None:
    minter = Minter(Clock(5))
    minter.lease(1, 5, 100)
    minted = [minter.mint() for _ in range(3000)]
    assert [parts(one)[0] for one in (minted[0], minted[1023], minted[1024], minted[2999])] == [5, 5, 6, 7]
    assert minted == sorted(set(minted))


def test_without_a_lease_for_the_moment_there_is_no_id() -> None:
    clock = Clock(10)
    minter = Minter(clock)
    assert minter.mint() is None
    minter.lease(3, 10, 20)
    assert minter.mint() is not None
    clock.now = 21
    assert minter.mint() is None
    minter.extend(40)
    assert parts(minter.mint()) == (21, 3, 0)
    assert minter.end() == 21
    assert minter.mint() is None


class Ledger:
    """The rule of `outgrow.workers` in memory: a number goes to whoever comes after its last promised millisecond."""

    def __init__(self, numbers: int) -> None:
        self.until = dict.fromkeys(range(numbers), -1)
        self.holder: dict[int, int] = {}

    def take(self, holder: int, now: int, until: int) -> int | None:
        free = [number for number, last in self.until.items() if last < now]
        if not free:
            return None
        number = free[0]
        self.until[number], self.holder[number] = until, holder
        return number

    def keep(self, number: int, holder: int, now: int, until: int) -> bool:
        if self.holder.get(number) != holder or self.until[number] < now:
            return False
        self.until[number] = until
        return True


@given(st.integers(0, 2**32), st.integers(2, 4))
@settings(max_examples=200, deadline=None)
def test_processes_with_clocks_that_jump_never_make_an_id_twice(seed: int, numbers: int) -> None:
    """Few numbers, short leases, clocks that disagree by more than a lease and jump both ways."""
    chance = random.Random(seed)
    ledger, seen = Ledger(numbers), set()
    clocks = [Clock(chance.randint(0, 500)) for _ in range(8)]
    minters = [Minter(clock) for clock in clocks]
    held: list[int | None] = [None] * 8
    last = [-1] * 8
    for _ in range(400):
        at = chance.randrange(8)
        clock, minter, number = clocks[at], minters[at], held[at]
        clock.now = max(0, clock.now + chance.choice((0, 0, 1, 1, 5, 60, -40)))
        minted = minter.mint()
        if minted is None:
            now = minter.needs_ms()
            if number is not None and ledger.keep(number, at, now, now + 50):
                minter.extend(now + 50)
            else:
                held[at] = number = ledger.take(at, now, now + 50)
                if number is not None:
                    minter.lease(number, now, now + 50)
            minted = minter.mint()
        if minted is not None:
            assert minted not in seen
            assert minted > last[at]
            seen.add(minted)
            last[at] = minted


def test_threads_share_a_minter() -> None:
    minter = Minter(Clock(1))
    minter.lease(9, 1, 10**6)
    barrier = threading.Barrier(8)

    def mint(_: int) -> list[int | None]:
        barrier.wait()
        return [minter.mint() for _ in range(2000)]

    with ThreadPoolExecutor(8) as pool:
        each = list(pool.map(mint, range(8)))
    assert len({one for found in each for one in found}) == 16_000
    assert all(found == sorted(found) for found in each)


def test_uuids_are_of_version_7_and_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids, "_uuid_ms", 0)
    monkeypatch.setattr(ids, "wall_ns", lambda: 1_800_000_000_123_000_000)
    made = [uuid7() for _ in range(2000)]
    monkeypatch.setattr(ids, "wall_ns", lambda: 1_700_000_000_000_000_000)
    made += [uuid7() for _ in range(2000)]
    assert made == sorted(set(made))
    assert {one.version for one in made} == {7}
    assert {one.variant for one in made} == {uuid.RFC_4122}
    assert {one.int >> 80 for one in made} == {1_800_000_000_123}
    monkeypatch.setattr(ids, "wall_ns", lambda: 1_900_000_000_000_000_000)
    assert uuid7().int >> 80 == 1_900_000_000_000


def test_a_uuid_whose_counter_is_full_goes_to_the_next_millisecond(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids, "_uuid_ms", 0)
    monkeypatch.setattr(ids, "wall_ns", lambda: 1_950_000_000_000_000_000)
    before = uuid7()
    monkeypatch.setattr(ids, "_uuid_counter", (1 << 42) - 1)
    after = uuid7()
    assert after > before
    assert after.int >> 80 == 1_950_000_000_001
