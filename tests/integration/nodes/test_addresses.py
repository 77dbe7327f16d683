"""Addresses of several hosts, and encrypted connections whose server is checked."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from outgrow import errors
from outgrow.nodes import LinkSettings, drive, link_steps
from tests.integration.nodes.conftest import node_of
from tests.integration.nodes.server import UNPRIVILEGED, Server, free_port

TLS = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()"


@pytest.mark.parametrize(
    "dsn",
    [
        "host=127.0.0.1,127.0.0.1 port={free},{port} user=postgres dbname=postgres",
        "postgresql://postgres@127.0.0.1:{free},localhost:{port}/postgres",
        "host=127.0.0.1,127.0.0.1 port={port},{free} user=postgres dbname=postgres",
    ],
)
def test_the_first_host_that_answers_is_taken(server: Server, dsn: str) -> None:
    link = drive(link_steps(node_of(dsn.format(free=free_port(), port=server.port)), LinkSettings()))
    assert drive(link.run_steps("SELECT 1")).rows == [(1,)]
    link.close()


def test_no_host_answers(server: Server) -> None:
    dsn = f"host=127.0.0.1,127.0.0.1 port={free_port()},{free_port()} user=postgres dbname=postgres"
    with pytest.raises(errors.NodeLost) as caught:
        drive(link_steps(node_of(dsn), LinkSettings()))
    assert caught.value.code == "OG-NODE-001"


def openssl(folder: Path, *arguments: str) -> None:
    subprocess.run(["openssl", *arguments], check=True, capture_output=True, cwd=folder)


def certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A self-signed one for `localhost`: it is its own authority."""
    openssl(
        folder,
        *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"),
        *("-keyout", f"{name}.key", "-out", f"{name}.crt", "-subj", "/CN=localhost"),
        *("-addext", "subjectAltName=DNS:localhost"),
    )
    return folder / f"{name}.key", folder / f"{name}.crt"


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path, Path]]:
    """A server with a certificate, that certificate, and another one that it does not have."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    folder = tmp_path_factory.mktemp("certificates")
    own = Server()
    try:
        key, cert = certificate(folder, "server")
        for path in (key, cert):
            there = own.data / path.name
            shutil.copy(path, there)
            there.chmod(0o600)
            if os.getuid() == 0:
                os.chown(there, UNPRIVILEGED, UNPRIVILEGED)
        with psycopg.connect(own.dsn(), autocommit=True) as connection:
            try:
                connection.execute("ALTER SYSTEM SET ssl = on")
            except psycopg.Error as error:
                pytest.skip(f"these servers have no TLS: {error}")
            connection.execute("SELECT pg_reload_conf()")
        yield own, cert, certificate(folder, "other")[1]
    finally:
        own.remove()


def test_the_server_is_checked_by_its_certificate_and_its_name(encrypted: tuple[Server, Path, Path]) -> None:
    own, cert, other = encrypted
    address = f"hostaddr=127.0.0.1 port={own.port} user=postgres dbname=postgres sslmode=verify-full"
    link = drive(link_steps(node_of(f"host=localhost {address} sslrootcert={cert}"), LinkSettings()))
    assert drive(link.run_steps(TLS)).rows == [(True,)]
    link.close()
    for wrong in (f"host=localhost {address} sslrootcert={other}", f"host=elsewhere {address} sslrootcert={cert}"):
        with pytest.raises(errors.OperationalError) as caught:
            drive(link_steps(node_of(wrong), LinkSettings()))
        # No other server would mend it, so it is not "lost".
        assert caught.value.code == "OG-NODE-028" and not isinstance(caught.value, errors.NodeLost)
        assert "certificate" in caught.value.message


def test_a_server_without_encryption_is_refused_where_it_was_asked_for(server: Server) -> None:
    with pytest.raises(errors.OperationalError) as caught:
        drive(link_steps(node_of(f"{server.dsn()} sslmode=require"), LinkSettings()))
    assert caught.value.code == "OG-NODE-028"
