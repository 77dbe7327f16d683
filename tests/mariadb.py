"""What tests against MariaDB need: they are skipped, with the reason, where it is missing."""

from __future__ import annotations

import contextlib
import importlib.util
import itertools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

import outgrow
from outgrow import local
from outgrow.topology import parameters, parse


def missing() -> str:
    """Why there can be no tests against MariaDB here; "" where they can run."""
    if importlib.util.find_spec("pymysql") is None:
        return "PyMySQL is not installed (pip install 'outgrow[mariadb]')"
    return "" if local.installed_mariadb() else "no MariaDB server on this machine (apt-get install mariadb-server)"


def required() -> None:
    """Skip the test that asks."""
    if why := missing():
        pytest.skip(why)


@dataclass
class Servers:
    """Primaries that a whole test process shares, each with a fresh database for whoever asks."""

    servers: list[local.MariadbServer]
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def fresh(self, shards: int = 2, tables: str = "", slots: int = 64) -> str:
        """A fleet file over new databases, spread over the servers; `tables` is its `tables:` in YAML."""
        lines = ""
        for number in range(shards):
            server = self.servers[number % len(self.servers)]
            database = f"t{next(self.numbers)}"
            self.sql(number, f"CREATE DATABASE {database}", database="app")
            lines += f'      s{number + 1}: {{primary: "{server.dsn(database)}"}}\n'
        head = f"fleet: shop\ndomains:\n  sales:\n    engine: mariadb\n    slots: {slots}\n    shards:\n{lines}"
        return head + (f"    tables: {tables}\n" if tables else "") + "secret: {env: SECRET}\n"

    def open(self, text: str, **options: Any) -> outgrow.Fleet:
        """The fleet, its ledger installed."""
        return outgrow.open(parse(text, environment={"SECRET": "x" * 32}), install=True, **options)

    def sql(self, number: int, text: str, database: str = "app") -> list[Any]:
        """One statement on a server, past outgrow."""
        with contextlib.closing(self.link(number, database)) as link, link.cursor() as cursor:
            cursor.execute(text)
            return list(cursor.fetchall())

    def link(self, number: int, database: str = "app") -> Any:
        import pymysql

        place = parameters(self.servers[number % len(self.servers)].dsn(database))
        return pymysql.connect(
            host=place["host"],
            port=int(place["port"]),
            user="app",
            password=place["password"],
            database=database,
            autocommit=True,
        )


def databases_of(fleet: outgrow.Fleet) -> list[str]:
    """The shards' databases, in order."""
    return [parameters(shard.primary.dsn)["dbname"] for shard in fleet.topology.domains[0].shards]
