"""What must hold once all is up again and everybody rests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from tests.crash.journal import Told
from tests.crash.worker import GHOST
from tests.crash.world import FIRST_BALANCE, Held


class Verifier:
    """Holds what the servers have against what the workers were told; remembers what it found in doubt before."""

    def __init__(self) -> None:
        #: Transfers whose worker got no clear answer → whether they were there when all was at rest.
        self.settled: dict[str, bool] = {}

    def anomalies(self, told: Told, held: Held) -> Iterator[str]:
        yield from told.anomalies
        for shard, gid in sorted(held.prepared):
            yield f"{gid} is still prepared on {shard}"
        yield from self._strangers(told, held)
        yield from self._transfers(told, held)
        yield from balances(held)

    def _strangers(self, told: Told, held: Held) -> Iterator[str]:
        for name in held.transfers:
            if name.endswith(GHOST):
                yield f"{name} is there, though its savepoint was taken back"
            elif name not in told.attempts:
                yield f"{name} is there, and nobody meant it"

    def _transfers(self, told: Told, held: Held) -> Iterator[str]:
        for name, attempt in told.attempts.items():
            there = dict(held.transfers.get(name, {}))
            if there and there != dict(attempt.parts):
                yield f"{name} is half done: {there} of {dict(attempt.parts)}; its worker was told {attempt.answer}"
                continue
            if attempt.answer == "committed" and not there:
                yield f"{name} was answered as committed, and is not there"
            elif attempt.answer == "aborted" and there:
                yield f"{name} was answered as aborted ({attempt.said}), and is there"
            elif self.settled.setdefault(name, bool(there)) != bool(there):
                yield f"{name} was {'there' if not there else 'not there'} before, and is not so any more"


def balances(held: Held) -> Iterator[str]:
    """Every account has what its transfers say."""
    expected = dict.fromkeys(held.balances, FIRST_BALANCE)
    for parts in held.transfers.values():
        for account, amount in parts.items():
            expected[account] += amount
    for account, balance in held.balances.items():
        if balance != expected[account]:
            yield f"account {account} has {balance}, and its transfers come to {expected[account]}"


def conserved(balances: Mapping[int, int]) -> bool:
    return sum(balances.values()) == FIRST_BALANCE * len(balances)


def outcome_anomalies(told: Told, held: Held, outcomes: Mapping[str, str]) -> Iterator[str]:
    """What the fleet says of a transaction must be what became of it; it may not know."""
    for name, attempt in told.attempts.items():
        outcome = outcomes.get(attempt.transaction)
        if outcome in ("committed", "aborted") and (outcome == "committed") != bool(held.transfers.get(name)):
            yield f"{name} is {attempt.transaction}, which is said to be {outcome}; it is not so"
