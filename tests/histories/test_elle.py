"""The checker finds each anomaly that is planted, by its name, and accuses no clean history."""

from __future__ import annotations

import random

import pytest

from tests.histories.elle import Append, Kind, Outcome, Read, Transaction, check, components, kinds


def t(name: str, *operations: Append | Read, session: str = "", outcome: Outcome = Outcome.COMMITTED) -> Transaction:
    return Transaction(name, session or name, operations, outcome)


def a(key: int, value: int) -> Append:
    return Append(key, value)


def r(key: int, *values: int) -> Read:
    return Read(key, values)


PLANTED: dict[Kind, list[Transaction]] = {
    # Two transactions write two lists in opposite orders.
    Kind.G0: [t("A", a(1, 1), a(2, 1)), t("B", a(1, 2), a(2, 2)), t("C", r(1, 1, 2)), t("D", r(2, 2, 1))],
    Kind.G1A: [t("A", a(1, 1), outcome=Outcome.ABORTED), t("B", r(1, 1))],
    Kind.G1B: [t("A", a(1, 1), a(1, 2)), t("B", r(1, 1)), t("C", r(1, 1, 2))],
    # Each reads what the other has written.
    Kind.G1C: [t("A", a(1, 1), r(2, 2)), t("B", a(2, 2), r(1, 1))],
    # A fractured read: one of B's writes, and not the other.
    Kind.G_SINGLE: [t("A", r(1), r(2, 2)), t("B", a(1, 1), a(2, 2)), t("C", r(1, 1))],
    # Write skew.
    Kind.G2: [t("A", r(1), a(2, 2)), t("B", r(2), a(1, 1)), t("C", r(1, 1), r(2, 2))],
    Kind.ORDER: [t("A", a(1, 1)), t("B", a(1, 2)), t("C", r(1, 1, 2)), t("D", r(1, 2, 1))],
    Kind.INTERNAL: [t("A", a(1, 1), r(1)), t("B", r(1, 1))],
    Kind.READ_YOUR_WRITES: [t("A", a(1, 1), session="s"), t("B", r(1), session="s")],
    Kind.MONOTONIC_READS: [t("A", a(1, 1)), t("B", r(1, 1), session="s"), t("C", r(1), session="s")],
}


@pytest.mark.parametrize("kind", Kind)
def test_each_anomaly_is_found(kind: Kind) -> None:
    assert kind in kinds(check(PLANTED[kind])), check(PLANTED[kind])


#: What follows from one anomaly: a read that goes back also closes a cycle with the one that went before.
FOLLOW = {Kind.G0: {Kind.G0}, Kind.G1C: {Kind.G1C}, Kind.G_SINGLE: {Kind.G_SINGLE}, Kind.G2: {Kind.G2}}


@pytest.mark.parametrize("kind", FOLLOW)
def test_a_cycle_is_called_by_its_own_name(kind: Kind) -> None:
    assert kinds(check(PLANTED[kind])) == FOLLOW[kind]


@pytest.mark.parametrize("kind", Kind)
def test_each_anomaly_is_found_in_a_long_history(kind: Kind) -> None:
    """Among two hundred transactions that did nothing wrong, on other lists."""
    clean = serial(1, 200, first_key=100)
    planted = PLANTED[kind]
    where = [*clean[:100], *planted, *clean[100:]]
    assert kind in kinds(check(where))
    names = {one.name for one in planted}
    assert all(names.issuperset(anomaly.transactions) for anomaly in check(where))


def serial(seed: int, count: int, first_key: int = 1) -> list[Transaction]:
    """Transactions one after the other, some rolled back, some of unknown end."""
    chance = random.Random(seed)
    lists: dict[int, list[int]] = {}
    history = []
    for number in range(count):
        outcome = chance.choices(list(Outcome), (8, 1, 1))[0]
        work = {key: list(values) for key, values in lists.items()}
        operations: list[Append | Read] = []
        for step in range(chance.randint(1, 5)):
            key = first_key + chance.randrange(6)
            if chance.random() < 0.5:
                operations.append(Append(key, number * 10 + step))
                work.setdefault(key, []).append(number * 10 + step)
            else:
                operations.append(Read(key, tuple(work.get(key, ()))))
        if outcome is Outcome.COMMITTED or (outcome is Outcome.UNKNOWN and chance.random() < 0.5):
            lists = work
        history.append(Transaction(f"t{seed}.{number}", f"s{number % 5}", tuple(operations), outcome))
    return history


@pytest.mark.parametrize("seed", range(40))
def test_serial_histories_are_not_accused(seed: int) -> None:
    assert check(serial(seed, 150)) == []


@pytest.mark.parametrize("seed", range(40))
def test_snapshots_may_only_skew_writes(seed: int) -> None:
    """Two at a time on one snapshot, first committer wins: G2, and nothing else."""
    chance = random.Random(seed)
    lists: dict[int, tuple[int, ...]] = {}
    history = []
    for number in range(100):
        snapshot, pair, taken = dict(lists), [], set[int]()
        for which in range(2):
            reads = tuple(Read(key, snapshot.get(key, ())) for key in chance.sample(range(6), 2))
            key = chance.randrange(6)
            outcome = Outcome.ABORTED if key in taken else Outcome.COMMITTED
            append = Append(key, number * 10 + which)
            if outcome is Outcome.COMMITTED:
                taken.add(key)
                lists[key] = (*lists.get(key, ()), append.value)
            pair.append(Transaction(f"t{number}.{which}", f"s{number}.{which}", (*reads, append), outcome))
        history += pair
    assert kinds(check(history)) <= {Kind.G2}


def test_a_part_of_a_history_is_one_too() -> None:
    fractured = PLANTED[Kind.G_SINGLE]
    assert check([one.of({1}) for one in fractured]) == check([one.of({2}) for one in fractured]) == []


def test_unread_appends_prove_nothing() -> None:
    assert check([t("A", a(1, 1), a(2, 1)), t("B", a(1, 2), a(2, 2))]) == []


def test_components() -> None:
    parts = components({"a": ["b"], "b": ["c"], "c": ["a", "d"], "d": ["e"], "e": ["d"], "f": ["f"]})
    assert parts["a"] == parts["b"] == parts["c"] != parts["d"] == parts["e"]
    assert "f" not in parts
