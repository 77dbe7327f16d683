"""`outgrow unique` on a real fleet, in this process: what it says, and its exit codes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from outgrow.topology import Domain, Sharded, TableName, write
from tests.integration.doors.test_definitions_cli import Outgrow, at, outgrow, told
from tests.servers import Servers

__all__ = ["outgrow"]


@pytest.fixture
def domain(fleet_servers: Servers, tmp_path: Path, outgrow: Outgrow) -> Iterator[Domain]:
    topology = fleet_servers.fresh({TableName("public", "people"): Sharded(("id",))})
    (tmp_path / "fleet.yaml").write_text(write(topology))
    assert outgrow("init", *at(tmp_path)).returncode == 0
    assert outgrow("sql", *at(tmp_path), "CREATE TABLE people (id int8 PRIMARY KEY, email text UNIQUE)").returncode == 0
    yield topology.domains[0]
    fleet_servers.drop(topology)


def test_verbs_and_exit_codes(domain: Domain, tmp_path: Path, outgrow: Outgrow, fleet_servers: Servers) -> None:
    here = at(tmp_path)
    said = outgrow("unique", "build", *here, "people", "email")
    assert said.returncode == 0
    assert "people_email_key (email) of people is unique in the whole domain" in said.stdout
    (shown,) = told(outgrow("unique", "show", *here, "--json"))["indexes"]
    assert (shown["number"], shown["name"], shown["columns"]) == (1, "people_email_key", ["email"])
    assert "people_email_key" in outgrow("unique", "show", *here).stdout
    said = outgrow("unique", "check", *here)
    assert (said.returncode, "0 rows, right" in said.stdout) == (0, True)

    assert outgrow("unique", "build", *here, "people", "nobody").returncode == 1
    assert outgrow("unique", "drop", *here, "99").returncode == 1
    for wrong in (("build", "people"), ("drop", "x"), ("drop",), ("nonsense",)):
        assert outgrow("unique", *wrong, *here).returncode == 2

    fleet_servers.sql(domain.home.primary, "INSERT INTO outgrow.unique_values VALUES (1, 'nobody', '{1}')")
    said = outgrow("unique", "check", *here)
    assert said.returncode == 1
    assert "WRONG" in said.stdout and "entries without a row, such as nobody" in said.stdout
    said = outgrow("unique", "check", *here, "--json")
    assert said.returncode == 1
    (compared,) = told(said)["indexes"]
    assert (compared["right"], compared["stale"], compared["gone"]) == (False, ["nobody"], [])

    for shard in domain.shards:
        fleet_servers.sql(shard.primary, "ALTER TABLE people RENAME email TO mail")
    said = outgrow("unique", "check", *here)
    assert said.returncode == 1
    assert "columns that the table has not, such as email" in said.stdout

    said = outgrow("unique", "drop", *here, "1", "--json")
    assert (said.returncode, told(said)["number"]) == (0, 1)
    assert told(outgrow("unique", "show", *here, "--json")) == {"indexes": []}
