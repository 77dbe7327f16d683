"""docs/doctor.md names every check, and what is not examined on MariaDB, as the lists of checks have them."""

from __future__ import annotations

import re
from pathlib import Path

from outgrow.runtime.doctor import CHECKS

PAGE = (Path(__file__).parents[3] / "docs" / "doctor.md").read_text(encoding="utf-8")
POSTGRESQL, MARIADB = ({check.name for check in CHECKS[engine]} for engine in ("postgresql", "mariadb"))


def rows(text: str) -> set[str]:
    return set(re.findall(r"^\| `([^`]+)` \|", text, re.M))


def test_every_check_has_its_row() -> None:
    first, second = PAGE.split("## MariaDB")
    # The two of them are no checks of a domain: it cannot be opened, and what could not be made.
    assert rows(first) - {"opening", "not made"} == POSTGRESQL
    assert rows(first) | rows(second) >= MARIADB >= rows(second)


def test_what_is_not_examined_on_mariadb() -> None:
    said = re.search(r"Not examined on MariaDB: ([^.]*)\.", PAGE)
    assert said is not None
    assert set(re.findall(r"`([^`]+)`", said[1])) == POSTGRESQL - MARIADB
