"""Whatever writes the rows, the index of the whole domain says what they have."""

from __future__ import annotations

import pytest

from outgrow import Fleet, IntegrityError, Session


def placed(fleet: Fleet) -> dict[str, list[int]]:
    """Shard → some ids whose rows lie there."""
    found: dict[str, list[int]] = {}
    for id in range(1, 41):
        shards = fleet.explain("SELECT * FROM people WHERE id = %s", [id]).to_dict()["shards"]["shards"]
        found.setdefault(shards[0], []).append(id)
    return found


def right(fleet: Fleet, rows: int | None = None) -> None:
    """The index has what the rows have."""
    for compared in fleet.unique().check():
        assert compared.right, compared
        if rows is not None:
            assert compared.rows == rows


def refused(session: Session, sql: str, parameters: list[object] | None = None) -> IntegrityError:
    with pytest.raises(IntegrityError) as caught:
        session.execute(sql, parameters)
    assert caught.value.sqlstate == "23505"
    return caught.value


INSERT = "INSERT INTO people (id, email) VALUES (%s, %s)"


def test_one_value_for_one_row_of_all_shards(fleet: Fleet) -> None:
    by_shard = placed(fleet)
    (one, two, *_), (other, another, *_) = by_shard["s1"], by_shard["s2"]
    with fleet.session() as session:
        session.execute(INSERT, [one, "a@x"])
        error = refused(session, INSERT, [other, "a@x"])
        assert error.code == "OG-RUN-150"
        assert error.details["constraint"] == "people_email_key"
        assert "(email)=(a@x)" in error.message
        # On the same shard its own key says so.
        assert refused(session, INSERT, [two, "a@x"]).details["constraint"] == "people_email_key"
        session.execute(INSERT, [other, "b@x"])
        session.execute("INSERT INTO people (id) VALUES (%s), (%s)", [two, another])
        right(fleet, 2)
        refused(session, "UPDATE people SET email = 'a@x' WHERE id = %s", [other])
        session.execute("UPDATE people SET email = 'c@x' WHERE id = %s", [one])
        session.execute("UPDATE people SET email = 'a@x' WHERE id = %s", [other])
        right(fleet, 2)
        session.execute("DELETE FROM people WHERE id = %s", [other])
        session.execute(INSERT, [other, "b@x"])
        session.execute("UPDATE people SET email = 'a@x' WHERE id = %s", [two])
        right(fleet, 3)
        session.execute("UPDATE people SET email = email || '.org'")
        session.execute("UPDATE people SET email = NULL WHERE id = %s", [one])
        right(fleet, 2)
        session.execute("DELETE FROM people")
        right(fleet, 0)
