"""Whatever the file holds: the same topology comes back, or a ConfigurationError."""

from __future__ import annotations

from dataclasses import replace

import psycopg
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from outgrow.errors import ConfigurationError
from outgrow.topology import (
    Copied,
    Domain,
    Node,
    PoolLimits,
    Ranges,
    Reads,
    Role,
    Shard,
    Sharded,
    Single,
    Splits,
    TableName,
    Topology,
    parse,
    read,
    without_password,
    write,
)
from outgrow.topology.dsn import NotADsn, parameters, with_password
from outgrow.topology.reader import BALANCES
from tests.unit.topology.test_reader import GOOD

names = st.from_regex(r"\A[A-Za-z_][A-Za-z0-9_-]{0,12}\Z")
identifiers = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=12)
words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)


@st.composite
def ranges_of(draw: st.DrawFn, shards: list[str]) -> tuple[Ranges, ...]:
    points: dict[str, st.SearchStrategy[tuple[str, ...]]] = {
        "int8": st.sets(st.integers(-(2**63), 2**63 - 1), max_size=5).map(lambda found: tuple(map(str, sorted(found)))),
        "text": st.sets(words, max_size=5).map(lambda found: tuple(sorted(found, key=str.encode))),
        "date": st.sets(st.dates(), max_size=5).map(lambda found: tuple(map(str, sorted(found)))),
        "uuid": st.sets(st.uuids(), max_size=5).map(lambda found: tuple(map(str, sorted(found)))),
    }
    made = []
    for type in draw(st.lists(st.sampled_from(sorted(points)), min_size=1, unique=True)):
        splits = Splits(type, draw(points[type]))
        made.append(Ranges(splits, tuple(draw(st.sampled_from(shards)) for _ in range(splits.count))))
    return tuple(made)


def behind_a_pooler(node: Node, number: int) -> Node:
    """With a direct address for every other one."""
    address = f"postgresql://app@direct{number}/$hop"
    direct = Node(f"{node.name}/direct", node.domain, node.shard, node.role, address, address)
    return replace(node, pooler="transaction", direct=direct if number % 2 else None)


@st.composite
def topologies(draw: st.DrawFn) -> Topology:
    domains = []
    number = 0
    for name in draw(st.lists(names, min_size=1, max_size=3, unique=True)):
        shards = []
        for shard in draw(st.lists(names, min_size=1, max_size=4, unique=True)):
            nodes = []
            for position in range(1 + draw(st.integers(0, 2))):
                number += 1
                plain = f"postgresql://app@host{number}:{number}/shop"
                dsn = with_password(plain, str(draw(words))) if draw(st.booleans()) else plain
                role = Role.REPLICA if position else Role.PRIMARY
                last = f"replica{position}" if position else "primary"
                weight, zone = draw(st.integers(0, 100)), draw(words)
                node = Node(f"{name}/{shard}/{last}", name, shard, role, dsn, plain, weight, zone)
                nodes.append(draw(st.sampled_from((node, behind_a_pooler(node, number)))))
            shards.append(Shard(shard, nodes[0], tuple(nodes[1:])))
        tables = draw(
            st.dictionaries(
                st.builds(TableName, identifiers, identifiers),
                st.one_of(
                    st.builds(Sharded, st.lists(identifiers, min_size=1, max_size=3, unique=True).map(tuple)),
                    st.just(Copied()),
                    st.just(Single(shards[-1].name)),
                ),
                max_size=4,
            )
        )
        times = [draw(st.floats(0.001, 1e9)) for _ in range(3)]
        queue = draw(st.none() | st.integers(0, 100))
        pool = PoolLimits(draw(st.integers(0, 5)), draw(st.integers(5, 50)), times[0], queue, *times[1:])
        reads = Reads(
            draw(st.sampled_from(BALANCES)),
            draw(st.none() | st.floats(0.001, 1e9)),
            draw(st.none() | st.integers(0, 10**18 - 1)),
            draw(words),
        )
        slots, strategy = 2 ** draw(st.integers(2, 15)), draw(st.sampled_from(("hash", "ring", "range")))
        ranges = draw(ranges_of([shard.name for shard in shards])) if strategy == "range" else ()
        domains.append(Domain(name, "postgresql", slots, tuple(shards), tables, pool, strategy, reads, ranges))
    return Topology(str(draw(names)), tuple(domains))


ODD = Domain(
    "a",
    "postgresql",
    4,
    (Shard("a", Node("a/a/primary", "a", "a", Role.PRIMARY, "host=h", "host=h")),),
    {TableName("a\n", "\x85"): Sharded((" \u2028\x85", "no", "1e3", "'\t", "\ufeff"))},
)


@given(topologies())
@example(Topology("a", (ODD,)))
def test_written_and_read_is_the_same(topology: Topology) -> None:
    assert parse(write(topology)) == topology


@given(st.binary(max_size=200))
@example(b"\xef\xbb\xbf")
@example(b"? [a]\n: b")
@example(b"<<: {a: b}")
@example(b"fleet: 2001-99-99")
def test_random_bytes_are_refused_politely(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "bytes.yaml"
    path.write_bytes(content)
    try:
        read(path)
    except ConfigurationError:
        pass
    else:
        raise AssertionError(f"read {content!r}")


@given(st.text(max_size=300))
def test_random_text_is_refused_politely(text: str) -> None:
    try:
        parse(text)
    except ConfigurationError:
        pass
    else:
        raise AssertionError(f"read {text!r}")


@given(st.data())
def test_a_damaged_file_is_read_or_refused(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(GOOD)))
    end = data.draw(st.integers(start, min(len(GOOD), start + 12)))
    damaged = GOOD[:start] + data.draw(st.text(max_size=6)) + GOOD[end:]
    try:
        parse(damaged, environment={"OUTGROW_SECRET": "x" * 20})
    except ConfigurationError as error:
        assert error.code.startswith("OG-TOPO-")
        assert error.cure


@given(
    words.filter(bool), st.sampled_from(["postgresql://u@h/d", "postgresql://u@h/d?sslmode=disable", "host=h user=u"])
)
def test_passwords_arrive_at_libpq_and_nowhere_else(password: str, dsn: str) -> None:
    full = with_password(dsn, password)
    assert psycopg.conninfo.conninfo_to_dict(full)["password"] == password
    assert parameters(full)["password"] == password
    assert without_password(full) == dsn


@given(st.text(max_size=60) | st.from_regex(r"\Apostgres(ql)?://[^\0]{0,50}\Z"))
@example("postgresql://u:p@h:1,g:2/d?host=/tmp&port=3")
@example("postgresql://[::1]:5/d")
@example("postgres://,")
@example("postgres:// ")
@example("postgres://]")
@example("postgres://a,:5/")
@example("postgresql://u@/d?host=/a%20b")
@example("host = 'a b' port= 5 user='x\\'y'")
def test_libpq_agrees_with_what_is_read(dsn: str) -> None:
    """Whatever this room reads, libpq reads as the same address; the room may refuse more than libpq does."""
    try:
        found = parameters(dsn)
    except NotADsn:
        return
    try:
        real = psycopg.conninfo.conninfo_to_dict(dsn)
    except psycopg.ProgrammingError:
        return  # a keyword that libpq does not know: it says so when connecting
    for keyword in ("host", "port", "dbname", "user", "password"):
        assert found.get(keyword, "") == str(real.get(keyword, "")), keyword
