"""Run as a script: the first map, and the shard of each key on standard input, by a topology in the file named.

Standard input also has the ledger's directory, which is what processes have in common where keys stand in one.
"""

from __future__ import annotations

import json
import sys

from outgrow.keyspace import Keyspace, coerce, first_map
from outgrow.topology import read
from tests.conformance.strategies.worlds import shard_of

domain = read(sys.argv[1]).domains[0]
first = first_map(domain)
placed = Keyspace(domain.slots, first, domain.engine)
asked, entries = json.load(sys.stdin)
ledger = {(family, text): slot for family, text, slot in entries}
shards = [shard_of(placed, ledger, (type,), (coerce(type, value),)) for type, value in asked]
json.dump([list(first.owners), shards], sys.stdout)
