"""Which node a read goes to: every promise, against every state of the replicas."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from hypothesis import given
from hypothesis import strategies as st

from outgrow.route import Check, Level, Position, Seats, bounded, choose, level_of
from outgrow.topology import Node, Role


def node(name: str, role: Role = Role.REPLICA) -> Node:
    return Node(name, "sales", "s1", role, f"host={name}")


PRIMARY = node("p", Role.PRIMARY)
FIRST, SECOND = node("r1"), node("r2")
SEATS = Seats(PRIMARY, (FIRST, SECOND))
SESSION = level_of("session")


@dataclass
class View:
    """A scripted HealthView."""

    lost: set[str] = field(default_factory=set)
    places: dict[str, Position] = field(default_factory=dict)
    ages: dict[str, float] = field(default_factory=dict)
    paused: set[str] = field(default_factory=set)

    def usable(self, node: Node) -> bool:
        return node.name not in self.lost

    def replayed(self, node: Node) -> Position | None:
        return self.places.get(node.name)

    def staleness_seconds(self, node: Node) -> float:
        return self.ages.get(node.name, float("inf"))

    def guard_now(self, node: Node) -> bool:
        return node.name not in self.paused

    def connections_used(self, node: Node) -> int:
        return 0

    def latency_seconds(self, node: Node) -> float:
        return 0.0

    def behind_bytes(self, node: Node) -> float:
        return float("inf")


def test_strong_reads_the_primary() -> None:
    assert choose(SEATS, level_of("strong"), None, FIRST, View(), 0).node is PRIMARY


def test_a_session_without_a_floor_takes_replicas_in_turn() -> None:
    assert [choose(SEATS, SESSION, None, None, View(), turn).node for turn in range(3)] == [FIRST, SECOND, FIRST]


def test_a_session_stays_on_its_replica() -> None:
    assert choose(SEATS, SESSION, None, SECOND, View(), 0).node is SECOND


def test_a_session_that_must_leave_its_replica_reads_the_primary() -> None:
    """Another replica may be behind the one it leaves: only the primary is ahead of both."""
    choice = choose(SEATS, SESSION, Position(1, 5), FIRST, View(lost={"r1"}, places={"r2": Position(1, 9)}), 0)
    assert choice.node is PRIMARY


def test_a_covering_replica_is_read_for_nothing() -> None:
    choice = choose(SEATS, SESSION, Position(1, 5), None, View(places={"r1": Position(1, 4), "r2": Position(1, 5)}), 0)
    assert (choice.node, choice.check) == (SECOND, Check.NOTHING)


def test_a_replica_that_may_be_fresh_is_asked() -> None:
    choice = choose(SEATS, SESSION, Position(1, 5), None, View(places={"r1": Position(1, 4)}), 0)
    assert (choice.node, choice.check) == (FIRST, Check.GUARD)


def test_after_failed_guards_the_primary_tells_its_place() -> None:
    view = View(places={"r1": Position(1, 4), "r2": Position(1, 4)}, paused={"r1", "r2"})
    choice = choose(SEATS, SESSION, Position(1, 5), None, view, 0)
    assert (choice.node, choice.check) == (PRIMARY, Check.PLACE)


def test_a_place_of_another_generation_proves_nothing() -> None:
    view = View(places={"r1": Position(2, 900), "r2": Position(2, 900)})
    assert choose(SEATS, SESSION, Position(1, 5), None, view, 0).node is PRIMARY
    assert choose(SEATS, SESSION, Position(1, 5), FIRST, view, 0).node is PRIMARY


def test_bounded_takes_what_is_known_fresh_and_asks_the_rest() -> None:
    assert choose(SEATS, bounded(1), None, None, View(ages={"r2": 0.5}), 0) == (
        SECOND,
        Check.NOTHING,
        "a replica known to be fresh within the bound",
    )
    assert choose(SEATS, bounded(1), None, None, View(ages={"r2": 1.5}), 0).check is Check.GUARD
    assert choose(SEATS, bounded(1), None, None, View(paused={"r1", "r2"}), 0).node is PRIMARY


def test_no_usable_replica_means_the_primary() -> None:
    for level in ("session", "eventual", "bounded(1)"):
        assert choose(SEATS, level_of(level), None, None, View(lost={"r1", "r2"}), 0).node is PRIMARY


positions = st.builds(Position, st.integers(1, 2), st.integers(0, 5))


@given(
    floor=st.none() | positions,
    last=st.sampled_from([None, FIRST, SECOND]),
    places=st.dictionaries(st.sampled_from(["r1", "r2"]), positions),
    lost=st.sets(st.sampled_from(["r1", "r2"])),
    paused=st.sets(st.sampled_from(["r1", "r2"])),
    turn=st.integers(0, 5),
)
def test_a_session_never_reads_unasked_below_its_floor(
    floor: Position | None,
    last: Node | None,
    places: dict[str, Position],
    lost: set[str],
    paused: set[str],
    turn: int,
) -> None:
    choice = choose(SEATS, Level("session"), floor, last, View(lost, places, {}, paused), turn)
    assert choice.node.name not in lost
    if choice.node is PRIMARY:
        return
    assert last is None or choice.node is last
    if floor is not None and choice.check is Check.NOTHING:
        place = places[choice.node.name]
        assert place.generation == floor.generation and place.lsn >= floor.lsn


@given(
    st.sampled_from(("session", "bounded(1)")),
    st.none() | st.integers(0, 9),
    st.sampled_from((None, 0, 1)),
    st.integers(0, 9),
    st.sets(st.sampled_from(("r1", "r2"))),
    st.integers(0, 3),
)
def test_a_pooled_replica_is_never_read_on_trust(
    level: str, floor: int | None, last: int | None, place: int, paused: set[str], turn: int
) -> None:
    """Whatever is known of it was said by the server that the pooler led to then."""
    pooled = tuple(replace(one, pooler="transaction") for one in (FIRST, SECOND))
    seats = Seats(PRIMARY, pooled)
    view = View(places={one.name: Position(1, place) for one in pooled}, ages={"r1": 0.0, "r2": 0.0}, paused=paused)
    seen = None if floor is None else Position(1, floor)
    before = None if last is None else pooled[last]
    choice = choose(seats, level_of(level), seen, before, view, turn)
    if choice.node is PRIMARY:
        assert paused
    else:
        assert choice.check is Check.GUARD and choice.node.name not in paused


def test_eventual_promises_nothing_and_asks_nothing_behind_a_pooler_either() -> None:
    pooled = replace(FIRST, pooler="transaction")
    choice = choose(Seats(PRIMARY, (pooled,)), level_of("eventual"), None, None, View(), 0)
    assert (choice.node, choice.check) == (pooled, Check.NOTHING)
