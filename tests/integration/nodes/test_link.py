"""One link against a real server: values, columns, preparation, errors, time limits."""

from __future__ import annotations

import datetime as dt
import decimal
import ipaddress
import threading
import time
import uuid

import psycopg
import pytest

from outgrow import errors
from outgrow.clock import monotonic
from outgrow.nodes import LOST_DURING, Field, Link, LinkSettings, drive, link_steps


def run(link: Link, sql: str, params=None, **more):
    return drive(link.run_steps(sql, params, **more))


VALUES = [
    1,
    -40000,
    2**40,
    2**70,
    True,
    1.5,
    float("inf"),
    decimal.Decimal("1.500"),
    "text ü %s $1",
    b"\x00\xff",
    None,
    dt.date(2024, 2, 29),
    dt.datetime(2024, 2, 29, 12, 30, 1, 5),
    dt.datetime(2024, 2, 29, 12, 30, tzinfo=dt.UTC),
    dt.time(1, 2, 3),
    dt.timedelta(days=3, seconds=5),
    uuid.UUID(int=7),
    ipaddress.ip_address("10.0.0.1"),
    [1, 2, None],
    ["a", "b"],
    [dt.date(2024, 1, 1)],
]


@pytest.mark.parametrize("value", VALUES, ids=lambda value: f"{type(value).__name__}-{value!s:.20}")
def test_parameters_and_results_are_those_of_psycopg(link, admin, value):
    # psycopg sends text without a type, so the server cannot say which it is.
    untyped = value is None or isinstance(value, str) or value == ["a", "b"]
    also = "1" if untyped else "pg_typeof({})::text"
    params = [value] if untyped else [value, value]
    expected = admin.execute(f"SELECT %s, {also.format('%s')}", params).fetchall()
    for _ in range(8):  # plain, being prepared, prepared
        rows = run(link, f"SELECT $1, {also.format('$2')}", params)
        assert rows.rows == expected
        assert [type(cell) for cell in rows.rows[0]] == [type(cell) for cell in expected[0]]


RESULTS = [
    "1::int2, 2::int4, 3::int8, 1.10::numeric(10,3), 0.1::float4, 0.1::float8",
    "'a'::text, 'b'::varchar(5), 'c'::char(4), 'd'::name, 'e'::\"char\"",
    "'{\"a\": [1, null]}'::json, '{\"b\": 2}'::jsonb",
    "now()::date, now()::timestamp, now(), '1 day 02:03:04'::interval, '10:00'::time, '10:00+02'::timetz",
    "'happy'::mood, '{sad,happy}'::mood[], row(1,'x')::pair, 5::positive",
    "'[1,5)'::int4range, '10.0.0.0/8'::cidr, '10.0.0.1'::inet, '(1,2)'::point, '\\x00ff'::bytea, 't'::bool",
    "'16/B374D848'::pg_lsn, '42'::xid, '5'::oid, 'things'::regclass, null, 'infinity'::float8",
    "array[[1,2],[3,4]], array['a',null], array[1.5, 2.50]",
]


@pytest.mark.parametrize("columns", RESULTS)
def test_results_are_those_of_psycopg(link, admin, columns):
    with admin.transaction():
        now = admin.execute("SELECT now()").fetchone()[0]
    sql = "SELECT " + columns.replace("now()", f"'{now.isoformat()}'::timestamptz")
    cursor = admin.execute(sql)
    expected = cursor.fetchall()
    for _ in range(8):
        rows = run(link, sql)
        assert rows.rows == expected
        assert [field.name for field in rows.fields] == [column.name for column in cursor.description]
        assert [field.oid for field in rows.fields] == [column.type_code for column in cursor.description]


def test_fields_have_catalogue_names(link):
    rows = run(
        link,
        "SELECT 1::int2 a, 'x'::varchar(7) b, '{}'::int8[] c, 'happy'::mood d, '{}'::mood[] e, 1.5::numeric(6,2) f, "
        "'things'::regclass g, row(1,'x')::pair h",
    )
    assert [field.type for field in rows.fields] == [
        "int2", "varchar", "_int8", "public.mood", "public._mood", "numeric", "regclass", "public.pair",
    ]  # fmt: skip
    assert rows.fields[1] == Field("b", "varchar", 7 + 4, 1043)
    assert rows.fields[5].typmod == ((6 << 16) | 2) + 4


