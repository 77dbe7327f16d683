"""Processes that move money between shards until they are killed, and say of each transfer how it ended.

python -m tests.integration.mariadb.transfers FLEET_FILE JOURNAL SEED
"""

from __future__ import annotations

import os
import random
import sys
import time
from pathlib import Path

import outgrow
from outgrow.topology import parse

ACCOUNTS = 40
UPDATE = "UPDATE accounts SET amount = amount + %s WHERE account = %s"


def transfer(session: outgrow.Session, chance: random.Random, id: int) -> str:
    """How it ended: committed, aborted, or the transaction whose outcome is to be asked."""
    accounts = chance.sample(range(1, ACCOUNTS + 1), 3)
    try:
        with session.transaction():
            for account, amount in zip(accounts, (-2, 1, 1), strict=True):
                session.execute(UPDATE, [amount, account])
                session.execute("INSERT INTO journal VALUES (%s, %s)", [account, id])
    except outgrow.Error as error:
        if error.code in ("OG-TX-005", "OG-RUN-021"):
            return f"unknown {session.last_transaction}"
        return "aborted"
    return "committed"


def main(file: str, journal: str, seed: str) -> None:
    topology = parse(Path(file).read_text(), environment={"SECRET": "x" * 32})
    chance = random.Random(seed)
    with Path(journal).open("a") as told:
        while True:
            try:
                with outgrow.open(topology) as fleet:
                    while True:
                        with fleet.session() as session:
                            id = chance.getrandbits(60)
                            told.write(f"{id} began\n")
                            told.flush()
                            ended = transfer(session, chance, id)
                            told.write(f"{id} {ended}\n")
                            told.flush()
            except outgrow.Error:
                # A server is down: the fleet cannot be opened now.
                time.sleep(0.1)


if __name__ == "__main__":
    os.environ.setdefault("PYTHONDONTWRITEBYTECODE", "1")
    main(*sys.argv[1:4])
