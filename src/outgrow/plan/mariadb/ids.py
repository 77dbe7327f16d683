"""AUTO_INCREMENT: numbers that MariaDB would draw for a row are drawn beforehand for the whole fleet.

The server draws where a row leaves the column out, or gives it NULL, DEFAULT or 0.  What says so is rewritten in the
user's text, as `ids` does for PostgreSQL; a parameter in the column's place is asked when it is known.
"""

from __future__ import annotations

from dataclasses import replace

from outgrow.plan.narrowing.facts import is_constant, is_default
from outgrow.plan.numbers.drawing import Draw, Drawing, Number
from outgrow.plan.numbers.ids import Drawn, own_shard
from outgrow.plan.placing import Copied, Places, Sharded
from outgrow.plan.refusals import Refused, refuse
from outgrow.schema import Column
from outgrow.statement import numbers_written, walk
from outgrow.statement.model import Placeholders, Statement
from outgrow.statement.tree import Cast, ColumnRef, Expr, Insert, Literal, Operation, Parameter, Scan, Select, Values
from outgrow.topology import Single


def with_numbers(statement: Statement, places: Places) -> Drawn:
    """The statement with what it draws written out.  Raises Refused where that cannot be."""
    tree = statement.tree
    if not isinstance(tree, Insert):
        return Drawn(statement)
    column = _counting(tree, places)
    if column is None:
        return Drawn(statement)
    if tree.source is not None and not isinstance(tree.source, Values):
        return _selected(statement, tree, column, places)
    rows = tree.source.rows if isinstance(tree.source, Values) else ((),)
    if any(rows) and any(len(row) != len(tree.columns) for row in rows):
        # The server says what is wrong with it.
        return Drawn(statement)
    return _Writer(statement, tree, column).drawn(rows, places)


def _counting(tree: Insert, places: Places) -> Column | None:
    """The column that the fleet's numbers are for: there is at most one in a table."""
    table, standing = places.table(tree.table), places.of(tree.table)
    if table is None or not isinstance(standing, Sharded | Copied | Single):
        return None
    for each in table.columns:
        if each.serial and each.sequence is None:
            _check_not_left(tree, each)
    column = next((each for each in table.columns if each.sequence is not None), None)
    if column is None or column.sequence is None:
        return None
    if isinstance(standing, Single) and own_shard(column.sequence, places) is not None:
        return None
    return column


def _check_not_left(tree: Insert, column: Column) -> None:
    """`DEFAULT NEXTVAL(s)`: each shard has that sequence for itself."""
    at = tree.columns.index(column.name) if column.name in tree.columns else None
    rows = tree.source.rows if isinstance(tree.source, Values) else ()
    if at is None or any(len(row) > at and is_default(row[at]) for row in rows):
        raise _left(tree, column)


def _left(tree: Insert, column: Column) -> Refused:
    return Refused(refuse("insert leaves serial", str(tree.table), column.name))


class _Writer:
    def __init__(self, statement: Statement, tree: Insert, column: Column) -> None:
        self.statement = statement
        self.tree = tree
        self.column = column
        self.given = statement.placeholders.count
        self.numbers: list[Number] = []
        #: For each row, the parameter that is to stand in the column's place; None where what stands there stays.
        self.written: list[int | None] = []
        used = [expr.index for expr in walk(tree) if isinstance(expr, Parameter)]
        self.repeated = {index for index in used if used.count(index) > 1}

    def drawn(self, rows: tuple[tuple[Expr, ...], ...], places: Places) -> Drawn:
        names, column, tree = self.tree.columns, self.column, self.tree
        at = names.index(column.name) if column.name in names else None
        for row in rows:
            self._row(row, at)
        if not self.numbers:
            return Drawn(self.statement)
        sequence = places.schema.sequences[column.sequence] if column.sequence is not None else None
        assert sequence is not None
        behind = sum(number.behind for number in self.numbers)
        draw = Draw(sequence, tuple(range(behind)))
        drawing = Drawing((draw,), behind, shown=(f"{column.name} from {sequence.name}",), numbers=tuple(self.numbers))
        if not behind:
            return Drawn(self.statement, drawing)
        sql = numbers_written(self.statement.sql, column.name if at is None else None, at, self.written)
        if sql is None:
            raise _left(tree, column)
        filled = tuple(self._filled(row, number, at) for row, number in zip(rows, self.written, strict=True))
        changed = replace(tree, columns=names if at is not None else (*names, column.name), source=Values(filled))
        rewritten = replace(
            self.statement, sql=sql, tree=changed, placeholders=Placeholders(self.given + behind)
        )  # fmt: skip
        return Drawn(rewritten, drawing)

    def _row(self, row: tuple[Expr, ...], at: int | None) -> None:
        """What becomes of one row's number."""
        cell = row[at] if at is not None and row else None
        if cell is None or is_default(cell) or _is_zero(cell):
            self._write(None)
            return
        bare = cell
        while isinstance(bare, Cast):
            bare = bare.operand
        if isinstance(bare, Parameter) and bare is cell:
            if bare.index in self.repeated:
                self._write(bare.index - 1)
            else:
                self.numbers.append(Number(bare.index - 1, False))
                self.written.append(None)
        elif is_constant(cell) and not isinstance(bare, Parameter) and _is_number(bare):
            self.written.append(None)
        else:
            # It might come to NULL or 0.
            raise _left(self.tree, self.column)

    def _write(self, given: int | None) -> None:
        self.numbers.append(Number(given, True))
        self.written.append(self.given + sum(number.behind for number in self.numbers))

    def _filled(self, row: tuple[Expr, ...], number: int | None, at: int | None) -> tuple[Expr, ...]:
        if number is None:
            return row
        return (*row, Parameter(number)) if at is None else (*row[:at], Parameter(number), *row[at + 1 :])


def _is_zero(expr: Expr) -> bool:
    """NULL, FALSE, or a 0 that is written out."""
    if not isinstance(expr, Literal):
        return False
    if expr.kind in ("null", "boolean"):
        return expr.text.lower() != "true"
    return expr.text.isdigit() and int(expr.text) == 0


def _is_number(expr: Expr) -> bool:
    """A whole number that is not 0, written out, so that no rounding makes it one; or TRUE."""
    if isinstance(expr, Operation):
        return len(expr.operands) == 1 and _is_number(expr.operands[0])
    if not isinstance(expr, Literal) or expr.kind == "null":
        return False
    return expr.kind == "boolean" or (expr.text.isdigit() and int(expr.text) != 0)


def _selected(statement: Statement, tree: Insert, column: Column, places: Places) -> Drawn:
    """INSERT … SELECT: nobody knows how many numbers it needs; what counts already has them."""
    source = tree.source
    if isinstance(source, Select) and isinstance(source.source, Scan) and column.name in tree.columns:
        at = tree.columns.index(column.name)
        expr = source.items[at].expr if at < len(source.items) else None
        table = places.table(source.source.table)
        if isinstance(expr, ColumnRef) and table is not None:
            read = table.column(expr.name)
            if read is not None and read.serial and read.not_null:
                return Drawn(statement)
    raise Refused(refuse("insert select leaves serial", str(tree.table), column.name))