def test_settings_of_the_session_are_followed_by_prepared_statements(link):
    moment = "SELECT '2024-01-01 00:00+00'::timestamptz, '2024-02-01'::date"
    before = [run(link, moment).rows[0] for _ in range(8)][-1]
    run(link, "SET TimeZone = 'Asia/Tokyo'")
    after = run(link, moment).rows[0]
    assert before == after
    assert after[0].utcoffset() == dt.timedelta(hours=9)
    for _ in range(7):
        run(link, "SELECT date '2024-02-01'")
    run(link, "SET DateStyle = 'SQL, DMY'")
    assert run(link, "SELECT date '2024-02-01'").rows == [(dt.date(2024, 2, 1),)]
    run(link, "SET DateStyle = 'ISO'")
    run(link, "SELECT set_config('TimeZone', 'UTC', false)")
    assert run(link, moment).rows[0][0].utcoffset() == dt.timedelta(0)


def test_commands_tell_status_and_count(link, admin):
    assert run(link, "INSERT INTO things VALUES ($1, $2), ($3, 'b')", [1, "a", 2]).count == 2
    returned = run(link, "UPDATE things SET size = 1 RETURNING id")
    assert (returned.status, returned.count, sorted(returned.rows)) == ("UPDATE", 2, [(1,), (2,)])
    assert run(link, "SELECT * FROM things").count == 2
    created = run(link, "CREATE TEMP TABLE t (a int)")
    assert (created.status, created.count, created.rows, created.fields) == ("CREATE TABLE", -1, [], ())
    for i in range(10, 20):
        inserted = run(link, "INSERT INTO things VALUES ($1, $2)", [i, "x"])
        assert (inserted.status, inserted.count) == ("INSERT", 1)
    for i in range(20, 30):
        returned = run(link, "INSERT INTO things VALUES ($1, $2) RETURNING name", [i, "x"])
        assert (returned.status, returned.count, returned.rows) == ("INSERT", 1, [("x",)])
    assert run(link, "").rows == []


def prepared_names(link: Link) -> list[str]:
    return [row[0] for row in run(link, "SELECT statement FROM pg_prepared_statements ORDER BY 1", prepare=False).rows]


def test_a_statement_is_prepared_once_it_ran_five_times(link):
    for i in range(5):
        run(link, "SELECT $1", [i])
    assert prepared_names(link) == []
    run(link, "SELECT $1", [6])
    assert prepared_names(link) == ["SELECT $1"]
    for _ in range(9):
        run(link, "SELECT 9", prepare=False)
    assert prepared_names(link) == ["SELECT $1"]


def test_the_least_recently_used_statement_is_closed(node):
    link = drive(link_steps(node, LinkSettings(prepare_after=1, prepared_max=3)))
    for i in (1, 2, 3):
        run(link, f"SELECT {i}"), run(link, f"SELECT {i}")
    run(link, "SELECT 1")
    for i in (4, 5):
        run(link, f"SELECT {i}"), run(link, f"SELECT {i}")
    run(link, "SELECT 6"), run(link, "SELECT 6")
    # One stale name may wait for the next preparation.
    assert {"SELECT 4", "SELECT 5", "SELECT 6"} <= set(prepared_names(link))
    assert "SELECT 2" not in prepared_names(link)
    assert len(prepared_names(link)) <= 4
    link.close()


def test_never_prepares_when_told_so(node):
    link = drive(link_steps(node, LinkSettings(prepare_after=None)))
    for _ in range(10):
        run(link, "SELECT 1")
    assert prepared_names(link) == []
    link.close()


def test_prepared_statements_survive_ddl_and_discard(link, admin):
    admin.execute("DROP TABLE IF EXISTS moving")
    admin.execute("CREATE TABLE moving (a int)")
    admin.execute("INSERT INTO moving VALUES (1)")
    for _ in range(7):
        assert run(link, "SELECT * FROM moving").rows == [(1,)]
    admin.execute("ALTER TABLE moving ADD b text DEFAULT 'new'")
    rows = run(link, "SELECT * FROM moving")
    assert rows.rows == [(1, "new")]
    assert [field.name for field in rows.fields] == ["a", "b"]
    for _ in range(7):
        run(link, "SELECT * FROM moving")
    admin.execute("ALTER TABLE moving RENAME b TO c")
    assert run(link, "SELECT * FROM moving").fields[1].name == "c"
    for _ in range(7):
        run(link, "SELECT 1")
    run(link, "DO $$ BEGIN EXECUTE 'DEALLOCATE ALL'; END $$")  # behind the link's back
    assert run(link, "SELECT 1").rows == [(1,)]
    run(link, "DISCARD ALL")
    for _ in range(7):
        assert run(link, "SELECT 1").rows == [(1,)]


