"""The steps against a scripted connection: order, rollback, refusals."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from outgrow.errors import ConfigurationError, Error, OperationalError
from outgrow.ledger import (
    Generation,
    install_steps,
    meet_primary_steps,
    queries,
    raise_generation_steps,
    raise_schema_epoch_steps,
    read_generation_steps,
    read_steps,
    version_of,
)
from outgrow.topology import Copied, Domain, Node, Placement, Role, Shard, Sharded, ShardMap, Single, TableName
from outgrow.waits import Steps

VERSION = version_of("postgresql")
NAMES = {sql: name for name, sql in queries().items()}


@dataclass
class Answer:
    rows: list[tuple[Any, ...]]


@dataclass
class Scripted:
    """Answers by query name from `answers`, records what was asked, fails where told."""

    engine = "postgresql"
    answers: dict[str, list[tuple[Any, ...]]] = field(default_factory=dict)
    fails: dict[str, Error] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    shared_log: list[str] | None = None

    def run_steps(self, sql: str, params: Sequence[Any] | None = None) -> Steps[Answer]:
        name = NAMES.get(sql, sql)
        self.log.append(name)
        if self.shared_log is not None:
            self.shared_log.append(name)
        if name in self.fails:
            raise self.fails[name]
        return Answer(self.answers.get(name, []))
        yield  # a generator that never waits


def drive(steps: Steps[Any]) -> Any:
    with pytest.raises(StopIteration) as over:
        next(steps)
    return over.value.value


def raised(steps: Steps[Any]) -> Error:
    with pytest.raises(Error) as info:
        next(steps)
    return info.value


def domain() -> Domain:
    shards = tuple(Shard(n, Node(f"sales/{n}/primary", "sales", n, Role.PRIMARY, "")) for n in ("s1", "s2"))
    tables = {TableName("public", "t"): Sharded(("a", "b")), TableName("app", "c"): Copied()}
    return Domain("sales", "postgresql", 4, shards, {**tables, TableName("public", "one"): Single("s2")})


FIRST = ShardMap.first(domain())
EMPTY: dict[str, list[tuple[Any, ...]]] = {"installed": [(False,)]}
PLACEMENTS = [("public", "t", "sharded", ["a", "b"], None), ("app", "c", "copied", [], None)]
FULL: dict[str, list[tuple[Any, ...]]] = {
    "installed": [(True,)],
    "version": [(VERSION, "sales")],
    "state": [(7, ["s1", "s2"], [0, 1, 0, 1], 5, "[]", [])],
    "placements": [*PLACEMENTS, ("public", "one", "single", [], "s2")],
}


def test_home_is_installed_last_and_the_lock_comes_before_any_look() -> None:
    order: list[str] = []
    home, other = Scripted(EMPTY, shared_log=[]), Scripted(EMPTY, shared_log=order)
    home.shared_log = order
    raised(install_steps({"s1": home, "s2": other}, domain(), FIRST))  # the script never becomes installed
    assert other.log[:4] == ["BEGIN", "lock_timeout", "lock", "installed"]
    assert other.log[-2:] == ["set_version", "COMMIT"]
    assert order.index("COMMIT") < len(other.log)
    assert "seed_map" not in other.log
    assert home.log.index("COMMIT") < home.log.index("seed_map")


def test_an_installed_ledger_is_only_seeded() -> None:
    home, other = Scripted(FULL), Scripted(FULL)
    state = drive(install_steps({"s1": home, "s2": other}, domain(), FIRST))
    assert not [name for name in home.log + other.log if name.startswith("v1_")]
    assert "seed_placement" not in home.log
    assert state.schema_epoch == 5


def test_new_tables_are_asked_about_before_they_are_recorded() -> None:
    home, other = Scripted({**FULL, "placements": PLACEMENTS}), Scripted(FULL)
    asked: list[Any] = []

    def fit_steps(tables: Mapping[TableName, Placement], shards: Sequence[str]) -> Steps[None]:
        asked.append((dict(tables), list(shards)))
        assert "seed_placement" not in home.log
        return
        yield

    drive(install_steps({"s1": home, "s2": other}, domain(), FIRST, fit_steps))
    assert asked == [({TableName("public", "one"): Single("s2")}, ["s1", "s2"])]
    assert home.log.count("seed_placement") == 1


def test_reading_builds_the_state() -> None:
    state = drive(read_steps(Scripted(FULL), "sales"))
    assert state.shard_map == ShardMap("sales", 7, ("s1", "s2"), (0, 1, 0, 1))
    assert state.placements == domain().tables
    assert drive(read_steps(Scripted(EMPTY), "sales")) is None
    assert drive(read_steps(Scripted({**FULL, "state": []}), "sales")) is None


def test_a_newer_ledger_is_refused_before_anything_is_written() -> None:
    newer = Scripted({**FULL, "version": [(VERSION + 1, "sales")]})
    error = raised(read_steps(newer, "sales"))
    assert isinstance(error, ConfigurationError)
    assert error.code == "OG-LEDGER-001"
    assert "upgrade" in error.cure
    error = raised(install_steps({"s1": newer, "s2": newer}, domain(), FIRST))
    assert error.code == "OG-LEDGER-001"
    assert newer.log[-1] == "ROLLBACK"
    assert not [name for name in newer.log if name.startswith(("v1_", "seed", "set"))]


def test_an_older_ledger_asks_for_init_and_a_strangers_is_refused() -> None:
    assert raised(read_steps(Scripted({**FULL, "version": [(0, "sales")]}), "sales")).code == "OG-LEDGER-002"
    strange = Scripted({**FULL, "version": [(VERSION, "hr")]})
    assert raised(install_steps({"s1": strange, "s2": strange}, domain(), FIRST)).code == "OG-LEDGER-004"


def test_a_lock_that_never_comes_is_told_as_such() -> None:
    busy = Scripted(EMPTY, {"lock": OperationalError("OG-NODE-001", "lock timeout", sqlstate="55P03")})
    assert raised(install_steps({"s1": busy, "s2": busy}, domain(), FIRST)).code == "OG-LEDGER-005"
    assert busy.log[-1] == "ROLLBACK"


def test_the_first_error_is_told_though_rollback_fails_too() -> None:
    lost = OperationalError("OG-NODE-002", "gone")
    broken = Scripted(EMPTY, {"v1_meta": lost, "ROLLBACK": OperationalError("OG-NODE-003", "still gone")})
    assert raised(install_steps({"s1": broken, "s2": broken}, domain(), FIRST)) is lost


@pytest.mark.parametrize("steps", [read_generation_steps, meet_primary_steps, lambda r: raise_generation_steps(r, 2)])
def test_a_ledger_without_generation_asks_for_init(steps: Callable[[Scripted], Steps[Any]]) -> None:
    assert raised(steps(Scripted({"identity": [(1, 9, None, None, None)]}))).code == "OG-LEDGER-007"


def test_an_unknown_domain_has_no_schema_epoch() -> None:
    assert raised(raise_schema_epoch_steps(Scripted(), "sales")).code == "OG-LEDGER-007"
    assert drive(raise_schema_epoch_steps(Scripted({"raise_schema_epoch": [(6,)]}), "sales")) == 6


def test_a_primary_of_the_recorded_history_is_met_in_one_question() -> None:
    same = Scripted({"identity": [(3, 9, 5, 3, 9)]})
    assert drive(meet_primary_steps(same)) == Generation(5, 3, 9)
    assert same.log == ["identity"]


@pytest.mark.parametrize("recorded", [(2, 9), (3, 8), (4, 9)])
def test_another_timeline_or_cluster_raises_the_generation(recorded: tuple[int, int]) -> None:
    new = Scripted({"identity": [(3, 9, 5, *recorded)], "raise_generation": [(6, 3, 9)]})
    assert drive(meet_primary_steps(new)) == Generation(6, 3, 9)


def test_who_comes_second_reads_what_the_first_raised() -> None:
    second = Scripted({"raise_generation": [], "generation": [(6, 3, 9)]})
    assert drive(raise_generation_steps(second, 3)) == Generation(6, 3, 9)
