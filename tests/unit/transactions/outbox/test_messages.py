"""What can be a message, and how it travels."""

from __future__ import annotations

import datetime
import enum
import uuid
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgrow.errors import DataError
from outgrow.keyspace import KINDS, key_text
from outgrow.transactions.outbox import (
    Message,
    carried,
    checked_headers,
    checked_topic,
    encoded,
    read_key,
    received,
    stored_key,
)

KEYS = st.one_of(
    st.integers(-(2**63), 2**63 - 1),
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=60),
    st.uuids(),
)
VALUES = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), st.text())
NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,8}", fullmatch=True)
JSON = st.recursive(VALUES, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=10)


@given(KEYS)
def test_keys_are_stored_as_keyspace_says_them(key: Any) -> None:
    family, text = stored_key(key)
    assert read_key(family, text) == key
    type_ = {"integer": "int8", "text": "text", "uuid": "uuid"}[family]
    assert (KINDS[type_].family, key_text(family, key)) == (family, text)


@given(JSON)
def test_payloads_come_back(payload: Any) -> None:
    try:
        form, body = encoded(payload)
    except DataError as error:
        # Text that no server could store either.
        assert error.code == "OG-TX-082"
        return
    found = Message(uuid.uuid4(), "t", None, form, body).payload
    assert found == payload and type(found) is type(payload)


@given(
    KEYS | st.none(),
    st.binary(),
    st.dictionaries(st.from_regex(r"[A-Za-z][A-Za-z0-9_-]{0,8}", fullmatch=True), st.text()),
)
def test_what_is_carried_is_received(key: Any, body: bytes, headers: dict[str, str]) -> None:
    try:
        checked_headers(headers)
    except DataError:
        return
    at = datetime.datetime(2026, 1, 2, 3, 4, 5, 6, datetime.UTC)
    message = Message(uuid.uuid4(), "orders", key, "bytes", body, headers, "s1", 7, at)
    said = carried(message)
    assert received(said, body) == message
    # Whatever a broker makes of the names.
    assert (
        received({name.title() if name.startswith("outgrow-") else name: said[name] for name in said}, body) == message
    )
    assert all("\n" not in value and "\0" not in value for value in said.values())


def test_a_message_of_somebody_else_is_told() -> None:
    for headers in ({}, {"outgrow-id": "x", "outgrow-topic": "t", "outgrow-form": "json"}):
        with pytest.raises(DataError) as caught:
            received(headers, b"")
        assert caught.value.code == "OG-TX-084"


@pytest.mark.parametrize("topic", ["", "a\nb", "x" * 201, None, 7, "\udc80"])
def test_topics(topic: Any) -> None:
    assert checked_topic("orders.paid") == "orders.paid"
    with pytest.raises(DataError):
        checked_topic(topic)


@pytest.mark.parametrize("name", ["Nats-Msg-Id", "nats-rollup", "NATS-x", "body", "Body", "outgrow-id", "a b", ""])
def test_names_of_headers_that_are_taken(name: str) -> None:
    checked_headers({"Trace-Id": "1", "Nats": "1", "body-length": "1"})
    with pytest.raises(DataError) as caught:
        checked_headers({name: "1"})
    assert caught.value.code == "OG-TX-083"


def test_an_enumeration_of_texts_is_its_text() -> None:
    class Kind(str, enum.Enum):  # noqa: UP042
        PAID = "paid"

    assert stored_key(Kind.PAID) == ("text", "paid") == ("text", key_text("text", "paid"))
