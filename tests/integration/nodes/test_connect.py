"""Opening a link: what fails has its code and its cure, and shows no password."""

from __future__ import annotations

import socket

import pytest

from outgrow import errors
from outgrow.nodes import LinkSettings, drive, link_steps
from outgrow.topology import Node

from .conftest import node_of
from .server import free_port


def test_connection_failures_have_their_codes(server, node: Node):
    cases = [
        (server.dsn(user="guarded", password="wrong"), "OG-NODE-002"),
        (server.dsn(user="guarded"), "OG-NODE-002"),
        (server.dsn(user="stranger"), "OG-NODE-002"),
        (server.dsn(database="nowhere"), "OG-NODE-003"),
        (server.dsn(port=str(free_port())), "OG-NODE-001"),
        ("host=/nowhere/at/all dbname=x", "OG-NODE-001"),
        ("host=no-such-host.invalid dbname=x", "OG-NODE-009"),
        ("host=127.0.0.1 password=top secret", "OG-NODE-007"),
        ("postgresql://u:top%secret@127.0.0.1/x", "OG-NODE-007"),
    ]
    for dsn, code in cases:
        with pytest.raises(errors.DatabaseError) as caught:
            drive(link_steps(node_of(dsn), LinkSettings()))
        assert caught.value.code == code, dsn
        assert caught.value.cure
        assert "secret" not in str(caught.value)
        assert "wrong" not in str(caught.value).replace("is wrong", "")
    good = drive(link_steps(node_of(server.dsn(user="guarded", password="'open sesame'")), LinkSettings()))
    assert good.server_version >= 150000
    good.close()


def test_a_silent_host_meets_the_connect_time_limit():
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(1)
        dsn = f"host=127.0.0.1 port={silent.getsockname()[1]} dbname=x"
        with pytest.raises(errors.OperationalError) as caught:
            drive(link_steps(node_of(dsn), LinkSettings(connect_timeout_seconds=0.2)))
        assert caught.value.code == "OG-NODE-006"


def test_a_server_is_known_by_system_start_and_role(server, link, node: Node):
    own = drive(link.identity_steps())
    assert own.system > 0 and own.in_recovery is False
    stranger = drive(link_steps(node_of(server.dsn(user="guarded", password="'open sesame'")), LinkSettings()))
    assert drive(stranger.identity_steps()) == own
    stranger.close()
