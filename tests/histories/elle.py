"""A checker of list-append histories, after Elle (Kingsbury and Alvaro, 2020): which of Adya's anomalies they have.

Every transaction appends unique values to lists and reads whole lists, so a read tells the order in which the values
before its last one were written.  From these orders follow the dependencies between transactions:

    ww  one wrote the version after the other's         wr  one read the other's version
    rw  one read the version before the other's

and a cycle of them is an anomaly, called by what it is made of.  Beside cycles: reads of what was rolled back (G1a), of
what was not a transaction's last word (G1b), of orders that contradict each other, and, per session, of less than the
session has seen or written before.  What the history does not prove is not accused: an append that nobody has read
has no place in any order.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

Key = int
Value = int


class Outcome(enum.Enum):
    COMMITTED = "committed"
    ABORTED = "aborted"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Append:
    key: Key
    value: Value


@dataclass(frozen=True, slots=True)
class Read:
    key: Key
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Transaction:
    """What one transaction did, in order; reads of one that did not commit are not believed."""

    name: str
    #: Whose it was; the transactions of a session are in order.
    session: str
    operations: tuple[Append | Read, ...]
    outcome: Outcome = Outcome.COMMITTED

    def of(self, keys: Iterable[Key]) -> Transaction:
        """Its part on some keys."""
        wanted = set(keys)
        kept = tuple(operation for operation in self.operations if operation.key in wanted)
        return Transaction(self.name, self.session, kept, self.outcome)


class Kind(enum.StrEnum):
    G0 = "G0"
    G1A = "G1a"
    G1B = "G1b"
    G1C = "G1c"
    G_SINGLE = "G-single"
    G2 = "G2"
    #: Two reads of a list disagree on its order, or one has a value twice, or one that nobody wrote.
    ORDER = "incompatible order"
    #: A transaction does not see its own appends, or a list changes under it.
    INTERNAL = "internal"
    READ_YOUR_WRITES = "read your writes"
    MONOTONIC_READS = "monotonic reads"


@dataclass(frozen=True, slots=True)
class Anomaly:
    kind: Kind
    transactions: tuple[str, ...]
    why: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.why}"


#: What a cycle may be made of: ww, wr, rw.
WW, WR, RW = "ww", "wr", "rw"


@dataclass
class Graph:
    #: from → to → kind of dependency → the key that shows it
    edges: dict[str, dict[str, dict[str, Key]]] = field(default_factory=dict)

    def add(self, one: str, other: str, kind: str, key: Key) -> None:
        if one != other:
            self.edges.setdefault(one, {}).setdefault(other, {}).setdefault(kind, key)

    def of(self, *kinds: str) -> dict[str, list[str]]:
        """Who follows whom by these."""
        return {
            one: [other for other, found in others.items() if any(kind in found for kind in kinds)]
            for one, others in self.edges.items()
        }

    def with_kind(self, kind: str) -> Iterator[tuple[str, str]]:
        for one, others in self.edges.items():
            for other, found in others.items():
                if kind in found:
                    yield one, other

    def told(self, cycle: Sequence[str]) -> str:
        steps = []
        for one, other in zip(cycle, [*cycle[1:], cycle[0]], strict=True):
            found = self.edges[one][other]
            steps.append(f"{one} -{'/'.join(f'{kind} on {key}' for kind, key in found.items())}-> ")
        return "".join(steps) + cycle[0]


@dataclass
class Facts:
    """What the history proves before any cycle is looked for."""

    #: (key, value) → who appended it
    writers: dict[tuple[Key, Value], Transaction]
    #: key → the values in order, as far as anybody has read them
    orders: dict[Key, tuple[Value, ...]]
    anomalies: list[Anomaly]


def check(history: Sequence[Transaction]) -> list[Anomaly]:
    """All that can be proved against a history; sessions' transactions are in order."""
    facts = _facts(history)
    found = list(facts.anomalies)
    found += _aborted_and_intermediate(history, facts)
    found += [anomaly for one in _believed(history) for anomaly in _internal(one)]
    found += _cycles(_graph(history, facts))
    found += _sessions(history)
    return found


def kinds(anomalies: Iterable[Anomaly]) -> set[Kind]:
    return {anomaly.kind for anomaly in anomalies}


def _believed(history: Iterable[Transaction]) -> Iterator[Transaction]:
    return (one for one in history if one.outcome is Outcome.COMMITTED)


