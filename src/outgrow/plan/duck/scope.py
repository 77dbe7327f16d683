"""Where names lead: the relations of each query block, under names of our own.

DuckDB takes `"Foo"` and `foo` for one column, so nothing keeps its name: relations are r1, r2 …, columns c1, c2 ….
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from .types import NotVetted, Type, Typed


@dataclass(frozen=True, slots=True)
class Related:
    """One item of FROM: its columns by their names in the query."""

    name: str
    columns: tuple[tuple[str, Type], ...]

    def column(self, name: str) -> Typed | None:
        for number, (called, type) in enumerate(self.columns, 1):
            if called == name and type.varying:
                return Typed(f"{self.name}.c{number}", replace(type, varying=False), shown=f"{self.name}.s{number}")
            if called == name:
                return Typed(f"{self.name}.c{number}", type)
        return None


@dataclass(slots=True)
class Block:
    """One SELECT; filled while its FROM is read."""

    relations: dict[str, Related] = field(default_factory=dict)
    #: Windows by their names, as SQL.
    windows: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Env:
    """The blocks from the outermost to this one, and the CTEs in sight with their columns."""

    blocks: tuple[Block, ...] = ()
    ctes: Mapping[str, Related] = field(default_factory=dict)

    def column(self, relation: str, name: str, depth: int) -> Typed:
        if depth < len(self.blocks):
            related = self.blocks[-1 - depth].relations.get(relation)
            found = related.column(name) if related is not None else None
            if found is not None:
                return found
        raise NotVetted(f"where {relation}.{name} comes from")


@dataclass(slots=True)
class Given:
    """What the query is rendered for: the parameters' values, and the types of the columns that are brought.

    `columns[n]` is what `$n` holds, with n above the number of the user's parameters.
    """

    values: Sequence[Any]
    columns: Mapping[int, Type]
    #: Text without a collation of its own compares by bytes.
    bytes: bool
    count: int = 0

    def fresh(self) -> str:
        self.count += 1
        return f"r{self.count}"
