"""What a snapshot shows, against its definition."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from outgrow.route import Snapshot, hidden, shows, snapshot_of

snapshots = st.integers(4, 40).flatmap(
    lambda xmax: st.builds(
        Snapshot, st.just(xmax), st.frozensets(st.integers(3, xmax - 1) if xmax > 3 else st.nothing())
    )
)


def seen(snapshot: Snapshot, xid: int) -> bool:
    return xid < snapshot.xmax and xid not in snapshot.running


def test_text_is_read() -> None:
    assert snapshot_of("10:15:10,12,14") == Snapshot(15, frozenset((10, 12, 14)))
    assert snapshot_of("15:15:") == Snapshot(15, frozenset())


@given(snapshots, st.integers(3, 50))
def test_hidden_are_those_below_that_are_not_seen(snapshot: Snapshot, below: int) -> None:
    assert hidden(snapshot, below) == [xid for xid in range(3, below) if not seen(snapshot, xid)]


@given(snapshots, st.lists(st.integers(3, 50)))
def test_all_are_shown(snapshot: Snapshot, xids: list[int]) -> None:
    assert shows(snapshot, xids) == all(seen(snapshot, xid) for xid in xids)
