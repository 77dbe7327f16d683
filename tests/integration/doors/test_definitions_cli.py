"""`outgrow schema`, `place` and `doctor` on a real fleet, in this process: each start of the program costs a second."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from outgrow.doors.cli.app import run
from outgrow.topology import Domain, Sharded, TableName, write
from tests.servers import Servers


@dataclass(frozen=True, slots=True)
class Said:
    returncode: int
    stdout: str
    stderr: str


Outgrow = Callable[..., Said]


@pytest.fixture
def outgrow(capsys: pytest.CaptureFixture[str]) -> Outgrow:
    """Runs one command line as the program does."""

    def said(*arguments: str) -> Said:
        code = run(arguments)
        return Said(code, *capsys.readouterr())

    return said


def told(said: Said) -> Any:
    return json.loads(said.stdout)


@pytest.fixture
def domain(fleet_servers: Servers, tmp_path: Path, outgrow: Outgrow) -> Iterator[Domain]:
    """Fresh databases with a ledger and one table; their fleet.yaml is `fleet.yaml` in `tmp_path`."""
    topology = fleet_servers.fresh({TableName("public", "orders"): Sharded(("customer_id",))})
    (tmp_path / "fleet.yaml").write_text(write(topology))
    assert outgrow("init", *at(tmp_path)).returncode == 0
    assert (
        outgrow("sql", *at(tmp_path), "CREATE TABLE orders (customer_id int8 PRIMARY KEY, note text)").returncode == 0
    )
    yield topology.domains[0]
    fleet_servers.drop(topology)


def at(tmp_path: Path) -> tuple[str, str]:
    return "--fleet", str(tmp_path / "fleet.yaml")


def test_place_says_where_a_table_lives(domain: Domain, tmp_path: Path, outgrow: Outgrow) -> None:
    create = "CREATE TABLE notes (id int8 PRIMARY KEY, slug text UNIQUE)"
    asked = outgrow("sql", *at(tmp_path), create)
    assert asked.returncode == 1
    assert asked.stderr.startswith("OG-RUN-056: ")
    assert "outgrow place notes --shard-by id" in asked.stderr
    assert outgrow("place", *at(tmp_path), "notes").stderr.startswith("OG-RUN-058: ")
    placed = outgrow("place", *at(tmp_path), "notes", "--shard-by", "id", "--json")
    assert told(placed) == {"table": "notes", "placement": {"shard_by": ["id"]}}
    made = outgrow("sql", *at(tmp_path), create)
    assert made.returncode == 0, made.stderr
    assert "notice: notes_slug_key (slug) is unique on each shard only" in made.stderr
    assert outgrow("place", *at(tmp_path), "settings", "--single", "s2").stdout == "settings: single s2\n"
    assert outgrow("place", *at(tmp_path), "countries", "--copy").stdout == "countries: copy everywhere\n"


def test_diff_shows_and_mends(fleet_servers: Servers, domain: Domain, tmp_path: Path, outgrow: Outgrow) -> None:
    same = outgrow("schema", "diff", *at(tmp_path))
    assert (same.returncode, same.stdout) == (0, "s1, s2: the same\n")
    home, second = (shard.primary for shard in domain.shards)
    fleet_servers.sql(home, "CREATE INDEX by_note ON orders (note)")
    fleet_servers.sql(second, "ALTER TABLE orders ADD COLUMN stray int")
    shown = outgrow("schema", "diff", *at(tmp_path))
    assert shown.returncode == 1
    assert "index public.by_note is missing on s2" in shown.stdout
    assert "CREATE INDEX CONCURRENTLY by_note ON public.orders USING btree (note);" in shown.stdout
    assert "only with --allow-drop" in shown.stdout
    assert outgrow("schema", "diff", *at(tmp_path), "--mend").returncode == 2
    mended = outgrow("schema", "diff", *at(tmp_path), "--mend", "--yes", "--json")
    assert mended.returncode == 1
    document = told(mended)
    assert [one["name"] for one in document["mended"]] == ["public.by_note"]
    assert [(one["name"], one["what"], one["drops"]) for one in document["differences"]] == [
        ("public.orders.stray", "extra", True)
    ]
    mended = outgrow("schema", "diff", *at(tmp_path), "--mend", "--yes", "--allow-drop", "--json")
    assert (mended.returncode, told(mended)["same"]) == (0, True)


def test_what_was_left_in_the_middle_is_resumed_or_abandoned(
    fleet_servers: Servers, domain: Domain, tmp_path: Path, outgrow: Outgrow
) -> None:
    second = domain.shards[1].primary
    for number, end in ((1, "resume"), (2, "abandon")):
        fleet_servers.sql(second, f"ALTER TABLE orders ADD COLUMN c{number} int")
        failed = outgrow("sql", *at(tmp_path), f"ALTER TABLE orders ADD COLUMN c{number} int8", "--json")
        assert told(failed)["error"]["code"] == "OG-RUN-032"
        left = outgrow("schema", "list", *at(tmp_path), "--json")
        (unfinished,) = told(left)["unfinished"]
        assert (left.returncode, unfinished["done"], unfinished["failed_shard"]) == (1, ["s1"], "s2")
        examined = outgrow("doctor", *at(tmp_path), "--json")
        assert examined.returncode == 1
        assert {finding["check"] for finding in told(examined)["findings"]} >= {"definitions", "schema"}
        if end == "resume":
            assert outgrow("schema", "resume", *at(tmp_path)).stderr.startswith("OG-RUN-032: ")
            fleet_servers.sql(second, f"ALTER TABLE orders DROP COLUMN c{number}")
            resumed = outgrow("schema", "resume", *at(tmp_path), "--json")
            assert [one["number"] for one in told(resumed)["finished"]] == [unfinished["number"]]
        else:
            given_up = outgrow("schema", "abandon", *at(tmp_path), str(unfinished["number"]), "--json")
            assert told(given_up)["state"] == "abandoned"
        assert outgrow("schema", "list", *at(tmp_path)).returncode == 0
    assert outgrow("schema", "resume", *at(tmp_path)).stdout == "nothing was left in the middle\n"


def test_doctor(fleet_servers: Servers, domain: Domain, tmp_path: Path, outgrow: Outgrow) -> None:
    with fleet_servers.flushing():
        healthy = outgrow("doctor", *at(tmp_path), "--json")
    assert (healthy.returncode, told(healthy)["healthy"]) == (0, True), healthy.stdout
    text = (tmp_path / "fleet.yaml").read_text().replace("slots: 1024", "slots: 512")
    (tmp_path / "fleet.yaml").write_text(text)
    assert outgrow("place", *at(tmp_path), "notes", "--copy").returncode == 0
    fleet_servers.sql(domain.home.primary, "CREATE INDEX by_note ON orders (note)")
    found = outgrow("doctor", *at(tmp_path), "--json")
    assert found.returncode == 1
    said = [
        (finding["check"], finding["what"].partition(":")[0])
        for finding in told(found)["findings"]
        if finding["check"] in ("ledger", "schema")
    ]
    assert said == [
        ("ledger", "OG-LEDGER-010"),
        ("ledger", "OG-LEDGER-012"),
        ("schema", "index public.by_note is missing on s2 (s1 is compared with)"),
    ]
    shown = outgrow("doctor", *at(tmp_path))
    assert "warning app: OG-LEDGER-010: slots: 512 in the file, 1024 in the ledger" in shown.stdout
    assert "cure: write `slots: 1024` in the file" in shown.stdout
