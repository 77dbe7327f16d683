"""What a process knows of its nodes: bounds that only rise, staleness by one clock, pauses after failed guards."""

from __future__ import annotations

from outgrow.errors import NodeLost
from outgrow.route import Position, Seats
from outgrow.runtime.health import Health
from outgrow.topology import Domain, Node, Role, Shard

PRIMARY = Node("d/s1/primary", "d", "s1", Role.PRIMARY, "")
REPLICA = Node("d/s1/replica1", "d", "s1", Role.REPLICA, "")
DOMAIN = Domain("d", "postgresql", 16, (Shard("s1", PRIMARY, (REPLICA,)),), {})


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_staleness_is_now_minus_the_newest_primary_place_that_was_replayed() -> None:
    clock = Clock()
    health = Health([DOMAIN], clock)
    assert health.staleness_seconds(REPLICA) == float("inf")
    health.note_primary(PRIMARY, 90.0, Position(1, 1000))
    health.note_primary(PRIMARY, 95.0, Position(1, 2000))
    health.note_replayed(REPLICA, Position(1, 1500), "run 1")
    assert health.staleness_seconds(REPLICA) == 10.0
    health.note_replayed(REPLICA, Position(1, 2000), "run 1")
    assert health.staleness_seconds(REPLICA) == 5.0


def test_an_idle_primary_does_not_make_a_replica_old() -> None:
    clock = Clock()
    health = Health([DOMAIN], clock)
    health.note_replayed(REPLICA, Position(1, 2000), "run 1")
    for second in range(50, 100):
        health.note_primary(PRIMARY, float(second), Position(1, 2000))
    assert health.staleness_seconds(REPLICA) == 1.0


def test_places_of_another_generation_say_nothing_about_age() -> None:
    health = Health([DOMAIN], Clock())
    health.note_primary(PRIMARY, 99.0, Position(1, 1))
    health.note_replayed(REPLICA, Position(2, 500), "run 1")
    assert health.staleness_seconds(REPLICA) == float("inf")


def test_bounds_only_rise() -> None:
    health = Health([DOMAIN], Clock())
    health.note_replayed(REPLICA, Position(1, 2000), "run 1")
    health.note_replayed(REPLICA, Position(1, 1000), "run 1")
    assert health.replayed(REPLICA) == Position(1, 2000)


def test_a_restarted_replica_is_where_it_says() -> None:
    health = Health([DOMAIN], Clock())
    health.note_replayed(REPLICA, Position(1, 2000), "run 1")
    assert health.replayed_by(REPLICA, "run 1") == Position(1, 2000) and health.replayed_by(REPLICA, "run 2") is None
    health.note_replayed(REPLICA, Position(1, 1000), "run 2")
    assert health.replayed(REPLICA) == Position(1, 1000) and health.replayed_by(REPLICA, "run 1") is None


def test_a_failed_guard_pauses_longer_each_time_and_a_good_one_ends_it() -> None:
    clock = Clock()
    health = Health([DOMAIN], clock)
    pauses = []
    for _ in range(9):
        health.note_guard(REPLICA, False)
        assert not health.guard_now(REPLICA)
        before = clock.now
        while not health.guard_now(REPLICA):
            clock.now += 0.0005
        pauses.append(clock.now - before)
    assert pauses[1] > 1.5 * pauses[0]
    assert pauses[-1] < 0.11
    health.note_guard(REPLICA, True)
    assert health.guard_now(REPLICA)


def test_a_lost_node_is_asked_again_less_and_less_often() -> None:
    clock = Clock()
    health = Health([DOMAIN], clock)
    health.note_lost(REPLICA, NodeLost("OG-NODE-001", "refused"))
    assert not health.usable(REPLICA)
    assert not health.due(REPLICA)
    clock.now += 0.15
    assert health.due(REPLICA)
    health.note_lost(REPLICA, NodeLost("OG-NODE-001", "refused"))
    clock.now += 0.15
    assert not health.due(REPLICA)
    health.note_alive(REPLICA)
    assert health.usable(REPLICA)


def test_new_seats_forget_old_places() -> None:
    health = Health([DOMAIN], Clock())
    health.note_replayed(REPLICA, Position(1, 2000), "run 1")
    assert health.seat("d", "s1", Seats(REPLICA, (PRIMARY,)))
    assert health.replayed(REPLICA) is None
    assert not health.seat("d", "s1", Seats(REPLICA, (PRIMARY,)))
