"""Each protection of a migrated key, switched off: what holds with it must fail without it."""

from __future__ import annotations

from collections.abc import Callable
from types import MappingProxyType
from typing import Any

import pytest

from outgrow import Fleet, ledger
from outgrow.keyspace import Keyspace, Page
from outgrow.runtime import asking, batching
from outgrow.runtime.conversation import Conversation
from outgrow.runtime.directories import directory
from outgrow.runtime.reading import borrowing, bringing
from outgrow.runtime.transaction import keymoves
from outgrow.runtime.transaction.branches import Transaction
from outgrow.topology import Topology
from tests.integration.keyspace import test_migrate as around
from tests.integration.keyspace import test_migrate_meanwhile as meanwhile
from tests.integration.keyspace.directory_world import made, opened, rows_by_shard, topology_of
from tests.integration.keyspace.test_migrate_meanwhile import fleet, other, other_fleet, topology
from tests.servers import Servers, serving

__all__ = ["fleet", "other", "other_fleet", "topology"]

pytestmark = pytest.mark.long

Patch = pytest.MonkeyPatch
Scenario = Callable[[Servers, Topology, Fleet, Fleet, Patch], None]


def asked(name: str, block: bool = False) -> Scenario:
    def run(servers: Servers, topology: Topology, fleet: Fleet, other: Fleet, patch: Patch) -> None:
        with other.session(level="strong") as session:
            around.asked_around_migrations(fleet, session, around.ASKED[name], block)

    return run


def halted(test: Callable[..., None], *more: Any) -> Scenario:
    return lambda servers, topology, fleet, other, patch: test(topology, fleet, other, patch, *more)


def plain(test: Callable[..., None]) -> Scenario:
    return lambda servers, topology, fleet, other, patch: test(topology, fleet, other)


def said(name: str, sql: str) -> Callable[[Patch], None]:
    """A statement of the ledger's that says something else."""
    known = MappingProxyType({**ledger.queries(), name: sql})
    return lambda patch: patch.setattr(ledger, "queries", lambda: known)


def no_look_after(patch: Patch) -> None:
    patch.setattr(asking, "edition_of", lambda answer: _Any())


class _Any(int):
    """Equal to every edition."""

    def __eq__(self, other: object) -> bool:
        return True

    def __ne__(self, other: object) -> bool:
        return False

    def __hash__(self) -> int:
        return 0


def no_look_before(patch: Patch, other: Fleet) -> None:
    class Seen(dict[str, int]):
        def get(self, node: str, default: Any = None) -> Any:
            return _Any()

    patch.setattr(other._states["app"], "editions_seen", Seen())
    patch.setattr(meanwhile, "SLOW", meanwhile.SLOW.replace("3000000", "9000000"))


def no_hold(patch: Patch) -> None:
    def hold_steps(self: Any, editions: Any, until: Any) -> Any:
        yield from ()

    patch.setattr(Transaction, "hold_steps", hold_steps)
    patch.setattr(Transaction, "_expect", lambda self, editions: None)


def no_decider(patch: Patch) -> None:
    patch.setattr(Transaction, "decider", property(lambda self: None, lambda self, shard: None), raising=False)


def no_editions_of_streams(patch: Patch) -> None:
    def begin_steps(link: Any, edition: int, read_only: bool, until: Any) -> Any:
        yield from ()

    patch.setattr(borrowing, "_begin_steps", begin_steps)


def no_settling(patch: Patch) -> None:
    def settled_steps(*args: Any) -> Any:
        yield from ()

    patch.setattr(directory, "settled_steps", settled_steps)


def no_hold_of_sets(patch: Patch) -> None:
    patch.setattr(batching, "editions_of", lambda page, shards: {})


def no_editions_of_brings(patch: Patch) -> None:
    patch.setattr(bringing, "editions_of", lambda page, shards: {})


def no_migrations_in_tokens(patch: Patch) -> None:
    real = Conversation.token_steps

    def token_steps(self: Any, until: Any = None) -> Any:
        token = yield from real(self, until)
        return type(token)(token.floors, {}, token.pending)

    patch.setattr(Conversation, "token_steps", token_steps)


def token_scenario(servers: Servers, topology: Topology, fleet: Fleet, other: Fleet, patch: Patch) -> None:
    meanwhile.test_a_token_brings_its_reader_to_where_the_key_is_now(servers, topology, fleet, other)


CHECK = "SELECT edition / (edition = $1::int8)::int4::int8 FROM outgrow.edition"
BEFORE, BETWEEN = (
    meanwhile.test_before_the_commit_reads_see_what_was_and_writes_wait,
    meanwhile.test_between_the_commits_everybody_waits_and_sees_the_new_state,
)

