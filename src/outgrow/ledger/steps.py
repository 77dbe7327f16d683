"""Installing, reading and raising what the ledger records, as step generators over the small port `Runner`."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol

from outgrow.errors import ConfigurationError, Error, InternalError, NotSupportedError, OperationalError
from outgrow.ledger.model import Generation, LedgerState
from outgrow.ledger.words import Words, words_of
from outgrow.topology import Copied, Domain, Placement, Sharded, ShardMap, Single, Splits, TableName
from outgrow.waits import Steps

_DEADLOCK = "40P01"
_DEADLOCKS_MAX = 10


def version_of(engine: str) -> int:
    """The version of the ledger's tables that this library writes and reads; each engine's has its own count."""
    return words_of(engine).version


class Answer(Protocol):
    @property
    def rows(self) -> Sequence[tuple[Any, ...]]: ...


class Runner(Protocol):
    """One connection to a primary, outside any transaction; parameters are $1 … $n."""

    @property
    def engine(self) -> str:
        """Whose words it understands."""

    def run_steps(self, sql: str, params: Sequence[Any] | None = None) -> Steps[Answer]: ...


#: Raises where rows of these tables are elsewhere than they would be looked for, on the shards of the map.
Fit = Callable[[Mapping[TableName, Placement], Sequence[str]], Steps[None]]


def words(runner: Runner) -> Words:
    return words_of(runner.engine)


def ask_steps(runner: Runner, query: str, params: Sequence[Any] | None = None) -> Steps[Answer]:
    """One of the ledger's statements, in the runner's words."""
    return (yield from runner.run_steps(words(runner).queries[query], params))


def alone_steps(runner: Runner, query: str, params: Sequence[Any] | None = None) -> Steps[Answer]:
    """One of them outside of any transaction: again, where the server has ended a deadlock with it."""
    for tries in range(_DEADLOCKS_MAX + 1):
        try:
            return (yield from ask_steps(runner, query, params))
        except Error as error:
            if error.sqlstate != _DEADLOCK or tries == _DEADLOCKS_MAX:
                raise
        yield from runner.run_steps("ROLLBACK")
    raise AssertionError


def upgrade_names(version: int, engine: str = "postgresql") -> tuple[str, ...]:
    """The names of the statements that lead from `version` - 1 to `version`."""
    return tuple(name for name in words_of(engine).queries if name.startswith(f"v{version}_"))


def install_steps(
    shards: Mapping[str, Runner], domain: Domain, first: ShardMap, fit_steps: Fit | None = None
) -> Steps[LedgerState]:
    """Install or upgrade the ledger on every shard of `domain`, then record what the file says and the ledger lacks.

    `first` is the map of a domain that has none yet; `fit_steps` is asked before tables are recorded.  The home shard
    comes last, so that a ledger that can be read there is installed everywhere.  Each shard is one transaction:
    interrupted anywhere, the next run finishes.  Any number of processes may run it at once.  Raises
    ConfigurationError OG-LEDGER-001 (a newer ledger), OG-LEDGER-004 (the database serves another domain),
    OperationalError OG-LEDGER-005 (another process has been installing for too long).
    """
    order = [shard.name for shard in domain.shards[1:]] + [domain.home.name]
    for name in order:
        yield from _transaction_steps(shards[name], name, _upgrade_steps(shards[name], domain, name))
    home = shards[domain.home.name]
    yield from _transaction_steps(home, domain.home.name, _seed_steps(home, domain, first, fit_steps))
    state = yield from read_steps(home, domain.name)
    if state is None:
        raise InternalError("OG-LEDGER-006", "the ledger was installed but cannot be read", shard=domain.home.name)
    return state


def _transaction_steps(runner: Runner, shard: str, body: Steps[None]) -> Steps[None]:
    yield from runner.run_steps("BEGIN")
    try:
        yield from ask_steps(runner, "lock_timeout")
        yield from _locked_steps(runner, shard, body)
        yield from runner.run_steps("COMMIT")
    except Error as error:
        # The first error is the one to tell; a connection that cannot roll back is dropped by its owner anyhow.
        with contextlib.suppress(Error):
            yield from runner.run_steps("ROLLBACK")
        if error.sqlstate == "55P03":
            raise _busy(shard) from error
        raise


def _locked_steps(runner: Runner, shard: str, body: Steps[None]) -> Steps[None]:
    """`body` under the installers' lock, which ends with the transaction, or else by `unlock`."""
    answer = yield from ask_steps(runner, "lock")
    # (PostgreSQL waits or fails, and has nothing to say.)
    if answer.rows and answer.rows[0][0] in (0, None):
        raise _busy(shard)
    try:
        yield from body
    except GeneratorExit:
        # No step may follow; whoever is left so has closed the connection.
        raise
    except BaseException:
        with contextlib.suppress(Error):
            yield from _unlock_steps(runner)
        raise
    yield from _unlock_steps(runner)


