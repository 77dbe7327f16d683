"""Two MariaDB servers for all tests of this folder; each test or module takes fresh databases of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from outgrow import local
from tests import mariadb


@pytest.fixture(scope="session")
def mariadb_servers() -> Iterator[mariadb.Servers]:
    mariadb.required()
    with local.temporary_mariadb(2) as servers:
        yield mariadb.Servers(servers)