MUTANTS: dict[str, tuple[Callable[..., None], Scenario]] = {
    "a read is not looked behind": (no_look_after, asked("read")),
    "a scatter is not looked behind": (no_look_after, asked("several keys")),
    "a read is not looked before": (
        no_look_before,
        halted(meanwhile.test_a_read_that_began_before_the_rows_arrived_does_not_count),
    ),
    "a write does not compare": (said("edition_check", "SELECT 1 WHERE $1::int8 IS NOT NULL"), asked("update")),
    "a write holds nothing": (said("edition_hold", "SELECT 1"), halted(BEFORE, "ready")),
    "a write's snapshot may be older than its lock": (
        said("edition_check", CHECK),
        halted(meanwhile.test_no_old_snapshot_hides_a_migration_from_a_write, "REPEATABLE READ"),
    ),
    "a branch does not compare": (
        said("edition_check_block", "SELECT edition FROM outgrow.edition WHERE $1::int8 IS NULL OR true"),
        asked("update", True),
    ),
    "a branch holds nothing": (
        said("edition_hold_block", "SELECT 1"),
        plain(meanwhile.test_a_transaction_holds_its_keys_and_a_migration_says_who_is_in_its_way),
    ),
    "a branch's snapshot may be older than its lock": (
        said("edition_hold_block", "SELECT FROM outgrow.edition LIMIT 0 FOR KEY SHARE"),
        halted(meanwhile.test_no_old_snapshot_hides_a_migration_from_a_write, "REPEATABLE READ"),
    ),
    "a statement of several shards expects nothing": (no_hold, asked("update of several", True)),
    "the target commits first": (no_decider, halted(BETWEEN)),
    "a migration does not close its shards": (said("edition_close", "SELECT 1"), halted(BEFORE, "begun")),
    "a migration leaves the shards' editions": (
        said("edition_turn", "UPDATE outgrow.edition SET edition = edition WHERE $1::int8 IS NOT NULL"),
        asked("read"),
    ),
    "a stream is not looked at": (no_editions_of_streams, asked("stream")),
    "a COPY out is not looked at": (no_editions_of_streams, asked("copy out")),
    "a COPY in holds nothing": (no_settling, asked("copy in")),
    "rows are brought without a look": (no_editions_of_brings, asked("join of some beside the key")),
    "a batch holds nothing": (no_hold_of_sets, plain(meanwhile.test_many_sets_go_where_their_keys_are_now)),
    "a token does not tell of migrations": (no_migrations_in_tokens, token_scenario),
}


@pytest.mark.parametrize("name", MUTANTS)
def test_mutant(
    fleet_servers: Servers, topology: Topology, fleet: Fleet, other: Fleet, monkeypatch: Patch, name: str
) -> None:
    mutate, scenario = MUTANTS[name]
    monkeypatch.setattr(directory, "_PATIENCE_SECONDS", 1.0)
    with pytest.raises(BaseException) as info, monkeypatch.context() as patch:
        if mutate is no_look_before:
            mutate(patch, other)
        else:
            mutate(patch)
        scenario(fleet_servers, topology, fleet, other, monkeypatch)
    print(f"{name}: {info.value!r:.200}")
    mended(topology, fleet)


def mended(topology: Topology, fleet: Fleet) -> None:
    """What a mutant has broken in the databases must not reach the next one."""
    fleet.recover()
    for shard in topology.domains[0].shards:
        meanwhile.on(shard, "DELETE FROM t")
        meanwhile.on(shard, "DELETE FROM logs")
        meanwhile.on(shard, "UPDATE outgrow.edition SET edition = 0")
    home = topology.domains[0].home
    meanwhile.on(home, "DELETE FROM outgrow.editions")
    meanwhile.on(home, "DELETE FROM outgrow.migrations")
    meanwhile.on(home, "UPDATE outgrow.directory SET slot = 64 WHERE family = 'integer'")


def test_rows_arrive_where_their_new_key_is_now(monkeypatch: Patch) -> None:
    """The new key was migrated between two shards that the statement does not write on."""
    with serving(3, 0) as servers, topology_of(servers) as topology, opened(topology, install=True) as fleet:
        made(fleet)
        with opened(topology) as other, other.session() as session:

            def moved() -> dict[str, list[Any]]:
                session.execute("DELETE FROM t")
                session.execute("INSERT INTO t VALUES (4, 40), (1, 10)")
                for shard in ("s2", "s1"):
                    fleet.directory().migrate(4, shard, type="int8")
                fleet.directory().migrate(4, "s2", type="int8")
                session.execute("DELETE FROM t WHERE id = 4")
                assert session.execute("SELECT v FROM t WHERE id = 1").fetchall() == [(10,)]
                fleet.directory().migrate(4, "s3", type="int8")
                assert session.execute("UPDATE t SET id = 4 WHERE id = 1").rowcount == 1
                return rows_by_shard(topology, "SELECT id, v FROM t")

            assert moved() == {"s1": [], "s2": [], "s3": [(4, 10)]}
            fleet.directory().migrate(4, "s1", type="int8")
            with monkeypatch.context() as patch:
                patch.setattr(keymoves, "editions_of", lambda page, shards: {})
                assert moved() == {"s1": [], "s2": [(4, 10)], "s3": []}


def test_a_page_that_is_turned_while_a_statement_is_placed_places_it_again(fleet: Fleet) -> None:
    """Two keys of one statement are never read off two pages."""
    state = fleet._states[fleet.topology.domains[0].name]
    turned = 0

    def place(placer: Keyspace, absent: Any) -> Page:
        nonlocal turned
        page = placer.book.page
        if turned < 3:
            turned += 1
            placer.book.page = Page(page.known, page.editions, page.number, page.edition)
        return page

    steps = directory.resolved_steps(state, place, None)
    with pytest.raises(StopIteration) as over:
        next(steps)
    placed, page = over.value.value
    assert placed is page is state.picture.placer.book.page
    assert turned == 3
