"""`outgrow init`, `sql`, `explain`, `load` and the shell, as programs on a real fleet."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from outgrow.topology import Copied, Sharded, TableName, write
from tests.acceptance.program import outgrow
from tests.acceptance.terminal import talk
from tests.acceptance.test_cli import told
from tests.servers import Servers

TABLES = {TableName("public", "orders"): Sharded(("customer_id",)), TableName("public", "countries"): Copied()}


@pytest.fixture(scope="module")
def fleet(fleet_servers: Servers, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The `--fleet` file of fresh databases with a ledger and two tables."""
    topology = fleet_servers.fresh(dict(TABLES))
    path = tmp_path_factory.mktemp("cli") / "fleet.yaml"
    path.write_text(write(topology))
    run = outgrow("init", "--fleet", str(path), "--json")
    assert (run.returncode, told(run)) == (0, {"domains": {"app": ["s1", "s2"]}}), run.stderr
    script = """
        CREATE TABLE orders (customer_id int8, note text, total numeric(10,2));
        CREATE TABLE countries (code text PRIMARY KEY, name text); -- two; statements
        """
    run = outgrow("sql", "--fleet", str(path), stdin=script)
    assert run.returncode == 0, run.stderr
    yield str(path)
    fleet_servers.drop(topology)


def sql(fleet: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return outgrow("sql", "--fleet", fleet, *arguments)


def test_write_and_read(fleet: str) -> None:
    for customer in (1, 2, 42):
        insert = "INSERT INTO orders VALUES (%s, %s, %s)"
        run = sql(fleet, insert, "-p", str(customer), "-p", "a;b", "-p", '"9.50"', "--json")
        assert (run.returncode, told(run)["rowcount"]) == (0, 1), run.stderr
    query = "SELECT customer_id, note, total FROM orders WHERE customer_id <= %s ORDER BY customer_id LIMIT 2"
    answer = told(sql(fleet, query, "-p", "7", "--json", "--level", "strong"))
    assert answer["rows"] == [[1, "a;b", "9.50"], [2, "a;b", "9.50"]]
    assert [column["type"] for column in answer["columns"]] == ["int8", "text", "numeric"]
    assert len(answer["nodes"]) == 2
    said = sql(fleet, query, "-p", "7", "--csv", "--level", "strong").stdout
    assert said == "customer_id,note,total\n1,a;b,9.50\n2,a;b,9.50\n"
    shown = sql(fleet, query, "-p", "7", "--level", "strong").stdout
    assert "(2 rows, " in shown


def test_on_one_shard(fleet: str) -> None:
    answer = told(sql(fleet, "SELECT count(*) FROM orders", "--shard", "s2", "--json", "--level", "strong"))
    assert answer["nodes"] == ["app/s2/primary"]
    assert sql(fleet, "SELECT 1", "--shard", "s9").returncode == 1


def test_explain(fleet: str) -> None:
    query = "SELECT * FROM orders WHERE customer_id = 42"
    facts = told(outgrow("explain", "--fleet", fleet, query, "--json"))
    assert len(facts["shards"]["shards"]) == 1
    shown = outgrow("explain", "--fleet", fleet, query)
    assert facts["shards"]["shards"][0] in shown.stdout


def test_explain_analyze(fleet: str) -> None:
    query = "SELECT note, count(*) FROM orders GROUP BY note"
    facts = told(outgrow("explain", "--fleet", fleet, query, "--analyze", "--json"))["analyzed"]
    assert len(facts["parts"]) == 2 and facts["finish"]["by"] == "stream"
    shown = outgrow("explain", "--fleet", fleet, query, "--analyze")
    assert "1. fragment of app/s1/" in shown.stdout and "finished by stream" in shown.stdout
    refused = outgrow("explain", "--fleet", fleet, "DELETE FROM orders", "--analyze")
    assert refused.returncode == 1 and "OG-RUN-170" in refused.stderr


def test_errors_are_lines(fleet: str) -> None:
    for statement, word in (
        ("SELEC 1", "OG-"),
        ("SELECT * FROM nowhere", "OG-"),
        ("SELECT %s", "OG-"),
        ("SELECT random() FROM orders", "OG-PLAN-"),
    ):
        run = sql(fleet, statement)
        assert run.returncode == 1, statement
        assert run.stderr.startswith(word), run.stderr
        assert "Traceback" not in run.stderr
        assert told(sql(fleet, statement, "--json"))["error"]["code"].startswith(word)


def test_load(fleet: str, tmp_path: Path) -> None:
    path = tmp_path / "orders.csv"
    path.write_text(
        "customer_id;total;note\n" + "".join(f'{n};{n}.5;"x;\n{n}"\n' for n in range(100, 200)) + "NA;1;NA\n"
    )
    run = outgrow(
        "load", "--fleet", fleet, str(path), "orders", "--delimiter", ";", "--null", "NA", "--append", "--json"
    )
    assert run.returncode == 0, run.stderr
    loaded = told(run)
    assert loaded["rows"] == sum(loaded["rows_by_shard"].values()) == 101
    assert set(loaded["rows_by_shard"]) == {"s1", "s2"}
    count = "SELECT count(*), sum(total), count(note) FROM orders WHERE customer_id >= 100 OR customer_id IS NULL"
    assert told(sql(fleet, count, "--json", "--level", "strong"))["rows"] == [[101, "15001.00", 100]]

    again = outgrow("load", "--fleet", fleet, str(path), "orders", "--delimiter", ";", "--null", "NA")
    assert (again.returncode, again.stdout) == (1, "")
    assert again.stderr.startswith("OG-LOAD-008: ")
    assert "--append" in again.stderr and "--truncate," in again.stderr

    piped = outgrow("load", "--fleet", fleet, "-", "countries", stdin="code,name\nNL,Netherlands\nFR,France\n")
    assert piped.returncode == 0, piped.stderr
    assert "2 rows into countries" in piped.stdout
    missing = outgrow("load", "--fleet", fleet, str(tmp_path / "none.csv"), "orders")
    assert missing.stderr.startswith("OG-RUN-045: ")


def test_unload_and_load_again(fleet: str, tmp_path: Path) -> None:
    for kind in ("csv", "text", "binary"):
        path = tmp_path / f"orders.{kind}"
        run = outgrow("unload", "--fleet", fleet, "orders", str(path), "--format", kind, "--level", "strong", "--json")
        assert run.returncode == 0, run.stderr
        rows = told(run)["rows"]
        assert told(run)["size_bytes"] == path.stat().st_size and rows > 0
        assert list(tmp_path.iterdir()) == [path]
        back = outgrow("load", "--fleet", fleet, str(path), "orders", "--format", kind, "--truncate", "--json")
        assert back.returncode == 0, back.stderr
        assert told(back)["rows"] == rows
        path.unlink()
    # Without a file the rows have standard output, and the summary does not come between them.
    query = "SELECT customer_id, total FROM orders WHERE customer_id = 1 -- only these"
    piped = outgrow("unload", "--fleet", fleet, query, "--level", "strong", "--json")
    assert piped.stdout.splitlines()[0] == "customer_id,total"
    assert json.loads(piped.stderr)["rows"] == len(piped.stdout.splitlines()) - 1
    path = tmp_path / "kept.csv"
    path.write_text("as it was")
    for what, code in (("nowhere", "OG-RUN-042"), ("SELECT * FROM orders ORDER BY total", "OG-COPY-017")):
        run = outgrow("unload", "--fleet", fleet, what, str(path))
        assert run.returncode == 1 and run.stderr.startswith(code)
        assert path.read_text() == "as it was" and list(tmp_path.iterdir()) == [path]
    missing = outgrow("unload", "--fleet", fleet, "orders", str(tmp_path / "no" / "where"))
    assert missing.stderr.startswith("OG-RUN-046: ")


def test_the_shell(fleet: str, tmp_path: Path) -> None:
    """On a terminal: statements over lines, commands, an error, and the way out."""
    history = tmp_path / "history"
    lines = [
        (b"SELECT 6 *\r7 AS answer;\r", b"42"),
        (b"\\tables\r", b"sharded by customer_id"),
        (b"SELEC;\r", b"cure:"),
        (b"SELECT 'still here' AS x;\r", b"(1 row"),
    ]
    talk(["--fleet", fleet, "--level", "strong"], history, lines)
    assert history.stat().st_mode & 0o777 == 0o600
    assert "+7 AS answer;" in history.read_text()


def test_json_is_one_line_a_statement(fleet: str) -> None:
    run = outgrow("sql", "--fleet", fleet, "--json", stdin="SELECT 1; SELECT ';' AS x")
    assert [json.loads(line)["rows"] for line in run.stdout.splitlines()] == [[[1]], [[";"]]]
