"""What is unique in the whole domain: that its index is kept, and (with all rows) that it says what the rows have."""

from __future__ import annotations

from outgrow.nodes import Link
from outgrow.runtime.doctor.examination import Check, Examination
from outgrow.runtime.doctor.finding import Finding, Severity
from outgrow.runtime.uniqueness import building, checking, triggers
from outgrow.runtime.uniqueness.building import UniqueIndex
from outgrow.schema import Table
from outgrow.waits import Steps


def _kept_steps(examination: Examination) -> Steps[list[Finding]]:
    """The ledger's indexes have their triggers, and each has a unique key on every shard."""
    state = examination.state
    found = []
    for index in (yield from _known_steps(examination)):
        table = next((t for t in state.picture.schema.tables.values() if _has(index, t.fleet_unique)), None)
        cure = f"`outgrow unique build {index.table} {' '.join(index.columns)}`"
        if table is None:
            what = f"nobody keeps the index of {index.name} of {index.table}: its triggers do not fire, or are gone"
            cure += f"; where the table is gone, `outgrow unique drop {index.number}`"
            found.append(examination.find(Severity.ERROR, examination.domain.name, what, cure))
        elif stranded := _stranded(index, table):
            what = (
                f"the index of {index.name} of {table.name} names {', '.join(stranded)}, which the table has not: "
                "every write of it fails"
            )
            cure = (
                f"`outgrow unique build {table.name}` with the columns as they are called now; where they are gone, "
                f"`outgrow unique drop {index.number}`"
            )
            found.append(examination.find(Severity.ERROR, examination.domain.name, what, cure))
        elif set(index.columns) not in [set(key) for key in (table.primary_key, *table.unique_keys)]:
            what = f"({', '.join(index.columns)}) of {table.name} is unique in the whole domain, but not on each shard"
            cure = f"CREATE UNIQUE INDEX on them again, then {cure}"
            found.append(examination.find(Severity.ERROR, examination.domain.name, what, cure))
    if examination.all_rows:
        found += yield from _compared_steps(examination)
    return found


def _stranded(index: UniqueIndex, table: Table) -> list[str]:
    own = [one for one in table.fleet_unique if one.number == index.number]
    return [name for one in own for name in triggers.gone_columns(one, table)]


def _has(index: UniqueIndex, kept: tuple[object, ...]) -> bool:
    return any(getattr(one, "number", None) == index.number for one in kept)


def _known_steps(examination: Examination) -> Steps[tuple[UniqueIndex, ...]]:
    home = examination.domain.home.name
    primary = next(node for node in examination.primaries if node.shard == home)

    def ask_steps(link: Link) -> Steps[tuple[UniqueIndex, ...]]:
        return building.read_steps(link)

    answers = yield from examination.ask_steps({primary: ask_steps})
    return answers.get(primary, ())


def _compared_steps(examination: Examination) -> Steps[list[Finding]]:
    state = examination.state
    found = []
    for table in state.picture.schema.tables.values():
        for unique in table.fleet_unique:
            if triggers.gone_columns(unique, table):
                # (That is found without all rows.)
                continue
            compared = yield from checking.compare_steps(state, unique, table)
            cure = (
                f"see with a query who has them, change what is there twice, then `outgrow unique build {table.name} "
                f"{' '.join(unique.columns)}`"
            )
            wrong = {
                "rows have values that it does not know": compared.unindexed,
                "it knows values that no row has": compared.stale,
                "entries lie on another shard than where they are looked for": (str(compared.misplaced),),
            }
            for what, values in wrong.items():
                if values and values != ("0",):
                    shown = f"the index of {unique.name} of {table.name} is wrong: {what} ({', '.join(values)})"
                    found.append(examination.find(Severity.ERROR, examination.domain.name, shown, cure))
    return found


CHECKS = (Check("unique in the domain", _kept_steps),)
