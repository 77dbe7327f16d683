"""What tests against MariaDB need: they are skipped, with the reason, where it is missing."""

from __future__ import annotations

import importlib.util

import pytest

from outgrow import local


def missing() -> str:
    """Why there can be no tests against MariaDB here; "" where they can run."""
    if importlib.util.find_spec("pymysql") is None:
        return "PyMySQL is not installed (pip install 'outgrow[mariadb]')"
    return "" if local.installed_mariadb() else "no MariaDB server on this machine (apt-get install mariadb-server)"


def required() -> None:
    """Skip the test that asks."""
    if why := missing():
        pytest.skip(why)
