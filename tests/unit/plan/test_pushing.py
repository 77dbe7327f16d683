"""What may be asked of another domain's servers, and for which parameters."""

from __future__ import annotations

import datetime
import uuid
from decimal import Decimal

import pytest

from outgrow.plan.domains.pushing import Check, fits, pushed
from outgrow.schema import Column, Order, Table, TableKind
from outgrow.statement import bind
from outgrow.statement.tree import Select
from outgrow.topology import TableName

from .domains_world import federation

THEIRS = Table(
    TableName("public", "users"),
    TableKind.TABLE,
    (
        Column("id", "int8"),
        Column("name", "text", order=Order.LINGUISTIC),
        Column("blind", "text", nondeterministic=True),
        Column("born", "date"),
        Column("mood", "public.mood"),
        Column("small", "int2"),
    ),
)


def asked(condition: str, engine: str = "postgresql") -> tuple[Check, ...] | None:
    bound = bind(f"SELECT 1 FROM users.users u WHERE {condition}", federation(), parameters="$1" in condition)
    assert isinstance(bound.tree, Select) and bound.tree.where is not None, bound.effects
    return pushed(bound.tree.where, "u", THEIRS, engine)


@pytest.mark.parametrize(
    ("condition", "checks"),
    [
        ("u.id = 5", ()),
        ("u.id = -5", ()),
        ("7 < u.id", ()),
        ("u.id = $1 OR u.id IN ($2, 3)", (Check(1, "number"), Check(2, "number"))),
        ("u.id = ANY($1)", (Check(1, "integer", True),)),
        ("u.name = $1", (Check(1, "text"),)),
        ("u.name <> 'x'", ()),
        ("u.born BETWEEN '2020-01-01' AND $1", (Check(1, "date"),)),
        ("u.name IS NULL", ()),
    ],
)
def test_what_means_the_same_everywhere(condition: str, checks: tuple[Check, ...]) -> None:
    assert asked(condition) == checks


@pytest.mark.parametrize(
    "condition",
    [
        "u.name < 'x'",
        "u.name LIKE 'x%'",
        "u.name BETWEEN 'a' AND 'b'",
        "u.blind = 'x'",
        "u.born = 'today'",
        "u.born = '01/02/2020'",
        "u.born > '2020-01-01'::date",
        "u.id + 1 = 5",
        "u.id = (SELECT 5)",
        "abs(u.id) = 5",
        "u.id = u.id",
        "NOT (u.id = 5)",
        "u.mood = 'ok'",
        "u.id = 5 OR u.name LIKE 'x'",
    ],
)
def test_what_might_not(condition: str) -> None:
    assert asked(condition) is None


@pytest.mark.parametrize(
    ("condition", "allowed"),
    [
        ("u.id = 5", True),
        ("u.id IN (1, $1)", True),
        ("u.id = 5.5", False),
        ("u.small = 5", False),
        ("u.id IS NULL", False),
        ("u.name = 'x'", False),
        ("u.born = '2020-01-01'", False),
        ("u.id = ANY($1)", False),
    ],
)
def test_of_mariadb_whole_numbers_alone(condition: str, allowed: bool) -> None:
    assert (asked(condition, "mariadb") is not None) is allowed


def test_a_parameter_must_be_what_was_read() -> None:
    moment = datetime.datetime(2020, 1, 1)
    values = {
        "integer": (5, [True, 5.0, "5", None, 2**63]),
        "number": (Decimal("5.5"), [True, "5", None]),
        "text": ("x", [b"x", 5, None]),
        "uuid": (uuid.UUID(int=1), ["00000000-0000-0000-0000-000000000001"]),
        "bool": (True, [1, "t"]),
        "date": (datetime.date(2020, 1, 1), [moment, "2020-01-01"]),
        "timestamp": (moment, [moment.replace(tzinfo=datetime.UTC), moment.date()]),
        "timestamptz": (moment.replace(tzinfo=datetime.UTC), [moment]),
    }
    for family, (right, wrong) in values.items():
        assert fits([Check(1, family)], [right])
        assert fits([Check(2, family, many=True)], [None, [right, right]])
        for each in wrong:
            assert not fits([Check(1, family)], [each]), (family, each)
            assert not fits([Check(1, family, many=True)], [[right, each]]), (family, each)
    assert not fits([Check(1, "integer", many=True)], [(1, 2)])
