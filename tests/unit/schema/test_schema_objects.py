"""Objects compared: in which order mending works, and what nobody can write."""

from __future__ import annotations

from outgrow.schema import Object, compare
from outgrow.schema.columns import ObjectColumn, create_table, differences
from outgrow.topology import TableName

T = TableName("public", "t")


def column(
    name: str,
    type_: str = "integer",
    *,
    own: bool = True,
    not_null: bool = False,
    default: str | None = None,
    identity: str | None = None,
) -> ObjectColumn:
    return ObjectColumn(name, own, type_, not_null, default, identity, None)


def test_what_hangs_on_a_table_is_made_after_it_and_dropped_before_it() -> None:
    table = Object("table", "public.t", T, "", ("CREATE TABLE public.t", ""), ("DROP TABLE public.t",))
    trigger = Object("trigger", "public.t.g", T, "g", ("CREATE TRIGGER g",), ("DROP TRIGGER g",))
    index = Object("index", "public.i", T, "i", ("CREATE INDEX i",), ("DROP INDEX i",))
    objects = {(one.kind, one.name): one for one in (trigger, index, table)}
    assert [one.kind for one in compare(objects, {}, "s2")] == ["table", "index", "trigger"]
    assert [one.kind for one in compare({}, objects, "s2")] == ["trigger", "index", "table"]
    assert compare(objects, {}, "s2", [T]) == ()
    assert compare(objects, objects, "s2") == ()


def test_labels_are_added_in_their_place_or_not_at_all() -> None:
    wanted = {("enum", "e"): Object("enum", "e", None, "a\nb\nc")}
    for found, statements in (
        ("b", ("ALTER TYPE e ADD VALUE 'a' BEFORE 'b'", "ALTER TYPE e ADD VALUE 'c' AFTER 'b'")),
        ("a\nc", ("ALTER TYPE e ADD VALUE 'b' AFTER 'a'",)),
        ("c\na", ()),
        ("a\nb\nc\nd", ()),
    ):
        (one,) = compare(wanted, {("enum", "e"): Object("enum", "e", None, found)}, "s2")
        assert one.statements == statements
        assert bool(one.note) == (not statements)


def test_a_type_is_changed_without_its_old_default() -> None:
    wanted, found = column("a", "bigint", default="5"), column("a", default="6", not_null=True)
    (one,) = differences("t", [wanted], [found])
    assert one.statements == (
        "ALTER TABLE t ALTER COLUMN a DROP DEFAULT",
        "ALTER TABLE t ALTER COLUMN a TYPE bigint",
        "ALTER TABLE t ALTER COLUMN a SET DEFAULT 5",
        "ALTER TABLE t ALTER COLUMN a DROP NOT NULL",
    )


def test_columns_in_another_order_take_a_person() -> None:
    (one,) = differences("t", [column("a"), column("b")], [column("b"), column("a")])
    assert (one.order, one.statements, bool(one.note)) == (True, (), True)


def test_only_columns_of_its_own_are_written() -> None:
    heir = [column("a", own=False), column("b", identity="ALWAYS", not_null=True)]
    assert create_table(("CREATE TABLE t", "INHERITS (p)"), heir) == (
        "CREATE TABLE t (b integer GENERATED ALWAYS AS IDENTITY NOT NULL) INHERITS (p)",
    )
    assert create_table(("CREATE TABLE t", "PARTITION OF p DEFAULT"), heir) == (
        "CREATE TABLE t PARTITION OF p DEFAULT",
    )
