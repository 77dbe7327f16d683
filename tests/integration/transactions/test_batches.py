"""Many statements in one flush behind what opens a branch: each of them is run, whatever its words are.

COPY goes by itself, and is known by its word; these speak of a copy, and none may be left out.
"""

from __future__ import annotations

from outgrow import Fleet
from outgrow.nodes import drive
from outgrow.runtime import batch_steps


def test_sets_of_parameters(fleet: Fleet, keys: tuple[int, int]) -> None:
    text = "UPDATE accounts SET amount = amount + %s WHERE account = %s AND 'a copy' <> ''"
    sets = [[1, key] for key in (*keys, *keys, keys[0])]
    with fleet.session() as session:
        assert drive(batch_steps(session._conversation, text, sets)) == len(sets)
        with session.transaction():
            assert drive(batch_steps(session._conversation, text, sets)) == len(sets)
        found = session.execute("SELECT account, amount FROM accounts WHERE account = ANY(%s)", [list(keys)])
        assert dict(found.fetchall()) == {keys[0]: 106, keys[1]: 104}


def test_a_column_called_copy(fleet: Fleet) -> None:
    with fleet.session() as session:
        session.execute("ALTER TABLE accounts ADD COLUMN copy int8")
        sets = [[account, account] for account in range(1, 41)]
        text = "UPDATE accounts SET copy = %s WHERE account = %s"
        assert drive(batch_steps(session._conversation, text, sets)) == len(sets)
        found = session.execute("SELECT copy FROM accounts ORDER BY 1").fetchall()
        assert [row[0] for row in found] == list(range(1, 41))


def test_a_value_that_is_unique_in_the_whole_domain(fleet: Fleet) -> None:
    """A write of an indexed table travels with the question what it has noted."""
    with fleet.session() as session:
        session.execute("ALTER TABLE accounts ADD COLUMN copy text UNIQUE")
        fleet.unique().build("accounts", "copy")
        session.execute("UPDATE accounts SET copy = 'one' WHERE account = 1")
        session.execute("UPDATE accounts SET copy = 'two' WHERE account = 2 AND 'copy' <> ''")
        found = session.execute("SELECT account, copy FROM accounts WHERE copy IS NOT NULL ORDER BY 1")
        assert found.fetchall() == [(1, "one"), (2, "two")]
        (compared,) = fleet.unique().check()
        assert (compared.rows, compared.unindexed, compared.stale) == (2, (), ())