def _unlock_steps(runner: Runner) -> Steps[None]:
    if "unlock" in words(runner).queries:
        yield from ask_steps(runner, "unlock")


def _busy(shard: str) -> OperationalError:
    return OperationalError(
        "OG-LEDGER-005",
        "another process has been installing the ledger for 30 seconds",
        cure="wait for it, or end its session, and try again",
        shard=shard,
    )


def _upgrade_steps(runner: Runner, domain: Domain, shard: str) -> Steps[None]:
    if "server" in words(runner).queries:
        yield from _fit_steps(runner, shard)
    found = yield from version_steps(runner)
    version, owner = found or (0, domain.name)
    if owner != domain.name:
        raise ConfigurationError(
            "OG-LEDGER-004",
            f"the database of shard {shard} already serves domain {owner}, not {domain.name}",
            cure="give every shard of every domain a database of its own",
            shard=shard,
        )
    _refuse_newer(runner, version, shard)
    for step in range(version + 1, words(runner).version + 1):
        names = upgrade_names(step, runner.engine)
        for name in names:
            yield from ask_steps(runner, name)
        if names:
            yield from ask_steps(runner, "set_version", [step, domain.name])


def _fit_steps(runner: Runner, shard: str) -> Steps[None]:
    """A server that understands the ledger's statements, and no tables of others in its place."""
    answer = yield from ask_steps(runner, "server")
    version, fit = answer.rows[0]
    if not fit:
        raise NotSupportedError(
            "OG-LEDGER-008",
            f"the server of shard {shard} is {version}, and the ledger needs MariaDB 10.6 or later",
            cure="upgrade the server; MySQL has no RETURNING, which the ledger is made with",
            shard=shard,
        )
    answer = yield from ask_steps(runner, "strangers")
    if answer.rows:
        raise ConfigurationError(
            "OG-LEDGER-009",
            f"the database of shard {shard} has tables that are called like the ledger's and are not: "
            + ", ".join(row[0] for row in answer.rows),
            cure="rename them: names that begin with outgrow_ are outgrow's",
            shard=shard,
        )


def _seed_steps(home: Runner, domain: Domain, first: ShardMap, fit_steps: Fit | None) -> Steps[None]:
    splits = [{"type": each.type, "points": each.points} for each in first.splits]
    listed = words(home).listed
    parameters = [domain.name, first.epoch, listed(first.shards), listed(first.owners), json.dumps(splits)]
    parameters.append(listed(first.directory))
    yield from ask_steps(home, "seed_map", parameters)
    yield from ask_steps(home, "seed_schema_epoch", [domain.name])
    recorded = yield from _placements_steps(home, domain.name)
    new = {table: placement for table, placement in domain.tables.items() if table not in recorded}
    if new and fit_steps is not None:
        answer = yield from ask_steps(home, "state", [domain.name])
        yield from fit_steps(new, words(home).read(answer.rows[0][1]))
    for table, placement in new.items():
        values = [domain.name, table.schema, table.name, *written(home, placement)]
        yield from ask_steps(home, "seed_placement", values)


def version_steps(runner: Runner) -> Steps[tuple[int, str] | None]:
    """The version of this database's ledger and its domain; None where there is no ledger."""
    answer = yield from ask_steps(runner, "installed")
    if not answer.rows[0][0]:
        return None
    answer = yield from ask_steps(runner, "version")
    return (answer.rows[0][0], answer.rows[0][1]) if answer.rows else None


