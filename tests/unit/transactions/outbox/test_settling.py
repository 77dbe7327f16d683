"""What becomes of a batch, and when what failed is tried again."""

from __future__ import annotations

import uuid

from hypothesis import given
from hypothesis import strategies as st

from outgrow.transactions.outbox import (
    UNTRIED,
    Batch,
    Message,
    Pace,
    Refused,
    Verdict,
    chains,
    key_wait,
    settled,
    settling,
    wrong_answer,
)
from outgrow.transactions.outbox.pace import IN_A_ROW, KEY_LONGEST, TARGET_LONGEST


def message(number: int, key: int | None = 1, attempts: int = 0) -> Message:
    return Message(uuid.UUID(int=number), "t", key, "json", b"1", number=number, attempts=attempts)


def test_a_refused_message_blocks_its_key() -> None:
    batch = Batch((message(1), message(2, 2), message(3), message(4, 2)))
    done = settled(batch, [Refused("no"), None, UNTRIED, None])
    assert done.delivered == (2, 4) and [(b.lane, b.number, b.attempts, b.error) for b in done.blocked] == [
        (("integer", "1"), 1, 1, "no")
    ]
    # The third waits with its key: nothing is left that a read would have to show again.
    assert done.complete and done.freed == ()


def test_what_was_not_tried_is_left() -> None:
    done = settled(Batch((message(1), message(2, 2))), [None, UNTRIED])
    assert done.delivered == (1,) and not done.complete and done.blocked == ()


def test_a_key_is_freed_when_all_of_it_is_delivered() -> None:
    one, other = ("integer", "1"), ("integer", "2")
    messages = (message(1, attempts=3), message(2), message(3, 2, attempts=1))
    assert settled(Batch(messages, {one: True, other: True}), [None, None, None]).freed == ((one, 2), (other, 3))
    assert settled(Batch(messages, {one: False, other: True}), [None, None, None]).freed == ((other, 3),)
    done = settled(Batch(messages, {one: True, other: True}), [None, Refused("x"), Refused("y")])
    assert done.freed == () and [block.attempts for block in done.blocked] == [1, 2]
    # Dropped by hand, or migrated.
    assert settled(Batch((), {one: True}), []).freed == ((one, 0),)


@given(st.lists(st.tuples(st.integers(1, 4), st.sampled_from(["ok", "no", "not tried"])), max_size=30))
def test_each_message_is_deleted_or_waits(told: list[tuple[int, str]]) -> None:
    messages = tuple(message(number, key) for number, (key, _) in enumerate(told, 1))
    verdicts: list[Verdict] = [None if what == "ok" else Refused("x") if what == "no" else UNTRIED for _, what in told]
    done = settled(Batch(messages), verdicts)
    assert set(done.delivered) == {m.number for m, verdict in zip(messages, verdicts, strict=True) if verdict is None}
    blocked = {block.lane: block.number for block in done.blocked}
    left = [m for m in messages if m.number not in done.delivered]
    if done.complete:
        assert all(m.lane in blocked for m in left)
    for lane, number in blocked.items():
        # Nothing of the key was left before it.
        assert min(m.number for m in left if m.lane == lane) <= number


def test_messages_without_a_key_stand_alone() -> None:
    assert chains([message(1, None), message(2, None), message(3, 5), message(4, 5)]) == [[0], [1], [2, 3]]


def test_a_key_waits_longer_and_longer() -> None:
    waits = [key_wait(attempts, 0.5) for attempts in (1, 2, 3, 20, 10**6)]
    assert waits == [1.0, 2.0, 4.0, KEY_LONGEST, KEY_LONGEST]
    assert key_wait(1, 0.0) < 1.0 < key_wait(1, 1.0)


def test_a_target_is_given_up_after_so_many_in_a_row_and_probed() -> None:
    pace = Pace(lambda: 0.5)
    for _ in range(IN_A_ROW - 1):
        pace.refused(1, 10.0)
    assert pace.paused_until is None and not pace.probing
    # One that failed before says nothing new.
    pace.refused(0, 10.0)
    assert not pace.probing
    pace.refused(1, 10.0)
    assert pace.paused_until == 10.5 and pace.probing
    for _ in range(20):
        pace.refused(0, 20.0)
    assert pace.paused_until == 20.0 + TARGET_LONGEST
    assert pace.delivered() and not pace.delivered()
    assert pace.paused_until is None and not pace.probing


def test_one_delivery_in_between_is_enough() -> None:
    pace = Pace(lambda: 0.5)
    for _ in range(20):
        pace.refused(IN_A_ROW - 1, 0.0)
        pace.delivered()
    assert not pace.probing


def test_what_an_exception_says_can_be_stored() -> None:
    """Whatever it is: the whole batch would come again for ever."""
    done = settled(Batch((message(1),)), [Refused("bad \udc80 name\0 \u00fc")])
    ((_, params),) = settling("t", done, lambda: 0.5)
    assert params[5] == ["bad ? name \u00fc"] and params[5][0].encode()


def test_answers_that_are_none() -> None:
    assert wrong_answer([None, Refused("no"), UNTRIED], 3) is None and wrong_answer((), 0) is None
    assert "NoneType" in str(wrong_answer(None, 2)) and "str" in str(wrong_answer("ab", 2))
    assert "1 of 2" in str(wrong_answer([None], 2)) and "True" in str(wrong_answer([True, None], 2))
