"""The fleet as values: domains, shards, nodes, placements.  No SQL, no sockets."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field


class Role(enum.StrEnum):
    PRIMARY = "primary"
    REPLICA = "replica"


@dataclass(frozen=True, slots=True)
class Node:
    """One server process.  `name` is unique in the fleet, as in `sales/s1/primary` or `sales/s1/replica1`."""

    name: str
    domain: str
    shard: str
    role: Role
    #: libpq connection string or URL; it may hold a password, so it is never shown (see `shown`).
    dsn: str = field(repr=False)
    #: The same address without its password, for people.
    shown: str = ""
    #: A replica's share of the reads under `weighted`; 0: none, as long as others are there.
    weight: int = 1
    #: Where it stands, as the operator calls the place.
    zone: str = ""
    #: `transaction`: the address leads to a pooler, which may send each transaction to another connection; else "".
    pooler: str = ""
    #: The same server without the pooler, for what that cannot carry.
    direct: Node | None = None

    @property
    def pooled(self) -> bool:
        """From one transaction to the next nothing of a connection stays: no prepared statement, no setting."""
        return self.pooler != ""


@dataclass(frozen=True, slots=True)
class Shard:
    """One horizontal part of a domain."""

    name: str
    primary: Node
    replicas: tuple[Node, ...] = ()

    @property
    def nodes(self) -> tuple[Node, ...]:
        return (self.primary, *self.replicas)


@dataclass(frozen=True, slots=True)
class TableName:
    """A table with its PostgreSQL schema, both as the catalogue spells them."""

    schema: str
    name: str

    def __str__(self) -> str:
        return self.name if self.schema == "public" else f"{self.schema}.{self.name}"


@dataclass(frozen=True, slots=True)
class Abroad(TableName):
    """A table of another domain than the session's."""

    domain: str = ""

    @property
    def there(self) -> TableName:
        """What its own domain calls it."""
        return TableName(self.schema, self.name)

    def __str__(self) -> str:
        return f"{self.domain}.{self.there}"


@dataclass(frozen=True, slots=True)
class Sharded:
    """Rows live where their key columns say."""

    columns: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Copied:
    """Every shard has all rows."""


@dataclass(frozen=True, slots=True)
class Single:
    """All rows live on one shard."""

    shard: str


Placement = Sharded | Copied | Single


@dataclass(frozen=True, slots=True)
class PoolLimits:
    """How many connections one process keeps to one node, and for how long."""

    size_min: int = 0
    size_max: int = 10
    wait_timeout_seconds: float = 10.0
    #: How many may wait for a free connection at once; None: all that come.
    queue_max: int | None = None
    #: Idle this long: closed, down to size_min.
    idle_max_seconds: float = 300.0
    #: This old: closed when it comes back.
    life_max_seconds: float = 3600.0


@dataclass(frozen=True, slots=True)
class Reads:
    """How reads are shared out among a shard's replicas, and how far behind those may be."""

    #: round_robin, weighted, least_connections, lowest_latency, or sticky (a session stays where it has read).
    balance: str = "round_robin"
    #: A replica further behind is not read, whatever a session's level would allow; None: as far as it likes.
    lag_max_seconds: float | None = None
    lag_max_bytes: int | None = None
    #: This process's own zone: replicas in it come first.
    zone: str = ""


@dataclass(frozen=True, slots=True)
class FinishLimits:
    """What one statement may bring together from its shards."""

    #: Rows of one table that go to the server which finishes the statement.
    rows_max: int = 1_000_000
    #: Bytes of all its tables together, as text.
    bytes_max: int = 1 << 30
    #: Who finishes them: auto (DuckDB from many rows on, where it is vetted and installed), postgresql, or duckdb
    #: (however few rows; what is not vetted stays with PostgreSQL).
    engine: str = "auto"
    #: Of DuckDB, beyond which it writes to the spill directory ("": the system's for temporary files).
    memory_bytes: int = 512 * 2**20
    spill_directory: str = ""
    #: Of DuckDB; 0: one for each core.
    threads: int = 0


