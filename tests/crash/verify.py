"""What must hold once all is up again and everybody rests."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set

from tests.crash.journal import Attempt, Told
from tests.crash.worker import GHOST, LOST
from tests.crash.world import ACCOUNTS, FIRST_BALANCE, Held

#: How far a replica is behind that nobody holds up.
DELAY_SECONDS = 3.0
#: How long until a transfer without a clear answer is ended: statements, commit, and recovery's patience.
UNANSWERED_SECONDS = 45.0


class Verifier:
    """Holds what the servers have against what the workers were told; remembers what it found in doubt before."""

    def __init__(self, lossy: bool = False, lags: Sequence[tuple[float, float]] = ()) -> None:
        #: Replicas that had not got all were promoted: what such a primary alone had is gone.
        self.lossy = lossy
        #: From when until when they got nothing; the harness goes on writing here.
        self.lags = lags
        #: Transfers that were lost so → whether only in part.
        self.lost: dict[str, bool] = {}
        #: Transfers whose worker got no clear answer → whether they were there when all was at rest.
        self.settled: dict[str, bool] = {}

    def anomalies(self, told: Told, held: Held) -> Iterator[str]:
        yield from told.anomalies
        for shard, gid in sorted(held.prepared):
            yield f"{gid} is still prepared on {shard}"
        for account in sorted(held.doubled):
            yield f"account {account} is on several shards"
        if len(held.balances) != ACCOUNTS:
            yield f"there are {len(held.balances)} of {ACCOUNTS} accounts"
        if not self.lossy:
            yield from decided(held)
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
            if attempt.said.startswith(LOST) and not self.lossy:
                yield f"{name} is said to be lost: {attempt.said}"
            if self.lossy and self._gone(attempt, there):
                continue
            if there and there != dict(attempt.parts):
                yield f"{name} is half done: {there} of {dict(attempt.parts)}; its worker was told {attempt.answer}"
                continue
            if attempt.answer == "committed" and not there:
                yield f"{name} was answered as committed, and is not there"
            elif attempt.answer == "aborted" and there:
                yield f"{name} was answered as aborted ({attempt.said}), and is there"
            elif self.settled.setdefault(name, bool(there)) != bool(there):
                yield f"{name} was {'there' if not there else 'not there'} before, and is not so any more"

    def _gone(self, attempt: Attempt, there: Mapping[int, int]) -> bool:
        """Whether a failover has lost it, as far as can be told: in part, or wholly though it was answered."""
        parts = dict(attempt.parts)
        missing = parts.keys() - there.keys()
        if not missing or any(parts.get(account) != amount for account, amount in there.items()):
            return False
        if not self._excused(attempt):
            return False
        if there or attempt.answer == "committed" or self.settled.get(attempt.name) or attempt.name in self.lost:
            self.lost[attempt.name] = bool(there)
            return True
        return False

    def _excused(self, attempt: Attempt) -> bool:
        """Only what was under way while replicas got nothing can be gone with a primary.

        What nobody has answered was perhaps ended by others, soon after its worker has died.
        """
        last = min(attempt.ended, attempt.began + UNANSWERED_SECONDS)
        if attempt.answer != "committed":
            last = attempt.began + UNANSWERED_SECONDS
        return any(attempt.began <= ended and last >= began - DELAY_SECONDS for began, ended in self.lags)

    def unnamed(self, told: Told, named: Set[str]) -> Iterator[str]:
        """What is half there, and the product says nothing of it."""
        half = [name for name, in_part in self.lost.items() if in_part]
        numbers = {name: told.attempts[name].transaction.rpartition("/")[2] for name in half}
        for name, number in numbers.items():
            if number and number not in named:
                yield f"{name} ({number}) lost a part to a failover, and nobody says so"
        if len(half) > len(named):
            yield f"{len(half)} transfers lost a part to a failover, and only {len(named)} are named"


def decided(held: Held) -> Iterator[str]:
    """One decision for each transaction; where it is to commit every branch has left its stamp, else none has."""
    outcomes: dict[str, str] = {}
    for number, outcome, shards in held.decisions:
        if outcomes.setdefault(number, outcome) != outcome:
            yield f"{number} is decided twice: {outcomes[number]} and {outcome}"
        there = [shard for shard, numbers in held.stamps.items() if number in numbers]
        if outcome == "committed" and set(there) != set(shards):
            yield f"{number} is committed on {', '.join(there) or 'no shard'}, of {', '.join(shards)}"
        elif outcome == "aborted" and there:
            yield f"{number} is aborted, and committed on {', '.join(there)}"


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