def test_a_stale_plan_inside_a_transaction_is_an_error_once(link, admin):
    admin.execute("DROP TABLE IF EXISTS moving")
    admin.execute("CREATE TABLE moving (a int)")
    for _ in range(7):
        run(link, "SELECT * FROM moving")
    admin.execute("ALTER TABLE moving ADD b text")
    run(link, "BEGIN")
    with pytest.raises(errors.NotSupportedError) as caught:
        run(link, "SELECT * FROM moving")
    assert caught.value.code == "OG-NODE-150"
    assert link.in_failed_transaction
    run(link, "ROLLBACK")
    assert run(link, "SELECT * FROM moving").rows == []


def test_nothing_is_prepared_in_a_failed_transaction(link):
    for _ in range(5):
        run(link, "ROLLBACK")
    run(link, "BEGIN")
    with pytest.raises(errors.ProgrammingError):
        run(link, "SELECT nonsense")
    for _ in range(8):
        with pytest.raises(errors.OperationalError) as caught:
            run(link, "SELECT 77")
        assert caught.value.code == "OG-NODE-134"
    run(link, "ROLLBACK")
    assert not link.in_transaction
    assert run(link, "SELECT 77").rows == [(77,)]


def test_transaction_state_is_known(link):
    assert not link.in_transaction
    run(link, "BEGIN")
    assert link.in_transaction
    run(link, "COMMIT")
    assert not link.in_transaction


def test_errors_carry_what_the_server_said(link, admin):
    run(link, "INSERT INTO things VALUES (1, 'a')")
    with pytest.raises(errors.IntegrityError) as caught:
        run(link, "INSERT INTO things VALUES (1, 'a')")
    error = caught.value
    assert (error.code, error.sqlstate, error.node, error.shard) == ("OG-NODE-110", "23505", "sales/s1/primary", "s1")
    assert "duplicate key value" in error.message
    assert "Key (id)=(1) already exists." in error.message
    assert error.details["constraint"] == "things_pkey"
    with pytest.raises(errors.ProgrammingError, match="Perhaps you meant"):
        run(link, "SELECT nam FROM things")


@pytest.mark.parametrize(
    ("sql", "params", "kind", "code"),
    [
        ("SELECT 1; SELECT 2", None, errors.ProgrammingError, "OG-NODE-103"),
        ("SELEC 1", None, errors.ProgrammingError, "OG-NODE-103"),
        ("SELECT * FROM nowhere", None, errors.ProgrammingError, "OG-NODE-101"),
        ("SELECT $1, $2::int", [1], errors.ProgrammingError, "OG-NODE-019"),
        ("SELECT $1", [object()], errors.ProgrammingError, "OG-NODE-018"),
        ("SELECT $1", [1] * 65536, errors.ProgrammingError, "OG-NODE-026"),
        ("SELECT $1", ["a\0b"], errors.DataError, "OG-NODE-020"),
        ("SELECT '\0'", None, errors.ProgrammingError, "OG-NODE-021"),
        ("SELECT 1/0", None, errors.DataError, "OG-NODE-120"),
        ("INSERT INTO things VALUES (1, NULL)", None, errors.IntegrityError, "OG-NODE-112"),
        ("INSERT INTO parts VALUES (1, 99, 1)", None, errors.IntegrityError, "OG-NODE-111"),
        ("INSERT INTO parts VALUES (1, NULL, -1)", None, errors.IntegrityError, "OG-NODE-113"),
        ("COPY things FROM STDIN", None, errors.NotSupportedError, "OG-NODE-017"),
        ("COPY things TO STDOUT", None, errors.NotSupportedError, "OG-NODE-017"),
        ("SELECT date '99999-01-01'", None, errors.DataError, "OG-NODE-024"),
        ("DO $$ BEGIN RAISE SQLSTATE 'ZZ999'; END $$", None, errors.DatabaseError, "OG-NODE-192"),
    ],
)
def test_each_mistake_has_its_code_and_the_link_lives_on(link, admin, sql, params, kind, code):
    for _ in range(7):
        with pytest.raises(kind) as caught:
            run(link, sql, params)
        assert caught.value.code == code
        assert caught.value.cure
    assert run(link, "SELECT 1").rows == [(1,)]
    assert not link.broken


