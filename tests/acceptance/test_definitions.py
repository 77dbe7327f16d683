"""The question where a new table's rows shall live, on a terminal."""

from __future__ import annotations

from pathlib import Path

import outgrow
from outgrow.topology import write
from tests.acceptance.terminal import talk
from tests.servers import Servers


def test_on_a_terminal_the_placement_is_asked_for(fleet_servers: Servers, tmp_path: Path) -> None:
    topology = fleet_servers.fresh()
    outgrow.open(topology, install=True).close()
    (tmp_path / "fleet.yaml").write_text(write(topology))
    lines = [
        (b"CREATE TABLE notes (id int8 PRIMARY KEY);\r", b"(perhaps id"),
        (b"id\r", b"CREATE TABLE"),
        (b"CREATE TABLE copies (id int8);\r", b"leave it"),
        (b"\r", b"OG-RUN-056"),
        (b"INSERT INTO notes VALUES (1);\r", b"INSERT"),
    ]
    talk(["--fleet", str(tmp_path / "fleet.yaml")], tmp_path / "history", lines)
    fleet_servers.drop(topology)
