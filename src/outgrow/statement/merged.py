"""The columns that USING and NATURAL merge."""

from __future__ import annotations

from outgrow.errors import ProgrammingError
from outgrow.schema import Volatility
from outgrow.statement.inference import common, common_modifier, modifier_of, type_of
from outgrow.statement.scope import Env, Names, Visible, unknown_column
from outgrow.statement.tree import Call, Cast, Expr, JoinKind
from outgrow.statement.unvetted import Unvetted


def merged(env: Env, kind: JoinKind, left: Names, right: Names, names: tuple[str, ...]) -> Names:
    """USING: the shared columns first and once, then the rest of the left, then of the right."""
    columns = []
    for name in names:
        one, other = _only(left, name), _only(right, name)
        expr: Expr = other if kind is JoinKind.RIGHT else one
        wide = common(type_of(one), type_of(other))
        if wide is None:
            raise Unvetted(f"USING ({name}) over columns of different types")
        if type_of(expr) != wide or (env.rules.modified and _loses_modifier(expr, one, other)):
            expr = _bare_cast(expr, wide)
        if kind is JoinKind.FULL:
            expr = Call("coalesce", (one, other), volatility=Volatility.IMMUTABLE, builtin=True, type=wide)
        columns.append(Visible(name, expr))
    rest = [column for column in (*left.columns, *right.columns) if column.name not in names]
    return Names(left.beside(right).sources, (*columns, *rest))


def _loses_modifier(expr: Expr, *merged: Expr) -> bool:
    """Whether `expr` has a modifier, which PostgreSQL keeps only where all that is merged has the same.

    What has lost it is no longer the column itself: ORDER BY a name that both bear in the select list is ambiguous.
    """
    return modifier_of(expr) not in (None, -1) and common_modifier(*map(modifier_of, merged)) == -1


def _bare_cast(expr: Expr, type: str) -> Cast:
    if type == "bit":
        # What it means when written is bit(1).
        raise Unvetted("USING over bit strings of different lengths")
    return Cast(expr, type)


def _only(names: Names, name: str) -> Expr:
    found = [column.expr for column in names.columns if column.name == name]
    if len(found) > 1:
        raise ProgrammingError(
            "OG-STMT-014", f"USING ({name}): the column is ambiguous", cure="Write ON instead.", sqlstate="42702"
        )
    if found:
        return found[0]
    open_ = [source for source in names.sources if source.open]
    if open_:
        raise Unvetted(f"USING ({name}) over unknown columns")
    raise unknown_column(name, name, (column.name for column in names.columns))