@dataclass(frozen=True, slots=True)
class Splits:
    """Where keys of one type are cut into ranges: each point begins a range, ascending, as text of the type."""

    type: str
    points: tuple[str, ...]

    @property
    def count(self) -> int:
        """Of the ranges: the first and the last are open."""
        return len(self.points) + 1


@dataclass(frozen=True, slots=True)
class Ranges:
    """The ranges of one type of keys, and which shard has each of them."""

    splits: Splits
    shards: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Listing:
    """Keys of one type stand in the directory, each with its shard; which one a new key gets."""

    type: str
    #: hash, least_keys, round_robin, refuse, or the name of a shard.
    assign: str


@dataclass(frozen=True, slots=True)
class Observe:
    """What is told of statements, and to whom."""

    #: Events, the slow log and spans also show parameters, and what errors say.
    with_parameters: bool = False
    #: A statement that takes this long is logged (`outgrow.slow`); None: none is.
    slow_statement_seconds: float | None = None
    #: Spans and durations go to OpenTelemetry.
    opentelemetry: bool = False


@dataclass(frozen=True, slots=True)
class Domain:
    """One logical database of the application."""

    name: str
    engine: str
    slots: int
    shards: tuple[Shard, ...]
    tables: Mapping[TableName, Placement]
    pool: PoolLimits = PoolLimits()
    #: Which shard a slot has first, and which slots a new shard takes: `keyspace.first_map`.
    strategy: str = "hash"
    reads: Reads = Reads()
    #: Keys of these types lie by range, under `strategy: range`; keys of other types have slots as with `hash`.
    ranges: tuple[Ranges, ...] = ()
    finish: FinishLimits = FinishLimits()
    #: Keys of these types lie where the ledger's directory says, under `strategy: directory`; others as with `hash`.
    directory: tuple[Listing, ...] = ()
    #: What becomes of a statement that several shards must answer: allow, warn or refuse.  A session may say otherwise.
    scatter: str = "allow"

    @property
    def home(self) -> Shard:
        """The first shard: where table-less volatile statements, advisory locks and the ledger live."""
        return self.shards[0]

    def shard(self, name: str) -> Shard:
        return next(shard for shard in self.shards if shard.name == name)


@dataclass(frozen=True, slots=True)
class Topology:
    """Everything one `fleet.yaml` describes."""

    fleet: str
    domains: tuple[Domain, ...]
    #: Signs tokens; None where the file names none.
    secret: bytes | None = field(default=None, repr=False)
    observe: Observe = Observe()

    def domain(self, name: str) -> Domain:
        return next(domain for domain in self.domains if domain.name == name)


@dataclass(frozen=True, slots=True)
class ShardMap:
    """slot → shard of one domain, versioned by its epoch.

    `owners[slot]` is an index into `shards`.  Behind the domain's hash slots each range of `splits` is a slot too, in
    order; behind those, where keys of some types stand in a directory, one slot for each of `shards`, in order.  The
    ledger's map wins over the one derived from the file.
    """

    domain: str
    epoch: int
    shards: tuple[str, ...]
    owners: tuple[int, ...] = field(repr=False)
    splits: tuple[Splits, ...] = ()
    #: The types of the keys that stand in the directory.
    directory: tuple[str, ...] = ()

    @property
    def hashed(self) -> int:
        """How many of the slots are hash slots."""
        return self.listed - sum(splits.count for splits in self.splits)

    @property
    def listed(self) -> int:
        """The first slot of the directory: all that come before it are hash slots and ranges."""
        return len(self.owners) - (len(self.shards) if self.directory else 0)

    @classmethod
    def first(cls, domain: Domain) -> ShardMap:
        """The map of a new domain by the strategy `hash`, slots modulo the shards; `keyspace.first_map` knows all."""
        count = len(domain.shards)
        return cls(domain.name, 1, tuple(s.name for s in domain.shards), tuple(i % count for i in range(domain.slots)))

    def shard_of(self, slot: int) -> str:
        return self.shards[self.owners[slot]]