def _reads(one: Transaction) -> Iterator[Read]:
    return (operation for operation in one.operations if isinstance(operation, Read))


def _appends(one: Transaction) -> Iterator[Append]:
    return (operation for operation in one.operations if isinstance(operation, Append))


def _facts(history: Sequence[Transaction]) -> Facts:
    writers = {(append.key, append.value): one for one in history for append in _appends(one)}
    orders: dict[Key, tuple[Value, ...]] = {}
    for one in _believed(history):
        for read in _reads(one):
            if len(read.values) > len(orders.get(read.key, ())):
                orders[read.key] = read.values
    anomalies = []
    for one in _believed(history):
        for read in _reads(one):
            longest = orders.get(read.key, ())
            if longest[: len(read.values)] != read.values:
                why = f"{one.name} read {_shown(read)}, and another one {list(longest)}"
            elif len(set(read.values)) < len(read.values):
                why = f"{one.name} read {_shown(read)}, with a value twice"
            elif any((read.key, value) not in writers for value in read.values):
                why = f"{one.name} read {_shown(read)}, with a value that nobody wrote"
            else:
                continue
            anomalies.append(Anomaly(Kind.ORDER, (one.name,), why))
    return Facts(writers, orders, anomalies)


def _aborted_and_intermediate(history: Sequence[Transaction], facts: Facts) -> Iterator[Anomaly]:
    last: dict[tuple[str, Key], Value] = {}
    for one in history:
        for append in _appends(one):
            last[one.name, append.key] = append.value
    for one in _believed(history):
        for read in _reads(one):
            for value in read.values:
                writer = facts.writers.get((read.key, value))
                if writer is not None and writer.outcome is Outcome.ABORTED:
                    why = f"{one.name} read {_shown(read)}, and {writer.name}, which wrote {value}, was rolled back"
                    yield Anomaly(Kind.G1A, (writer.name, one.name), why)
            writer = facts.writers.get((read.key, read.values[-1])) if read.values else None
            if writer is not None and writer is not one and last[writer.name, read.key] != read.values[-1]:
                why = f"{one.name} read {_shown(read)}, and {writer.name} had more to write there"
                yield Anomaly(Kind.G1B, (writer.name, one.name), why)


def _internal(one: Transaction) -> Iterator[Anomaly]:
    """Its own reads agree with what it has read and written before."""
    known: dict[Key, list[Value]] = {}
    own: dict[Key, list[Value]] = {}
    for operation in one.operations:
        if isinstance(operation, Append):
            own.setdefault(operation.key, []).append(operation.value)
            if operation.key in known:
                known[operation.key].append(operation.value)
            continue
        mine = own.get(operation.key, [])
        before = known.get(operation.key)
        seen = list(operation.values)
        if (before is not None and seen != before) or (mine and seen[-len(mine) :] != mine):
            yield Anomaly(Kind.INTERNAL, (one.name,), f"{one.name} read {_shown(operation)}, after {before} and {mine}")
        known[operation.key] = seen


def _graph(history: Sequence[Transaction], facts: Facts) -> Graph:
    graph = Graph()
    place = {(key, value): number for key, order in facts.orders.items() for number, value in enumerate(order)}

    def writer(key: Key, number: int) -> Transaction | None:
        order = facts.orders.get(key, ())
        return facts.writers.get((key, order[number])) if 0 <= number < len(order) else None

    for key, order in facts.orders.items():
        for number in range(1, len(order)):
            one, other = writer(key, number - 1), writer(key, number)
            if one is not None and other is not None:
                graph.add(one.name, other.name, WW, key)
    for reader in _believed(history):
        for read in _reads(reader):
            number = place.get((read.key, read.values[-1]), -1) if read.values else -1
            if (before := writer(read.key, number)) is not None:
                graph.add(before.name, reader.name, WR, read.key)
            if not read.values or number >= 0:
                after = writer(read.key, number + 1)
                # Its own appends are no news to it; the next one of somebody else is.
                while after is reader:
                    number += 1
                    after = writer(read.key, number + 1)
                if after is not None:
                    graph.add(reader.name, after.name, RW, read.key)
    return graph


