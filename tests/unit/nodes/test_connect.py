"""Judging servers, addresses and failures without a server."""

from __future__ import annotations

import pytest

from outgrow import errors
from outgrow.nodes import LinkSettings
from outgrow.nodes.connect import _check_server, _name_to_resolve, _parameters, _refused
from outgrow.topology import Node, Role

NODE = Node("sales/s1/primary", "sales", "s1", Role.PRIMARY, "host=db1", "db1/shop")


class Greeting:
    """As much of a PGconn as the judgement needs."""

    def __init__(self, version=150004, encoding=b"UTF8"):
        self.server_version = version
        self.parameters = {b"server_version": b"14.9", b"client_encoding": encoding}

    def parameter_status(self, name):
        return self.parameters[name]


def test_servers_of_15_and_newer_are_accepted():
    _check_server(NODE, Greeting(150000))
    _check_server(NODE, Greeting(180001))


@pytest.mark.parametrize(
    ("greeting", "code", "words"),
    [(Greeting(140009), "OG-NODE-004", "14.9"), (Greeting(encoding=b"LATIN1"), "OG-NODE-005", "LATIN1")],
)
def test_other_servers_are_refused(greeting, code, words):
    with pytest.raises(errors.OperationalError) as caught:
        _check_server(NODE, greeting)
    assert caught.value.code == code and words in str(caught.value) and "db1/shop" in str(caught.value)


@pytest.mark.parametrize(
    ("said", "code"),
    [
        ('FATAL:  password authentication failed for user "app"', "OG-NODE-002"),
        ("fe_sendauth: no password supplied", "OG-NODE-002"),
        ('FATAL:  no pg_hba.conf entry for host "10.0.0.1"', "OG-NODE-002"),
        ('FATAL:  role "app" does not exist', "OG-NODE-002"),
        ('FATAL:  database "shop" does not exist', "OG-NODE-003"),
        ("FATAL:  the database system is starting up", "OG-NODE-008"),
        ("FATAL:  the database system is not yet accepting connections", "OG-NODE-008"),
        ("FATAL:  sorry, too many clients already", "OG-NODE-008"),
        ("FATAL:  remaining connection slots are reserved for superusers", "OG-NODE-008"),
        ('connection to server at "10.0.0.1", port 5432 failed: Connection refused', "OG-NODE-001"),
        ("something that nobody has heard of", "OG-NODE-001"),
    ],
)
def test_reasons_for_refusal(said, code):
    assert _refused(NODE, said).code == code


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ({"host": "db1.example"}, "db1.example"),
        ({"host": "10.0.0.1"}, None),
        ({"host": "::1"}, None),
        ({"host": "localhost"}, None),
        ({"host": "/run/postgresql"}, None),
        ({"host": "a,b"}, None),
        ({"host": "db1", "hostaddr": "10.0.0.1"}, None),
        ({}, None),
    ],
)
def test_only_a_single_host_name_is_resolved_here(address, name):
    assert _name_to_resolve(address) == name


def test_connections_speak_utf8_and_say_who_they_are():
    parameters = _parameters(NODE, LinkSettings(application_name="shop"))
    assert parameters["client_encoding"] == "UTF8" and parameters["application_name"] == "shop"
    named = Node("n", "d", "s", Role.PRIMARY, "host=db1 application_name=mine client_encoding=LATIN1")
    assert _parameters(named, LinkSettings())["application_name"] == "mine"
    assert _parameters(named, LinkSettings())["client_encoding"] == "UTF8"


@pytest.mark.parametrize(
    "dsn", ["password=hush hush=1", "host=a password=x hush", "postgresql://u:hu%sh@h/d", "postgresql://h/d?hush=1"]
)
def test_an_unreadable_address_shows_nothing_of_itself(dsn):
    node = Node("n", "d", "s", Role.PRIMARY, dsn)
    with pytest.raises(errors.ConfigurationError) as caught:
        _parameters(node, LinkSettings())
    assert caught.value.code == "OG-NODE-007"
    assert "hush" not in str(caught.value) and "hu%sh" not in str(caught.value)
