"""Leaving a MariaDB replica, where the server refuses to say how far its binary log goes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from outgrow.errors import OperationalError
from outgrow.nodes import drive
from outgrow.runtime import leaving


def test_a_user_who_may_not_ask_is_told_what_to_grant() -> None:
    def run_steps(*_: Any, **__: Any) -> Any:
        raise OperationalError("OG-NODE-001", "access denied", cure="", sqlstate="42501")
        yield

    link: Any = SimpleNamespace(run_steps=run_steps, node=SimpleNamespace(name="app/s1/primary"))
    with pytest.raises(OperationalError, match="binary log") as caught:
        drive(leaving._written_steps(link, "SHOW MASTER STATUS", None))
    assert caught.value.code == "OG-RUN-016" and "BINLOG MONITOR" in str(caught.value.cure)


def test_places_are_in_the_order_of_writing() -> None:
    places = [("binlog.000009", 9), ("binlog.000010", 4), ("binlog.999999", 5), ("binlog.1000000", 4)]
    assert sorted(places, key=lambda place: leaving._place(*place)) == places
