"""Every refusal of the plan and finish rooms: its stable code, what happened, and the cure."""

from __future__ import annotations

from typing import NamedTuple

from outgrow.errors import Error, NotSupportedError, ProgrammingError


class Refusal(NamedTuple):
    number: int
    message: str
    cure: str
    kind: type[Error] = NotSupportedError
    sqlstate: str | None = None


REFUSALS: dict[str, Refusal] = {
    "unlisted table": Refusal(
        1,
        "table {0} has no placement in domain {1}",
        "add it under `tables:` of the domain, for example `{2}`",
        ProgrammingError,
    ),
    "unparsed": Refusal(
        2,
        "{0} is not understood well enough to choose a shard for it: {1}",
        "correct it, or choose the shard yourself: `execute(…, shard=…)`",
    ),
    "write to several shards": Refusal(
        3,
        "{0} writes in several places, and over several shards it is not proved that they belong together",
        "restrict it by the shard key ({1}), or send its parts as statements of one transaction",
    ),
    "write to a copied table": Refusal(
        4,
        "every shard must change its copy of {0} alike, but {1}",
        "compute the values in a statement of its own, and pass them as parameters",
    ),
    "insert without key": Refusal(
        5,
        "the INSERT leaves the shard key column {1} of {0} to {2}, so its shard is unknown",
        "write the value of {1} in the INSERT",
    ),
    "insert leaves serial": Refusal(
        6,
        "the default of column {1} of {0} draws from a sequence of each shard in a way that cannot be done beforehand",
        "write the value of {1} in the INSERT (`fleet.new_id()` makes one); PostgreSQL's nextval('…') can be drawn",
    ),
    "key update": Refusal(
        7,
        "the statement changes the shard key of {0}, which could move rows to another shard",
        "leave the key columns out of SET, or delete and insert the row",
    ),
    "insert from select": Refusal(
        8,
        "the INSERT … SELECT into {0} is not proved to stay on one shard: the value of {1} is not a constant",
        "restrict the SELECT to one key, or select the rows and insert them",
    ),
    "single apart": Refusal(
        9,
        "{0} lives on one shard only ({1}), but the statement needs others too",
        "make the small table `copy: everywhere`, or query the two separately",
    ),
    "join off key": Refusal(
        10,
        "{0} and {1} are not joined on their shard keys",
        "join on the key ({2} = {3}), or copy the smaller table to every shard",
    ),
    "outer join": Refusal(
        11,
        "{0} is on the preserved side of an outer join with the sharded {1}",
        "turn the join round, so that the sharded table is preserved",
    ),
    "subquery": Refusal(
        12,
        "{0} cannot be computed by each shard alone: {1}",
        "correlate it on the shard key, or compute it in a statement of its own and pass its result",
    ),
    "set operation": Refusal(
        13,
        "{0} over several shards compares rows of different shards",
        "run the arms as statements of their own, or restrict both to one key",
    ),
    "aggregate": Refusal(
        14,
        "{0} cannot be combined from the shards' partial results",
        "GROUP BY the shard key ({1}), or aggregate the selected rows in the application",
    ),
    "window": Refusal(
        15,
        "the window function {0} needs rows of several shards together",
        "PARTITION BY the shard key ({1})",
    ),
    "grouping sets": Refusal(
        16,
        "GROUPING SETS, ROLLUP and CUBE are not combined over several shards",
        "run one statement for each grouping",
    ),
    "moment": Refusal(
        17,
        "{0} differs from shard to shard",
        "compute the moment in the application and pass it as a parameter",
    ),
    "volatile": Refusal(
        18,
        "{0} is computed by each shard for itself",
        "compute it in the application and pass it as a parameter, or restrict the statement to one key",
    ),
    "unvetted": Refusal(
        19,
        "{0} may read or do what only one shard knows",
        "use built-in functions and tables over several shards, or restrict the statement to one key",
    ),
    "locking": Refusal(
        20,
        "{0} over several shards would lock other rows than on one server",
        "lock in the outermost query, without LIMIT, DISTINCT and aggregates, or restrict the statement to one key",
    ),
    "table form": Refusal(
        21,
        "{0} is not answered over several shards",
        "restrict the statement to one key, or leave it out",
    ),
    "text order": Refusal(
        22,
        "{0} orders text by a language's rules, which only a server knows",
        'order by `{1} COLLATE "C"`, or restrict the statement to one key',
    ),
    "expression": Refusal(
        23,
        "{0} over combined results is not vetted to mean the same as on one server",
        "select the aggregates alone and compute it in the application, or GROUP BY the shard key",
    ),
    "limit": Refusal(
        24,
        "{0} is not answered over several shards",
        "use a plain number or a parameter",
    ),
    "insert key unknown": Refusal(
        25,
        "the shard key of {0} ({1}) in the INSERT is only known to the server",
        "pass its value as a parameter of the column's type",
    ),
    "unknown key column": Refusal(
        26,
        "{0} is to be sharded by {1}, but it has no such column",
        "correct `shard_by` in fleet.yaml",
        ProgrammingError,
    ),
    "catalogue": Refusal(
        28,
        "{0} is a catalogue of each shard, and the statement needs several",
        "query the catalogue in a statement of its own",
    ),
    "distinct aggregate": Refusal(
        29,
        "{0} needs the values of all shards together",
        "GROUP BY the shard key ({1}), or select the distinct values and aggregate them in the application",
    ),
    "trigger": Refusal(
        31,
        "the statement trigger or rule {0} of {1} would run once for each shard",
        "make it a trigger FOR EACH ROW, or restrict the statement to one key",
    ),
    "skipped rows": Refusal(
        32,
        "{0} may skip rows given for {1}, so over several shards the order of what it returns is not known",
        "leave out RETURNING, or what skips rows, or insert the rows of each key by themselves",
    ),
    "restart identity": Refusal(
        34,
        "RESTART IDENTITY of {0} would set back the sequences of each shard, and not the fleet's",
        "leave RESTART IDENTITY out",
    ),
    "cascade": Refusal(
        35,
        "a foreign key would have the change of {0} change {1}",
        "make it ON DELETE CASCADE or NO ACTION where it holds the shard key, and change those rows first",
    ),
    "missing values": Refusal(
        33,
        "the INSERT into {0} names {1} columns but has {2} values",
        "give every column a value, or leave its name out",
        ProgrammingError,
        "42601",
    ),
    "parts apart": Refusal(
        46,
        "the parts of the {0} that write do not stay together on each shard: {1}",
        "send the parts as statements of one transaction, or restrict all of them to one key",
    ),
    "key move": Refusal(
        40,
        "the statement would give rows of {0} the key of another shard, but {1}",
        "delete the rows and insert them with their new key, or leave the key as it is",
    ),
    "insert select leaves serial": Refusal(
        41,
        "the INSERT … SELECT into {0} leaves column {1} to a sequence of each shard, whose numbers would repeat",
        'select the value of {1} too, drawn with `fleet.sequence("…").take(n)`, or insert the rows as VALUES',
    ),
    "value for identity": Refusal(
        42,
        'cannot insert a non-DEFAULT value into column "{0}" of {1}: it is GENERATED ALWAYS',
        "leave {0} out, write DEFAULT, or add OVERRIDING SYSTEM VALUE",
        ProgrammingError,
    ),
    "nextval here": Refusal(
        43,
        "nextval({0}) stands where nobody knows how often it is computed, and each shard has a sequence of its own",
        'draw beforehand with `fleet.sequence("…").next()` or `.take(n)`, and pass the numbers as parameters',
    ),
    "sequence function": Refusal(
        44,
        "{0} asks a sequence ({1}) of which every shard has one of its own",
        "take inserted numbers from RETURNING; move a fleet sequence with `fleet.sequence(…).skip_to(n)`",
    ),
    "restart": Refusal(
        47,
        "RESTART of {0} would set back the sequence of each shard, and not the fleet's, which never goes back",
        "leave RESTART out; go on further ahead with `fleet.sequence(…).skip_to(n)`",
    ),
    "MariaDB scatter": Refusal(
        48,
        "{0} is not answered over several shards of MariaDB yet",
        "restrict the statement to one key, or select the rows and compute it in the application",
    ),
    "MariaDB write": Refusal(
        49,
        "{0} is not done over several shards of MariaDB",
        "restrict it to one key, or send it to each shard with `execute(…, shard=…)` in one transaction",
    ),
    "meeting": Refusal(
        50,
        "{0} on {1} may meet a row of another shard by the unique key ({2}), and would not see it",
        "put the shard key's columns into every unique key of the table; or select first, in a transaction",
    ),
    "MariaDB ignore": Refusal(
        51,
        "INSERT IGNORE into {0} stores a key that does not fit changed, and then on the wrong shard",
        "write ON DUPLICATE KEY UPDATE with an assignment that changes nothing (`n = n`)",
    ),
    "across write": Refusal(
        70,
        "{0} writes, and names tables of several domains ({1}): a statement that writes stays in one",
        "read from the other domains first, and write in a session of the domain whose table it is, with the values",
    ),
    "across here": Refusal(
        71,
        "a query over several domains is run by `execute` and `stream` alone, and {0} runs it",
        "leave `shard=` out; for COPY, batches and files, query the domains separately",
    ),
    "across from": Refusal(
        72,
        "the statement names tables of several domains ({0}): that is PostgreSQL's SQL, and {1} speaks another",
        "ask it of a session of a PostgreSQL domain: fleet.session({2!r})",
    ),
    "type elsewhere": Refusal(
        73,
        "{0} is of type {1}, which the domain {2} has for itself: its values are not the same elsewhere",
        "leave the column out, or ask the domain alone and pass what is needed as parameters",
    ),
    "collation elsewhere": Refusal(
        74,
        "{0} calls texts equal that differ, by a collation of the domain {1} alone",
        "leave the column out, or ask the domain alone and pass what is needed as parameters",
    ),
    "order elsewhere": Refusal(
        75,
        "{0} is text in an order that other domains' servers do not have: it can be shown and compared by = alone",
        'give the column a collation that is everywhere ("C"), or sort in the application',
    ),
    "merge": Refusal(
        52,
        "the MERGE into {0} is not done over several shards: {1}",
        "let ON compare the shard key with the source's columns and INSERT that very key, or write it as INSERT … ON "
        "CONFLICT, UPDATE and DELETE",
    ),
    "view": Refusal(
        100,
        "the view {0} is not answered over several shards: {1}",
        "write its SELECT into the statement without that, or restrict the statement to one key; a view that is not "
        "understood needs a place in fleet.yaml for that (`shard_by: …`)",
    ),
    "view written": Refusal(
        101,
        "{0} is a view: over several shards nothing is written through one",
        "write to its table",
    ),
    "own function": Refusal(
        102,
        "the function {0} is {1}: it may read tables, of which each shard has its part only",
        "if it depends on its arguments alone, say so (ALTER FUNCTION {0} IMMUTABLE); else restrict the statement to "
        "one key",
    ),
    "assigned from sequence": Refusal(
        45,
        "assigning DEFAULT to column {0} of {1} draws from a sequence of each shard, whose numbers would repeat",
        'draw beforehand with `fleet.sequence("…").take(n)`, and pass the numbers as parameters',
    ),
}


def refuse(name: str, *details: str) -> Error:
    """The error for one refusal; the caller raises it or carries it in a plan."""
    refusal = REFUSALS[name]
    return refusal.kind(
        f"OG-PLAN-{refusal.number:03}",
        refusal.message.format(*details),
        cure=refusal.cure.format(*details),
        sqlstate=refusal.sqlstate,
    )


class Refused(Exception):
    """Carries a refusal out of the proofs to the one place that puts it into the plan."""

    def __init__(self, error: Error) -> None:
        super().__init__(error.message)
        self.error = error


def refused(name: str, *details: str) -> Refused:
    return Refused(refuse(name, *details))
