"""The replicas of MariaDB for `bench.ryw`: `python -m bench.ryw --engine mariadb`."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

from bench.mariadb_fleet import MariadbFleet, asked, connect, fleet
from bench.ryw import KEYS, Replicas

SETUP = (
    "CREATE TABLE counters (id BIGINT PRIMARY KEY, value BIGINT NOT NULL)",
    f"INSERT INTO counters SELECT id, 0 FROM (SELECT seq AS id FROM seq_1_to_{KEYS}) AS s WHERE {{here}}",
)


class MariadbReplicas:
    #: An UPDATE returns nothing here.
    write = "UPDATE counters SET value = value + 1 WHERE id = %s"

    def __init__(self, running: MariadbFleet) -> None:
        self.path = running.path
        self.running = running
        self.replicas = [replica for primary in running.primaries for replica in primary.replicas]
        self._lagging = threading.Event()

    def await_replicas(self) -> None:
        self.running.await_replicas()

    def delay(self, milliseconds: int) -> None:
        """The server knows whole seconds; less is made of replay that stops and starts."""
        if 0 < milliseconds < 1000:
            self._lagging.set()
            threading.Thread(target=self._stutter, args=(milliseconds / 1000,), daemon=True).start()
            return
        if self._lagging.is_set():
            self._lagging.clear()
            time.sleep(1.0)
        for replica in self.replicas:
            with contextlib.closing(connect(replica)) as connection:
                asked(connection, "STOP SLAVE")
                asked(connection, f"CHANGE MASTER TO MASTER_DELAY={milliseconds // 1000}")
                asked(connection, "START SLAVE")

    def _stutter(self, seconds: float) -> None:
        while self._lagging.is_set():
            for number in range(len(self.replicas)):
                with self.paused(number):
                    time.sleep(seconds)

    @contextlib.contextmanager
    def paused(self, number: int) -> Iterator[None]:
        with contextlib.closing(connect(self.replicas[number % len(self.replicas)])) as connection:
            asked(connection, "STOP SLAVE SQL_THREAD")
            try:
                yield
            finally:
                asked(connection, "START SLAVE SQL_THREAD")

    def place(self) -> dict[int, int]:
        place: dict[int, int] = {}
        for number, primary in enumerate(self.running.primaries):
            with contextlib.closing(connect(primary)) as connection:
                place |= {key: number for (key,) in asked(connection, "SELECT id FROM counters")}
        return place


@contextlib.contextmanager
def mariadb() -> Iterator[Replicas]:
    with fleet(2, 1, {"counters": {"shard_by": "id"}}) as running:
        running.everywhere(*SETUP)
        running.await_replicas()
        yield MariadbReplicas(running)
