"""The outbox: messages that are written with what a transaction does, and delivered when it is committed.

What a message is, what becomes of those that were given to a target, and when they are tried again.
"""

from outgrow.transactions.outbox.batch import Batch, Block, Settlement, chains, none_of, settled
from outgrow.transactions.outbox.carrying import carried, received
from outgrow.transactions.outbox.floor import Floor
from outgrow.transactions.outbox.model import (
    Message,
    MessageKey,
    checked_headers,
    checked_topic,
    encoded,
    read_key,
    stored_key,
)
from outgrow.transactions.outbox.pace import IN_A_ROW, Pace, key_wait
from outgrow.transactions.outbox.port import UNTRIED, Refused, Target, Unavailable, Untried, Verdict, wrong_answer
from outgrow.transactions.outbox.storing import (
    DUE_KEYS,
    Emitted,
    due_of,
    emitting,
    looking,
    messages_of,
    reading,
    reading_due,
    retrying,
    settling,
    waking,
)

__all__ = [
    "DUE_KEYS",
    "IN_A_ROW",
    "UNTRIED",
    "Batch",
    "Block",
    "Emitted",
    "Floor",
    "Message",
    "MessageKey",
    "Pace",
    "Refused",
    "Settlement",
    "Target",
    "Unavailable",
    "Untried",
    "Verdict",
    "carried",
    "chains",
    "checked_headers",
    "checked_topic",
    "due_of",
    "emitting",
    "encoded",
    "key_wait",
    "looking",
    "messages_of",
    "none_of",
    "read_key",
    "reading",
    "reading_due",
    "received",
    "retrying",
    "settled",
    "settling",
    "stored_key",
    "waking",
    "wrong_answer",
]
