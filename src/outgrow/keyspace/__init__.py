"""Key → slot → shard, as the server itself would say.  Pure; `DESIGN.md` argues the choices."""

from outgrow.keyspace.hash import SLOTS_MAX, Hash, Key, check_slots
from outgrow.keyspace.kinds import KINDS, family
from outgrow.keyspace.place import Keyspace
from outgrow.keyspace.received import received
from outgrow.keyspace.stored import stored
from outgrow.keyspace.values import NoRow, Unknowable, coerce

__all__ = [
    "KINDS",
    "SLOTS_MAX",
    "Hash",
    "Key",
    "Keyspace",
    "NoRow",
    "Unknowable",
    "check_slots",
    "coerce",
    "family",
    "received",
    "stored",
]
