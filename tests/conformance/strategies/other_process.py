"""Run as a script: the first map, and the shard of each key on standard input, by a topology in the file named."""

from __future__ import annotations

import json
import sys

from outgrow.keyspace import Keyspace, coerce, first_map
from outgrow.topology import read

domain = read(sys.argv[1]).domains[0]
first = first_map(domain)
placed = Keyspace(domain.slots, first, domain.engine)
asked = json.load(sys.stdin)
shards = [placed.shard((type,), (coerce(type, value),)) for type, value in asked]
json.dump([list(first.owners), shards], sys.stdout)
