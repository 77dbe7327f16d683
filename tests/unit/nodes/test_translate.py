"""Every error that psycopg knows has a class and a code of ours."""

from __future__ import annotations

import re
from pathlib import Path

import psycopg
import pytest

from outgrow import errors
from outgrow.nodes import translate
from outgrow.topology import Node, Role

NODE = Node("sales/s1/primary", "sales", "s1", Role.PRIMARY, "password=secret", "db1")
ROOT = Path(__file__).parents[3]

STATES = sorted(
    cls.sqlstate
    for cls in vars(psycopg.errors).values()
    if isinstance(cls, type) and issubclass(cls, psycopg.Error) and cls.sqlstate
)

#: Where outgrow's class differs from psycopg's on purpose.
OTHERWISE = {
    "08P01": errors.ProgrammingError,  # in practice: a wrong number of parameters
    "26000": errors.OperationalError,  # a prepared statement that the server lost: trying again helps
}


def test_there_are_states():
    assert len(STATES) > 240


@pytest.mark.parametrize("state", STATES)
def test_each_sqlstate_has_class_code_and_cure(state):
    kind = translate.kind_of_state(state)
    assert re.fullmatch(r"OG-NODE-\d{3}", kind.code)
    assert kind.cure
    if state in OTHERWISE:
        assert kind.error is OTHERWISE[state]
        return
    theirs = psycopg.errors.lookup(state)
    name = next(base.__name__ for base in theirs.__mro__ if base.__module__ == "psycopg" and base.__name__[-1] != "_")
    if state[:2] == "25":
        assert kind.error is errors.OperationalError
    else:
        assert kind.error.__name__ == name, (state, theirs)


@pytest.mark.parametrize("state", ["ZZ999", "U0001", "P9999", "22X99", "23X99", ""])
def test_invented_states_have_a_code_too(state):
    assert issubclass(translate.kind_of_state(state).error, errors.DatabaseError)


def test_classes_decide_for_unknown_states():
    assert translate.kind_of_state("22X99").error is errors.DataError
    assert translate.kind_of_state("23X99").error is errors.IntegrityError


def test_lost_connections_say_whether_the_statement_may_have_run():
    before, during = (translate.lost(NODE, "server closed\n  it", before=flag) for flag in (True, False))
    assert before.code == translate.LOST_BEFORE and "did not run" in str(before)
    assert during.code == translate.LOST_DURING and "may have run" in str(during)
    assert "secret" not in str(before) + repr(during)


def test_each_code_in_the_source_is_documented_and_each_documented_code_is_used():
    source = "".join(path.read_text() for path in (ROOT / "src/outgrow/nodes").rglob("*.py"))
    documented = re.findall(r"^## (OG-NODE-\d{3})$", (ROOT / "docs/errors/nodes.md").read_text(), re.MULTILINE)
    assert len(documented) == len(set(documented))
    assert set(re.findall(r"OG-NODE-\d{3}", source)) == set(documented)
