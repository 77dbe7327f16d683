"""The question where a new table's rows shall live, on a terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import outgrow
from outgrow.topology import write
from tests.acceptance.test_statements import _until
from tests.servers import Servers


def test_on_a_terminal_the_placement_is_asked_for(fleet_servers: Servers, tmp_path: Path) -> None:
    topology = fleet_servers.fresh()
    outgrow.open(topology, install=True).close()
    (tmp_path / "fleet.yaml").write_text(write(topology))
    master, slave = pty.openpty()
    environment = {**os.environ, "OUTGROW_HISTORY": str(tmp_path / "history"), "TERM": "xterm"}
    environment["PROMPT_TOOLKIT_NO_CPR"] = "1"
    program = [str(Path(sys.executable).parent / "outgrow"), "sql", "--fleet", str(tmp_path / "fleet.yaml")]
    with subprocess.Popen(program, stdin=slave, stdout=slave, stderr=slave, env=environment, cwd="/") as shell:
        os.close(slave)
        said = _until(master, b"\\? for help")
        for line, answer in (
            (b"CREATE TABLE notes (id int8 PRIMARY KEY);\r", b"(perhaps id"),
            (b"id\r", b"CREATE TABLE"),
            (b"CREATE TABLE copies (id int8);\r", b"leave it"),
            (b"\r", b"OG-RUN-056"),
            (b"INSERT INTO notes VALUES (1);\r", b"INSERT"),
        ):
            os.write(master, line)
            said += _until(master, answer)
        os.write(master, b"\\q\r")
        _until(master, None)
        assert shell.wait(20) == 0, said.decode(errors="replace")
    os.close(master)
    fleet_servers.drop(topology)