def test_many_parameters(link):
    sql = "SELECT " + ", ".join(f"${i}::int" for i in range(1, 201))
    assert run(link, sql, list(range(200))).rows == [tuple(range(200))]


def test_large_statements_and_results_flow_both_ways(link):
    text = "x" * 30_000_000
    assert run(link, "SELECT length($1), $1", [text]).rows == [(len(text), text)]


def active(admin: psycopg.Connection, pid: int) -> str:
    return admin.execute("SELECT state FROM pg_stat_activity WHERE pid = %s", [pid]).fetchone()[0]


def test_a_time_limit_cancels_on_the_server(link, admin):
    began = monotonic()
    with pytest.raises(errors.OperationalError) as caught:
        run(link, "SELECT pg_sleep(30)", until=began + 0.1)
    assert (caught.value.code, caught.value.sqlstate) == ("OG-NODE-012", "57014")
    assert monotonic() - began < 3
    assert active(admin, link.backend_pid) == "idle"
    assert run(link, "SELECT 1").rows == [(1,)]


def test_a_time_limit_holds_for_prepared_statements(link, admin):
    for _ in range(7):
        run(link, "SELECT pg_sleep($1)", [0.0])
    with pytest.raises(errors.OperationalError) as caught:
        run(link, "SELECT pg_sleep($1)", [30.0], until=monotonic() + 0.1)
    assert caught.value.code == "OG-NODE-012"
    assert run(link, "SELECT 1", until=monotonic() + 5).rows == [(1,)]


def test_a_time_limit_in_a_transaction_leaves_it_failed(link):
    run(link, "BEGIN")
    with pytest.raises(errors.OperationalError):
        run(link, "SELECT pg_sleep(30)", until=monotonic() + 0.05)
    assert link.in_failed_transaction
    run(link, "ROLLBACK")


@pytest.mark.parametrize("prepared", [False, True])
def test_a_killed_backend_is_a_lost_connection(link, admin, prepared):
    if prepared:
        for _ in range(7):
            run(link, "SELECT pg_sleep($1)", [0.0])
    threading.Timer(0.2, lambda: admin.execute("SELECT pg_terminate_backend(%s)", [link.backend_pid])).start()
    with pytest.raises(errors.OperationalError) as caught:
        run(link, "SELECT pg_sleep($1)", [20.0])
    assert caught.value.code == LOST_DURING
    assert caught.value.sqlstate == "57P01"
    assert "may have run" in caught.value.message
    assert link.broken
    with pytest.raises(errors.OperationalError) as caught:
        run(link, "SELECT 1")
    assert caught.value.code == "OG-NODE-010"


def test_a_link_in_use_refuses_a_second_statement(link):
    steps = link.run_steps("SELECT pg_sleep(0.1)")
    next(steps)
    with pytest.raises(errors.InterfaceError) as caught:
        run(link, "SELECT 1")
    assert caught.value.code == "OG-NODE-016"
    steps.close()
    assert link.broken


def test_interruptions_are_cancelled_on_the_server(link, admin):
    steps = link.run_steps("SELECT pg_sleep(30)")
    next(steps)
    wait = steps.throw(KeyboardInterrupt())
    assert wait is not None
    from outgrow.nodes.waiting import _block, _poller

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        while True:
            wait = steps.send(_block(wait, _poller))
    assert time.monotonic() - began < 3
    assert run(link, "SELECT 1").rows == [(1,)]


def test_notices_do_not_disturb(link):
    run(link, "DO $$ BEGIN RAISE NOTICE 'hello'; END $$")
    run(link, "LISTEN channel")
    run(link, "NOTIFY channel, 'x'")
    assert run(link, "SELECT 1").rows == [(1,)]
