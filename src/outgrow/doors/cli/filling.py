"""A file into a table, for the demo."""

from __future__ import annotations

from pathlib import Path

from outgrow.moving import Loaded, LoadColumn, LoadFormat, LoadTable, load_into_steps
from outgrow.nodes import drive
from outgrow.runtime import Fleet


def fill(fleet: Fleet, domain: str, table: str, path: Path, null: str) -> Loaded:
    """Load a CSV file with a header line into an empty table, as `outgrow load` does."""
    state = fleet._state(domain)
    if state.stale:
        drive(state.refresh_steps(None))
    picture = state.picture
    found = picture.schema.find(table)
    assert found is not None
    columns = tuple(LoadColumn(column.name, column.type, column.typmod) for column in found.columns)
    target = LoadTable(found.name, columns, picture.domain.tables[found.name])
    with path.open("rb") as source:
        return drive(
            load_into_steps(fleet._nodes, picture.domain, source, target, picture.placer, LoadFormat(null=null))
        )