def _cycles(graph: Graph) -> Iterator[Anomaly]:
    """Of each kind one cycle for each strongly connected part."""
    yield from _cycles_of(graph, Kind.G0, graph.of(WW), graph.with_kind(WW), graph.of(WW))
    written = graph.of(WW, WR)
    yield from _cycles_of(graph, Kind.G1C, written, graph.with_kind(WR), written)
    whole = graph.of(WW, WR, RW)
    single = list(_cycles_of(graph, Kind.G_SINGLE, whole, graph.with_kind(RW), written))
    yield from single
    # Two of them at least: what comes back only by another one.
    parts = components(whole)
    for one, other in graph.with_kind(RW):
        part = parts.get(one)
        if part is not None and part == parts.get(other) and path(written, other, one) is None:
            cycle = path(whole, other, one)
            assert cycle is not None
            yield Anomaly(Kind.G2, tuple(cycle), graph.told(cycle))
            parts = {name: its for name, its in parts.items() if its != part}


def _cycles_of(
    graph: Graph,
    kind: Kind,
    within: Mapping[str, Sequence[str]],
    edges: Iterable[tuple[str, str]],
    back: Mapping[str, Sequence[str]],
) -> Iterator[Anomaly]:
    """A cycle with one of `edges`, and `back` from its end; one for each part of `within`."""
    parts = components(within)
    told: set[int] = set()
    for one, other in edges:
        part = parts.get(one)
        if part is None or part in told or parts.get(other) != part:
            continue
        cycle = path(back, other, one)
        if cycle is not None:
            told.add(part)
            yield Anomaly(kind, tuple(cycle), graph.told(cycle))


def _sessions(history: Sequence[Transaction]) -> Iterator[Anomaly]:
    """Each session sees what it has written and read before."""
    written: dict[tuple[str, Key], list[Value]] = {}
    seen: dict[tuple[str, Key], tuple[Value, ...]] = {}
    for one in _believed(history):
        for read in _reads(one):
            at = one.session, read.key
            missing = [value for value in written.get(at, []) if value not in read.values]
            if missing:
                why = f"{one.name} of {one.session} read {_shown(read)} without {missing}, which it had written"
                yield Anomaly(Kind.READ_YOUR_WRITES, (one.name,), why)
            before = seen.get(at, ())
            if read.values[: len(before)] != before:
                why = f"{one.name} of {one.session} read {_shown(read)}, after {list(before)}"
                yield Anomaly(Kind.MONOTONIC_READS, (one.name,), why)
            seen[at] = max(before, read.values, key=len)
        for append in _appends(one):
            written.setdefault((one.session, append.key), []).append(append.value)


# -- graphs ----------------------------------------------------------------------------------------------------------


def components(follows: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """The strongly connected parts with more than one member: member → part.  (Tarjan, without recursion.)"""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    on_stack: dict[str, None] = {}
    parts: dict[str, int] = {}
    for root in follows:
        if root in index:
            continue
        work: list[tuple[str, Iterator[str]]] = []

        def enter(node: str, work: list[tuple[str, Iterator[str]]] = work) -> None:
            index[node] = low[node] = len(index)
            on_stack[node] = None
            work.append((node, iter(follows.get(node, ()))))

        enter(root)
        while work:
            node, following = work[-1]
            after = next(following, None)
            if after is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    _close(node, on_stack, parts)
            elif after not in index:
                enter(after)
            elif after in on_stack:
                low[node] = min(low[node], index[after])
    return parts


def _close(node: str, on_stack: dict[str, None], parts: dict[str, int]) -> None:
    members = []
    while True:
        member, _ = on_stack.popitem()
        members.append(member)
        if member == node:
            break
    if len(members) > 1:
        number = len(set(parts.values()))
        parts.update(dict.fromkeys(members, number))


def path(follows: Mapping[str, Sequence[str]], one: str, other: str) -> list[str] | None:
    """The shortest way, both ends with it; None where there is none."""
    came: dict[str, str | None] = {one: None}
    fresh = [one]
    while fresh:
        if other in came:
            break
        later = []
        for node in fresh:
            for after in follows.get(node, ()):
                if after not in came:
                    came[after] = node
                    later.append(after)
        fresh = later
    if other not in came:
        return None
    way: list[str] = []
    at: str | None = other
    while at is not None:
        way.append(at)
        at = came[at]
    return way[::-1]


def _shown(read: Read) -> str:
    return f"{list(read.values)} of {read.key}"
