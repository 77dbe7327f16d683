"""Key → slot → shard, as the server itself would say.  Pure; `DESIGN.md` argues the choices."""

from outgrow.keyspace.bounds import bounds, bounds_of
from outgrow.keyspace.directory import Book, Directory, Entry, Known, Lookup, Page, assigned, key_text, key_value
from outgrow.keyspace.hash import SLOTS_MAX, Hash, Key, check_slots
from outgrow.keyspace.kinds import KINDS, family
from outgrow.keyspace.place import Keyspace, Strategy, first_map
from outgrow.keyspace.range import Range
from outgrow.keyspace.received import received
from outgrow.keyspace.ring import VIRTUAL_NODES, grown, ring_owners
from outgrow.keyspace.stored import carried, stored
from outgrow.keyspace.values import NoRow, Unknowable, coerce

__all__ = [
    "KINDS",
    "SLOTS_MAX",
    "VIRTUAL_NODES",
    "Book",
    "Directory",
    "Entry",
    "Hash",
    "Key",
    "Keyspace",
    "Known",
    "Lookup",
    "NoRow",
    "Page",
    "Range",
    "Strategy",
    "Unknowable",
    "assigned",
    "bounds",
    "bounds_of",
    "carried",
    "check_slots",
    "coerce",
    "family",
    "first_map",
    "grown",
    "key_text",
    "key_value",
    "received",
    "ring_owners",
    "stored",
]
