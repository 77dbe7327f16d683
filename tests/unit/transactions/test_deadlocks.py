"""Who waits for whom over several shards, and who gives up."""

from __future__ import annotations

from outgrow.transactions.deadlocks import Backend, cycle, giving_up, told

ONE, TWO, THREE = 0x1111, 0x2222, 0x3333


def member(pid: int, presence: int, begun: int, blockers: tuple[int, ...] = (), since: str = "") -> Backend:
    return Backend(pid, blockers or None, since or None, "accounts" if blockers else None, presence, begun)


def crossed(since: str = "12:00") -> dict[str, list[Backend]]:
    """ONE waits on b for TWO, which waits on a for ONE."""
    return {
        "a": [member(1, ONE, 100), member(2, TWO, 200, (1,), since)],
        "b": [member(3, ONE, 100, (4,), since), member(4, TWO, 200)],
    }


def test_two_shards() -> None:
    for mine in (ONE, TWO):
        found = cycle(crossed(), crossed(), mine)
        assert {edge.shard for edge in found} == {"a", "b"}
        assert giving_up(found, crossed()) == [TWO, ONE]
    assert told(cycle(crossed(), crossed(), TWO), TWO) == (
        "this one waits on a for accounts, held by …0000000000001111; "
        "…0000000000001111 waits on b for accounts, held by this one"
    )
    assert cycle(crossed(), crossed(), THREE) == ()


def test_a_wait_that_is_another_one_by_now_is_none() -> None:
    """A server that was asked later shows waits that may have begun when those of the first were over."""
    later = crossed()
    later["a"] = crossed("12:01")["a"]
    assert cycle(crossed(), later, ONE) == ()
    gone = crossed()
    gone["a"] = [member(1, ONE, 100), member(2, TWO, 200)]
    assert cycle(crossed(), gone, ONE) == ()
    assert cycle(gone, crossed(), ONE) == ()
    # Not said yet since when.
    fresh = crossed()
    fresh["b"][0] = fresh["b"][0]._replace(since=None)
    assert cycle(fresh, fresh, ONE) == ()


def test_three_shards_and_strangers() -> None:
    look = {
        "a": [member(1, ONE, 100), member(2, THREE, 50, (1,), "t")],
        # A stranger that is on this shard alone stands between ONE and TWO.
        "b": [member(3, ONE, 100, (9,), "t"), Backend(9, (4,), "t", None, None, None), member(4, TWO, 70)],
        "c": [member(5, TWO, 70, (6,), "t"), member(6, THREE, 50)],
    }
    found = cycle(look, look, THREE)
    assert [edge.shard for edge in found] == ["a", "b", "b", "c"]
    assert giving_up(found, look) == [ONE, TWO, THREE]
    assert "backend 9 of b waits on b for a lock, held by" in told(found, ONE)


def test_a_chain_is_none() -> None:
    look = {"a": [member(1, ONE, 100, (2,), "t"), member(2, TWO, 200)], "b": [member(3, TWO, 200, (4,), "t")]}
    assert cycle(look, look, ONE) == ()
    assert cycle(look, look, TWO) == ()


def test_what_one_server_sees_is_left_to_it() -> None:
    look = {"a": [member(1, ONE, 100, (2,), "t"), member(2, TWO, 200, (1,), "t")]}
    assert cycle(look, look, ONE) == ()


def test_pids_are_of_their_shard() -> None:
    """The same number on another server is another backend."""
    look = {
        "a": [Backend(1, (2,), "t", None, None, None), member(7, ONE, 1, (1,), "t")],
        "b": [Backend(2, (1,), "t", None, None, None)],
    }
    assert cycle(look, look, ONE) == ()
