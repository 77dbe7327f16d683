"""Transfers over shards while everything is killed and paused: nothing is lost, halved, or left prepared."""

from __future__ import annotations

import contextlib
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import outgrow
from tests.integration.mariadb.accounts import SHARDS, TABLE, prepared, recovered

JOURNAL = "CREATE TABLE journal (account bigint, id bigint, PRIMARY KEY (account, id))"


@pytest.mark.long
def test_transfers_survive_kills_of_processes_and_servers(mariadb_servers, tmp_path, seed):
    chance = random.Random(seed)
    text = mariadb_servers.fresh(3, "{accounts: {shard_by: account}, journal: {shard_by: account}}")
    (tmp_path / "fleet.yaml").write_text(text)
    with mariadb_servers.open(text) as fleet, fleet.session() as session:
        for shard in SHARDS:
            session.execute(TABLE.replace(" CHECK (amount >= 0)", ""), shard=shard)
            session.execute(JOURNAL, shard=shard)
        for account in range(1, 41):
            session.execute("INSERT INTO accounts VALUES (%s, 100)", [account])
        crew = Crew(tmp_path, chance)
        with contextlib.closing(crew):
            for _ in range(4):
                crew.hire()
            for _ in range(30):
                time.sleep(chance.uniform(0.2, 1.5))
                crew.trouble(mariadb_servers.servers)
            time.sleep(1)
        # Whoever is left recovers: no branch may stay for longer than ten seconds.
        until = time.monotonic() + 10
        while prepared(mariadb_servers) and time.monotonic() < until:
            fleet.recover()
            time.sleep(0.2)
        assert prepared(mariadb_servers) == []
        recovered(fleet, mariadb_servers)
        check(fleet, session, crew.told())


class Crew:
    def __init__(self, folder: Path, chance: random.Random) -> None:
        self.folder, self.chance = folder, chance
        self.workers: list[subprocess.Popen[bytes]] = []
        self.hired = 0

    def hire(self) -> None:
        self.hired += 1
        command = [sys.executable, "-m", "tests.integration.mariadb.transfers", str(self.folder / "fleet.yaml")]
        journal = self.folder / f"journal{self.hired}"
        self.workers.append(subprocess.Popen([*command, str(journal), f"{self.hired}"]))

    def trouble(self, servers: list[outgrow.local.MariadbServer]) -> None:
        kind = self.chance.random()
        if kind < 0.5:
            worker = self.workers.pop(self.chance.randrange(len(self.workers)))
            worker.kill()
            worker.wait()
            self.hire()
        elif kind < 0.7:
            worker = self.chance.choice(self.workers)
            worker.send_signal(signal.SIGSTOP)
            time.sleep(self.chance.uniform(0.1, 4))
            worker.send_signal(signal.SIGCONT)
        else:
            server = self.chance.choice(servers)
            server.stop(at_once=True)
            time.sleep(self.chance.uniform(0, 1))
            server.start()

    def told(self) -> dict[int, str]:
        """What became of each transfer, as its process said."""
        ends: dict[int, str] = {}
        for file in self.folder.glob("journal*"):
            for line in file.read_text().splitlines():
                id, _, ended = line.partition(" ")
                ends[int(id)] = ended
        return ends

    def close(self) -> None:
        for worker in self.workers:
            worker.kill()
            worker.wait()


def check(fleet, session, told: dict[int, str]) -> None:
    assert session.execute("SELECT SUM(amount) AS s FROM accounts").fetchone() == (4000,)
    parts = dict(session.execute("SELECT id, COUNT(*) AS n FROM journal GROUP BY id").fetchall())
    assert set(parts.values()) <= {3}
    ends = {"committed": 0, "aborted": 0, "unknown": 0, "began": 0}
    for id, said in told.items():
        ended, _, name = said.partition(" ")
        ends[ended] += 1
        if ended == "unknown" and name != "None":
            ended = str(fleet.outcome(name))
        assert ended not in ("committed", "aborted") or (id in parts) == (ended == "committed"), (id, said)
    assert set(parts) <= set(told)
    print(ends)
    assert ends["committed"] > 100
