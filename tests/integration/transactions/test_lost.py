"""What a shard no longer has of a committed transaction is named, and told from what is forgotten or under way."""

from __future__ import annotations

import time

import pytest

import outgrow
from outgrow import Fleet, Session
from outgrow.runtime.doctor import lost_branches
from outgrow.transactions import TransactionId
from tests.servers import Servers

UPDATE = "UPDATE accounts SET amount = amount + %s WHERE account = %s"
READ = "SELECT amount FROM accounts WHERE account = %s"


def transferred(session: Session, keys: tuple[int, int]) -> TransactionId:
    with session.transaction():
        session.execute(UPDATE, [-1, keys[0]])
        session.execute(UPDATE, [1, keys[1]])
    assert session.last_transaction is not None
    return TransactionId.read(session.last_transaction)


def on(fleet: Fleet, servers: Servers, shard: str, text: str) -> None:
    servers.sql(fleet.topology.domains[0].shard(shard).primary, text)


def lost(fleet: Fleet) -> list[tuple[str, str]]:
    return [(one.where, one.what) for one in fleet.doctor() if one.check == "lost branches"]


def test_the_doctor_names_what_a_shard_lacks(fleet: Fleet, keys: tuple[int, int], fleet_servers: Servers) -> None:
    with fleet.session() as session:
        ids = [transferred(session, keys) for _ in range(3)]
    assert lost(fleet) == []
    # As after a failover without the end of the log: once a participant's, once the deciding shard's.
    on(fleet, fleet_servers, "s1", f"DELETE FROM outgrow.stamps WHERE id = '{ids[0].number}'")
    on(fleet, fleet_servers, "s2", f"DELETE FROM outgrow.stamps WHERE id = '{ids[1].number}'")
    on(fleet, fleet_servers, "s2", f"DELETE FROM outgrow.decisions WHERE id = '{ids[1].number}'")
    found = dict(lost(fleet))
    assert set(found) == {"app/s1/primary", "app/s2/primary"}
    assert str(ids[0]) in found["app/s1/primary"] and str(ids[1]) not in found["app/s1/primary"]
    assert str(ids[1]) in found["app/s2/primary"] and str(ids[2]) not in found["app/s2/primary"]


def test_the_doctor_names_it_however_many_have_come_since(
    fleet: Fleet, keys: tuple[int, int], fleet_servers: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    with fleet.session() as session:
        ids = [transferred(session, keys) for _ in range(2)]
    on(fleet, fleet_servers, "s1", f"DELETE FROM outgrow.stamps WHERE id = '{ids[0].number}'")
    # Within the same minute, and the next.
    began = int(time.time() * 1000)
    number = f"(lpad(to_hex({began} + n), 12, '0') || lpad(to_hex(n * 1000003::int8), 20, '0'))::uuid"
    for shard in ("s1", "s2"):
        many = f"SELECT {number}, '{{s1,s2}}' FROM generate_series(1, 100000) AS g (n)"
        on(fleet, fleet_servers, shard, f"INSERT INTO outgrow.stamps (id, shards) {many}")
    [(where, what)] = lost(fleet)
    assert where == "app/s1/primary" and "part of 1 transaction " in what
    assert str(ids[0]) in what and str(ids[1]) not in what
    # (The newest slice that differs is looked at, however many it has.)
    monkeypatch.setattr(lost_branches, "_ONE_BY_ONE", 1)
    assert len(lost(fleet)) == 1
    # Where one has had to leave out more than the other, no loss is made up.
    alone = f"SELECT {number}, '{{s2}}' FROM generate_series(200000, 200000) AS g (n)"
    on(fleet, fleet_servers, "s2", f"INSERT INTO outgrow.stamps (id, shards) {alone}")
    monkeypatch.setattr(lost_branches, "_NEWEST", 50_000)
    monkeypatch.setattr(lost_branches, "_ONE_BY_ONE", 1_000_000)
    assert all("part of 1 transaction " in what for _, what in lost(fleet))


def test_what_is_prepared_is_not_lost(fleet: Fleet, keys: tuple[int, int], fleet_servers: Servers) -> None:
    with fleet.session() as session:
        id = transferred(session, keys)
    # As before its shard has confirmed: the stamp is still within the branch.
    on(
        fleet,
        fleet_servers,
        "s1",
        f"BEGIN; DELETE FROM outgrow.stamps WHERE id = '{id.number}'; COMMIT; "
        f"BEGIN; SELECT 1; PREPARE TRANSACTION '{id.gid(1)}'",
    )
    try:
        assert lost(fleet) == []
    finally:
        on(fleet, fleet_servers, "s1", f"ROLLBACK PREPARED '{id.gid(1)}'")
    assert len(lost(fleet)) == 1


def test_a_session_hears_once_that_its_branch_is_lost(
    fleet: Fleet, keys: tuple[int, int], fleet_servers: Servers
) -> None:
    with fleet.session() as session:
        id = transferred(session, keys)
        on(fleet, fleet_servers, "s1", f"DELETE FROM outgrow.stamps WHERE id = '{id.number}'")
        session._conversation.footing("s1").pending = (id.gid(1),)
        with pytest.raises(outgrow.InternalError, match="s1 no longer has its part") as told:
            session.execute(READ, [keys[0]])
        assert told.value.code == "OG-TX-006"
        assert session.execute(READ, [keys[0]]).fetchall() == [(99,)]
        assert session.pending == {}


def test_an_abort_that_stands_against_what_was_committed_is_told(
    fleet: Fleet, keys: tuple[int, int], fleet_servers: Servers
) -> None:
    """The deciding server was given to a replica that had not got the decision; others have recovered by then."""
    with fleet.session() as session:
        id = transferred(session, keys)
        for shard in ("s1", "s2"):
            on(fleet, fleet_servers, shard, f"DELETE FROM outgrow.stamps WHERE id = '{id.number}'")
        on(fleet, fleet_servers, "s2", f"UPDATE outgrow.decisions SET outcome = 'aborted' WHERE id = '{id.number}'")
        session._conversation.footing("s1").pending = (id.gid(1),)
        with pytest.raises(outgrow.InternalError, match="s2 no longer has its part") as told:
            session.execute(READ, [keys[0]])
        assert told.value.code == "OG-TX-006"


def test_what_is_forgotten_is_settled(fleet: Fleet, keys: tuple[int, int], fleet_servers: Servers) -> None:
    with fleet.session() as session:
        id = transferred(session, keys)
        for shard in ("s1", "s2"):
            on(fleet, fleet_servers, shard, f"DELETE FROM outgrow.stamps WHERE id = '{id.number}'")
        on(fleet, fleet_servers, "s2", f"DELETE FROM outgrow.decisions WHERE id = '{id.number}'")
        session._conversation.footing("s1").pending = (id.gid(1),)
        assert session.execute(READ, [keys[0]]).fetchall() == [(99,)]
        assert session.pending == {}