def read_steps(home: Runner, domain: str) -> Steps[LedgerState | None]:
    """The ledger of `domain` from its home shard; None when it is not (or not wholly) installed.

    Raises ConfigurationError OG-LEDGER-001 for a ledger newer than this library, OG-LEDGER-002 for an older one.
    """
    found = yield from version_steps(home)
    if found is None:
        return None
    version = found[0]
    _refuse_newer(home, version, None)
    if version < words(home).version:
        raise ConfigurationError(
            "OG-LEDGER-002",
            f"the ledger has version {version}, and this library needs {words(home).version}",
            cure="run `outgrow init`, which upgrades it and keeps what it records",
        )
    answer = yield from ask_steps(home, "state", [domain])
    if not answer.rows:
        return None
    epoch, shards, owners, schema_epoch, cut, listed = answer.rows[0]
    splits = tuple(Splits(each["type"], tuple(each["points"])) for each in json.loads(cut))
    read = words(home).read
    placements = yield from _placements_steps(home, domain)
    owned = tuple(read(owners))
    shard_map = ShardMap(domain, epoch, tuple(read(shards)), owned, splits, tuple(read(listed)))
    return LedgerState(version, shard_map, MappingProxyType(placements), schema_epoch)


def _placements_steps(home: Runner, domain: str) -> Steps[dict[TableName, Placement]]:
    answer = yield from ask_steps(home, "placements", [domain])
    read = words(home).read
    return {TableName(row[0], row[1]): _placement(row[2], read(row[3]), row[4]) for row in answer.rows}


def read_epochs_steps(home: Runner, domain: str) -> Steps[tuple[int, int]]:
    """(epoch of the map, epoch of the schema): what a process compares with its own to learn that it is behind."""
    answer = yield from ask_steps(home, "epochs", [domain])
    return (answer.rows[0][0], answer.rows[0][1])


def raise_schema_epoch_steps(home: Runner, domain: str) -> Steps[int]:
    """After DDL: the new epoch.  Raises OperationalError OG-LEDGER-007 when the ledger does not know the domain."""
    answer = yield from ask_steps(home, "raise_schema_epoch", [domain])
    if not answer.rows:
        raise _unknown(f"the ledger does not know domain {domain}")
    epoch: int = answer.rows[0][0]
    return epoch


def read_generation_steps(runner: Runner) -> Steps[Generation]:
    """The recorded generation, on any node.  Raises OperationalError OG-LEDGER-007 when none is recorded."""
    answer = yield from ask_steps(runner, "generation")
    if not answer.rows:
        raise _unknown("the ledger has no generation row")
    return Generation(*answer.rows[0])


def raise_generation_steps(runner: Runner, timeline: int) -> Steps[Generation]:
    """Record that this primary is on `timeline`; the generation that holds now, whoever raised it.

    Does nothing when timeline and cluster are those recorded, so calling it at each meeting is safe.
    """
    answer = yield from ask_steps(runner, "raise_generation", [timeline])
    if answer.rows:
        return Generation(*answer.rows[0])
    return (yield from read_generation_steps(runner))


def meet_primary_steps(runner: Runner) -> Steps[Generation]:
    """For a new connection to a primary: its generation, raised first if its history is not the recorded one."""
    answer = yield from ask_steps(runner, "identity")
    timeline, system, counter, recorded_timeline, recorded_system = answer.rows[0]
    if counter is None:
        raise _unknown("the ledger has no generation row")
    if (timeline, system) == (recorded_timeline, recorded_system):
        return Generation(counter, timeline, system)
    return (yield from raise_generation_steps(runner, timeline))


def _refuse_newer(runner: Runner, version: int, shard: str | None) -> None:
    if version > words(runner).version:
        raise ConfigurationError(
            "OG-LEDGER-001",
            f"the ledger has version {version}, and this library knows only up to {words(runner).version}",
            cure="upgrade outgrow in this environment; another process already has a newer one",
            shard=shard,
        )


def _unknown(message: str) -> OperationalError:
    return OperationalError("OG-LEDGER-007", message, cure="run `outgrow init`")


def written(home: Runner, placement: Placement) -> tuple[str, Any, str | None]:
    listed = words(home).listed
    match placement:
        case Sharded(columns):
            return ("sharded", listed(columns), None)
        case Copied():
            return ("copied", listed(()), None)
        case Single(shard):
            return ("single", listed(()), shard)


def _placement(kind: str, columns: Sequence[str], shard: str | None) -> Placement:
    if kind == "sharded":
        return Sharded(tuple(columns))
    if kind == "copied":
        return Copied()
    return Single(shard or "")
