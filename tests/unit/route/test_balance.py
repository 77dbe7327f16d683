"""Sharing reads out among replicas: who is tried first, how often, and who lags too far."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgrow.route import Check, Position, Seats, bounded, choose, level_of
from outgrow.route.balance import in_order, lags
from outgrow.topology import Node, Reads, Role
from tests.unit.route.test_choice import View


def node(name: str, weight: int = 1, zone: str = "") -> Node:
    return Node(name, "sales", "s1", Role.REPLICA, f"host={name}", "", weight, zone)


@dataclass
class Load:
    """A scripted LoadView."""

    used: dict[str, int] = field(default_factory=dict)
    latencies: dict[str, float] = field(default_factory=dict)
    ages: dict[str, float] = field(default_factory=dict)
    behind: dict[str, float] = field(default_factory=dict)

    def connections_used(self, node: Node) -> int:
        return self.used.get(node.name, 0)

    def latency_seconds(self, node: Node) -> float:
        return self.latencies.get(node.name, 0.0)

    def staleness_seconds(self, node: Node) -> float:
        return self.ages.get(node.name, float("inf"))

    def behind_bytes(self, node: Node) -> float:
        return self.behind.get(node.name, float("inf"))


A, B, C = node("a"), node("b"), node("c")


def firsts(replicas: tuple[Node, ...], reads: Reads, load: Load | None = None, turns: int = 1200) -> Counter[str]:
    return Counter(in_order(replicas, reads, None, load or Load(), turn)[0].name for turn in range(turns))


def test_in_turn() -> None:
    assert firsts((A, B, C), Reads()) == {"a": 400, "b": 400, "c": 400}


def test_weights_are_kept_exactly_and_spread() -> None:
    heavy = (node("a", 5), node("b", 1), node("c", 0))
    assert firsts(heavy, Reads("weighted")) == {"a": 1000, "b": 200}
    order = [in_order(heavy, Reads("weighted"), None, Load(), turn)[0].name for turn in range(6)]
    # As nginx spreads them: not all of one in a row before the other.
    assert "".join(order) in ("aaabaa", "aabaaa")


def test_without_any_weight_all_are_alike() -> None:
    assert set(firsts((node("a", 0), node("b", 0)), Reads("weighted"))) == {"a", "b"}


def test_the_fewest_connections() -> None:
    load = Load(used={"a": 3, "b": 1, "c": 1})
    assert firsts((A, B, C), Reads("least_connections"), load).keys() == {"b", "c"}


def test_the_quick_share_and_the_slow_wait() -> None:
    load = Load(latencies={"a": 0.0010, "b": 0.0012, "c": 0.0100})
    found = firsts((A, B, C), Reads("lowest_latency"), load)
    assert found.keys() == {"a", "b"} and min(found.values()) > 300
    assert [n.name for n in in_order((C, A), Reads("lowest_latency"), None, load, 0)] == ["a", "c"]


def test_sticky_stays_for_every_level() -> None:
    for turn in range(4):
        assert in_order((A, B, C), Reads("sticky"), C, Load(), turn)[0] is C


def test_ones_own_zone_comes_first_whatever_the_balance() -> None:
    here = (node("a", zone="east"), node("b", zone="west"), node("c", zone="west"))
    for balance in ("round_robin", "weighted", "least_connections", "lowest_latency"):
        assert firsts(here, Reads(balance, zone="west")).keys() == {"b", "c"}, balance
        assert in_order(here, Reads(balance, zone="west"), None, Load(), 0)[-1].name == "a"


@given(
    st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["", "east", "west"])), min_size=1, max_size=5),
    st.sampled_from(["round_robin", "weighted", "least_connections", "lowest_latency", "sticky"]),
    st.sampled_from(["", "east"]),
    st.integers(0, 50),
    st.lists(st.integers(0, 3), min_size=5, max_size=5),
)
def test_everyone_comes_once(made: list[tuple[int, str]], balance: str, zone: str, turn: int, used: list[int]) -> None:
    replicas = tuple(node(f"r{n}", weight, zone) for n, (weight, zone) in enumerate(made))
    load = Load(used={f"r{n}": used[n] for n in range(5)})
    found = in_order(replicas, Reads(balance, zone=zone), replicas[0], load, turn)
    assert sorted(n.name for n in found) == sorted(n.name for n in replicas)


@pytest.mark.parametrize(
    ("reads", "lagging"),
    [
        (Reads(), False),
        (Reads(lag_max_seconds=1.0), False),
        (Reads(lag_max_seconds=0.4), True),
        (Reads(lag_max_bytes=100), False),
        (Reads(lag_max_bytes=99), True),
        (Reads(lag_max_seconds=1.0, lag_max_bytes=99), True),
    ],
)
def test_what_lags(reads: Reads, lagging: bool) -> None:
    load = Load(ages={"a": 0.5}, behind={"a": 100})
    assert lags(A, reads, load) is lagging
    # Of whom nothing is known, nobody knows that it does not.
    assert lags(B, reads, load) is (reads != Reads())


def test_a_lagging_replica_is_read_at_no_level() -> None:
    primary = replace(A, name="p", role=Role.PRIMARY)
    seats = Seats(primary, (A, B))
    view = View(ages={"a": 9.0, "b": 0.1}, places={"a": Position(1, 9), "b": Position(1, 9)})
    reads = Reads(lag_max_seconds=1.0)
    for level in (level_of("session"), level_of("eventual"), bounded(100)):
        assert choose(seats, level, Position(1, 5), None, view, 0, reads).node is B
    # A session that has read it goes to the primary, which alone is ahead of both.
    left = choose(seats, level_of("session"), Position(1, 5), A, view, 0, reads)
    assert (left.node, left.check) == (primary, Check.PLACE)
    view.ages["b"] = 9.0
    for level in (level_of("session"), level_of("eventual"), bounded(100)):
        assert choose(seats, level, Position(1, 5), None, view, 0, reads).node is primary
