"""What several shards write together: the parts of an INSERT, what is evaluated once, what a plan refuses."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from outgrow.errors import Error
from outgrow.plan import Gather, build, locate, parts
from outgrow.schema import Apart, Column, ForeignKey, Function, StatementTrigger, Volatility
from outgrow.statement import bind

from .world import Placer, domain, located, name, plan, schema

INTO = "INSERT INTO orders (order_id, customer_id, status) VALUES"


def split(sql: str, *params: object) -> list[tuple[str, str, tuple[object, ...], tuple[int, ...]]]:
    made = plan(sql)
    there = located(made, *params)
    assert made.change is not None
    assert made.change.gather is Gather.ROWS
    return [(part.shard, part.sql, part.params, part.rows) for part in parts(made.change, there.rows, params)]


def test_each_shard_gets_its_rows_with_parameters_of_its_own() -> None:
    assert split(f"{INTO} (1, $1, $2), (2, $3, $2), ($1, 4, 'it''s $1') RETURNING order_id, $2", 1, "x", 2) == [
        ("s2", "INSERT INTO orders (order_id, customer_id, status) VALUES (1, $1, $2), ($1, 4, 'it''s $1')"
         " RETURNING orders.order_id, $2", (1, "x"), (0, 2)),
        ("s3", "INSERT INTO orders (order_id, customer_id, status) VALUES (2, $1, $2)"
         " RETURNING orders.order_id, $2", (2, "x"), (1,)),
    ]  # fmt: skip


def test_rows_that_may_be_skipped_go_in_runs_where_their_order_is_asked_for() -> None:
    rows = "(1, 1, 'a'), (2, 4, 'b'), (3, 2, 'c'), (4, 1, 'd')"
    runs = split(f"{INTO} {rows} ON CONFLICT DO NOTHING RETURNING order_id")
    assert [(shard, at) for shard, _, _, at in runs] == [("s2", (0, 1)), ("s3", (2,)), ("s2", (3,))]
    whole = split(f"{INTO} {rows} ON CONFLICT DO NOTHING")
    assert [(shard, at) for shard, _, _, at in whole] == [("s2", (0, 1, 3)), ("s3", (2,))]


def test_one_statement_for_a_shard_where_a_row_may_come_twice() -> None:
    update = "ON CONFLICT (customer_id, order_id) DO UPDATE SET status = excluded.status"
    rows = "(1, 1, 'a'), (3, 2, 'c'), (4, 1, 'd')"
    assert len(split(f"{INTO} {rows} {update} RETURNING order_id")) == 2
    assert len(split(f"{INTO} {rows} {update} WHERE orders.qty > 1")) == 2
    with pytest.raises(Error, match="OG-PLAN-032"):
        split(f"{INTO} {rows} {update} WHERE orders.qty > 1 RETURNING order_id")
    assert len(split(f"{INTO} (1, 1, 'a'), (4, 1, 'd'), (3, 2, 'c') {update} WHERE orders.qty > 1 RETURNING *")) == 2


@pytest.mark.parametrize("target", ["(order_id)", "(lower(status))", "(order_id, abs(customer_id))"])
def test_what_a_row_meets_must_lie_on_its_own_shard(target: str) -> None:
    """Also for one row: the row that it should meet may lie elsewhere."""
    with pytest.raises(Error, match="OG-PLAN-050"):
        plan(f"{INTO} (1, 1, 'a') ON CONFLICT {target} DO NOTHING")
    assert plan(f"{INTO} (1, 1, 'a') ON CONFLICT (customer_id) DO NOTHING").refusal is None
    # Without a target any unique key counts, here the primary key (id) of a table that lies by customer_id.
    with pytest.raises(Error, match="OG-PLAN-050"):
        plan("INSERT INTO numbered (id, customer_id) VALUES (1, 1) ON CONFLICT DO NOTHING")
    assert plan(f"{INTO} (1, 1, 'a') ON CONFLICT DO NOTHING").refusal is None
    # A number that the fleet draws is nobody's yet.
    assert plan("INSERT INTO numbered (customer_id) VALUES (1) ON CONFLICT DO NOTHING").refusal is None


@pytest.mark.parametrize(
    ("default", "new"),
    [
        ("nextval('numbered_id_seq'::regclass)", True),
        ("(nextval('numbered_id_seq'::regclass))::text", True),
        ("(nextval('numbered_id_seq'::regclass) % 10)", False),
        ("gen_random_uuid()", True),
        ("(gen_random_uuid())::text", True),
        # Nothing that this server has itself, so somebody's own.
        ("uuidv7()", False),
        ("shop.gen_random_uuid()", False),
        ('"left"((gen_random_uuid())::text, 4)', False),
        ("(nextval('numbered_id_seq'::regclass))::real", False),
        ("random()", False),
        ("clock_timestamp()", False),
        ("dice()", False),
    ],
)
def test_a_default_that_another_row_may_have_drawn_as_well(default: str, new: bool) -> None:
    """Volatile is not new: rows with `random()` of ten values meet, and on other shards, too."""
    plain = schema()
    orders = plain.tables[name("orders")]
    draws = "nextval" in default
    sequence = name("numbered_id_seq") if draws else None
    column = Column("code", "text", default=default, default_volatile=True, serial=draws, sequence=sequence)
    keyed = replace(orders, columns=(*orders.columns, column), unique_keys=(("code",),))
    functions = dict(plain.functions)
    for called, owner in (("gen_random_uuid", "pg_catalog"), ("uuidv7", "public")):
        own = owner == "pg_catalog"
        functions[called] = (Function(owner, called, "function", Volatility.VOLATILE, "uuid", False, own),)
    known = replace(plain, tables={**plain.tables, orders.name: keyed}, functions=functions)
    statement = bind(f"{INTO} (1, 1, 'a') ON CONFLICT DO NOTHING", known)
    if new:
        assert build(statement, known, domain()).refusal is None
    else:
        with pytest.raises(Error, match=r"OG-PLAN-050.*code"):
            build(statement, known, domain())


@pytest.mark.parametrize("columns", [(), ("status",), ("status", "customer_id")])
def test_what_keeps_rows_apart_by_expressions_or_under_a_condition_counts(columns: tuple[str, ...]) -> None:
    """Only ON CONFLICT without a target means such an index; one that compares the shard key meets on its own shard."""
    plain = schema()
    orders = plain.tables[name("orders")]
    known = replace(plain, tables={**plain.tables, orders.name: replace(orders, apart=(Apart("one_open", columns),))})
    statement = bind(f"{INTO} (1, 1, 'a') ON CONFLICT DO NOTHING", known)
    if "customer_id" in columns:
        assert build(statement, known, domain()).refusal is None
    else:
        with pytest.raises(Error, match=r"OG-PLAN-050.*one_open"):
            build(statement, known, domain())
    aimed = bind(f"{INTO} (1, 1, 'a') ON CONFLICT (customer_id, order_id) DO NOTHING", known)
    assert build(aimed, known, domain()).refusal is None


def test_rows_of_one_shard_are_sent_as_written() -> None:
    made = plan(f"{INTO} (1, $1, 'a'), (2, $2, 'b')")
    assert not located(made, 1, 4).scatter
    assert located(made, 1, 2).rows == ("s2", "s3")


def with_columns(*columns: Column) -> object:
    """The plan of an INSERT over several shards into orders with these columns more."""
    known = schema()
    orders = known.tables[name("orders")]
    tables = {**known.tables, orders.name: replace(orders, columns=(*orders.columns, *columns))}
    changed = replace(known, tables=tables)
    made = build(bind("INSERT INTO orders (customer_id) VALUES (1), (2)", changed, parameters=False), changed, domain())
    assert made.change is not None
    assert made.change.given is not None
    return made.change.once, [row.texts for row in made.change.given.rows]


@pytest.mark.parametrize(
    ("default", "volatile", "once"),
    [
        ("5", False, ()),
        ("'x'::text", False, ()),
        ("abs(-5)", False, ()),
        ("now()", False, ("now()",)),
        ("(now() + '1 day'::interval)", False, ("(now() + '1 day'::interval)",)),
        ("('now'::text)::date", False, ("('now'::text)::date",)),
        ("CURRENT_DATE", False, ("CURRENT_DATE",)),
        ("unknown_to_all(1)", False, ("unknown_to_all(1)",)),
        ("random()", True, ()),
    ],
)
def test_defaults_that_shards_would_compute_differently(default: str, volatile: bool, once: tuple[str, ...]) -> None:
    column = Column("more", "public.mood", default=default, default_volatile=volatile)
    evaluated, rows = with_columns(column)  # type: ignore[misc]
    assert evaluated == once
    assert rows == ([("(1, ", "::public.mood)"), ("(2, ", "::public.mood)")] if once else [("(1)",), ("(2)",)])


def test_a_moment_is_one_parameter_and_each_drawn_value_its_own() -> None:
    made = plan(
        "INSERT INTO countries (code, name) VALUES (random()::text, now()::text), (random()::text, now()::text)"
    )
    assert made.change is not None
    assert made.change.once == ("now()", "random()", "random()")
    assert made.fragment_sql == (
        "INSERT INTO countries (code, name) VALUES ($2::float8::text, $1::timestamptz::text),"
        " ($3::float8::text, $1::timestamptz::text)"
    )
    assert made.fragment_values(["at", "one", "two"]) == ["at", "one", "two"]


def test_every_shard_is_needed_for_a_copy() -> None:
    made = plan("UPDATE countries SET name = $1")
    there = located(made, "x")
    assert (there.shards, there.scatter) == (Placer.shards, True)
    alone = plan("UPDATE countries SET name = 'x'", shards=("s1",))
    assert alone.change is None


REFERRING = [
    # (on delete, on update, of the key?) → the code of DELETE FROM customers, of UPDATE … SET name
    ("cascade", "", True, None, None),
    ("set null", "", True, "OG-PLAN-035", None),
    ("set null", "", False, None, None),
    ("", "cascade", True, None, "OG-PLAN-035"),
    ("", "", True, None, None),
]


@pytest.mark.parametrize(("on_delete", "on_update", "key", "deleting", "updating"), REFERRING)
def test_what_foreign_keys_write(
    on_delete: str, on_update: str, key: bool, deleting: str | None, updating: str | None
) -> None:
    known = schema()
    foreign = ForeignKey(
        ("customer_id",) if key else ("order_id",), name("customers"), ("name",), True, on_update, on_delete
    )
    orders = replace(known.tables[name("orders")], foreign_keys=(foreign,))
    changed = replace(known, tables={**known.tables, orders.name: orders})
    for sql, code in (
        ("DELETE FROM customers WHERE customer_id = 1", deleting),
        ("UPDATE customers SET name = 'x' WHERE customer_id = 1", updating),
        ("UPDATE customers SET vip = true WHERE customer_id = 1", None),
    ):
        bound = bind(sql, changed, parameters=False)
        if code is None:
            build(bound, changed, domain())
        else:
            with pytest.raises(Error, match=code):
                build(bound, changed, domain())


def test_statement_triggers_count_by_their_event() -> None:
    known = schema()
    trigger = StatementTrigger("audit", ("update",))
    orders = replace(known.tables[name("orders")], triggers=("audit",), statement_triggers=(trigger,))
    changed = replace(known, tables={**known.tables, orders.name: orders})
    for sql, refused in (
        ("UPDATE orders SET qty = 1", True),
        ("INSERT INTO orders (customer_id) VALUES (1), (2) ON CONFLICT (customer_id) DO UPDATE SET qty = 1", True),
        ("INSERT INTO orders (customer_id) VALUES (1), (2)", False),
        ("DELETE FROM orders", False),
        ("TRUNCATE orders", False),
    ):
        made = build(bind(sql, changed, parameters=False), changed, domain())
        assert (made.refusal is not None and made.refusal.code == "OG-PLAN-031") is refused, sql
        if not refused:
            assert locate(made, (), Placer()).scatter


def placed(sql: str, *params: object) -> set[str]:
    return set(located(plan(sql), *params).shards)


def shard_of(customer_id: int) -> set[str]:
    return placed(f"DELETE FROM orders WHERE customer_id = {customer_id}")


def test_what_a_selected_row_is_known_to_hold_is_compared_and_not_given() -> None:
    """No row of an int8 column holds 42.5, and none that an int4 column cannot take is written: nothing to refuse."""
    into_items = "INSERT INTO items (customer_id) SELECT customer_id FROM orders WHERE customer_id"
    assert placed(f"{into_items} = 99999999999") == shard_of(99999999999)
    assert placed(f"{into_items} = $1", 99999999999) == shard_of(99999999999)
    assert placed(f"{into_items} = ANY($1)", [7, 99999999999]) == shard_of(7) | shard_of(99999999999)
    into_orders = "INSERT INTO orders (order_id, customer_id) SELECT 1, customer_id FROM items WHERE customer_id"
    assert len(placed(f"{into_orders} = 99999999999")) == 1
    assert len(placed(f"{into_orders} IN (42.5, 9999999999999999999999)")) == 1


def test_what_a_selected_row_holds_is_rounded_by_the_column_it_is_written_to() -> None:
    """42.5 of a numeric column is 43 in an int8 key, also where it is one of an array's elements."""
    here = next(n for n in range(1, 50) if shard_of(n) == shard_of(43))
    elsewhere = next(n for n in range(1, 50) if shard_of(n) != shard_of(43))
    into = "INSERT INTO orders (order_id, customer_id)"
    chosen = f"{into} SELECT 1, score FROM customers WHERE customer_id = $1 AND score"
    for condition, value in (("= $2", Decimal("42.5")), ("= ANY($2)", [Decimal("42.5")])):
        assert placed(f"{chosen} {condition}", here, value) == shard_of(43)
        # Read there, written here.
        assert placed(f"{chosen} {condition}", elsewhere, value) == shard_of(43) | shard_of(elsewhere)


def test_a_key_column_that_an_update_leaves_alone_is_compared_and_not_given() -> None:
    assert len(placed("UPDATE events SET sort = 'x' WHERE device = 99999999999999999999 AND sort = 'a'")) == 1
