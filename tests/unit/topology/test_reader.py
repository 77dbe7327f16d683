"""fleet.yaml is read strictly: each mistake has its code, its line and a cure; nothing secret is repeated."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path

import pytest

from outgrow.errors import ConfigurationError
from outgrow.topology import (
    Copied,
    FinishLimits,
    PoolLimits,
    Reads,
    Role,
    Sharded,
    Single,
    TableName,
    outside,
    parse,
    read,
    write,
)

GOOD = """\
fleet: shop
domains:
  sales:
    engine: postgresql
    slots: 64
    shards:
      s1: {primary: "postgresql://app@db1/shop", replicas: ["postgresql://app@db2/shop"]}
      s2: {primary: "host=db3 user=app dbname=shop", replicas: ["postgresql://app@db4:6000/shop"]}
    tables:
      customers: {shard_by: customer_id}
      billing.orders: {shard_by: [device_id, day]}
      countries: {copy: everywhere}
      '"odd.name"': {single: s1}
    pool: {size_min: 1, size_max: 5, wait_timeout_seconds: 2.5}
secret: {env: OUTGROW_SECRET}
"""

#: One shard whose primary is to be filled in.
READING = "fleet: f\ndomains: {{d: {{engine: postgresql, shards: {{s: {{primary: {}}}}}, reads: {}}}}}"
ONE = "fleet: f\ndomains: {{d: {{engine: postgresql, shards: {{s: {{primary: {}}}}}}}}}"


def test_a_domains_key_at_the_margin_is_told_where_it_belongs() -> None:
    """Pasted at the left margin, `tables:` is no misspelt key of the fleet's."""
    with pytest.raises(ConfigurationError) as caught:
        parse(ONE.format("host=a") + "\ntables: {t: {shard_by: id}}\n")
    assert caught.value.code == "OG-TOPO-003"
    assert caught.value.cure == "it belongs into a domain: indent it like that domain's `shards:`"


def test_everything_is_there() -> None:
    topology = parse(GOOD, environment={"OUTGROW_SECRET": "x" * 20})
    assert (topology.fleet, topology.secret) == ("shop", b"x" * 20)
    domain = topology.domain("sales")
    assert (domain.engine, domain.slots, domain.pool) == ("postgresql", 64, PoolLimits(1, 5, 2.5))
    assert [node.name for shard in domain.shards for node in shard.nodes] == [
        *("sales/s1/primary", "sales/s1/replica1", "sales/s2/primary", "sales/s2/replica1")
    ]
    assert domain.home.primary.role is Role.PRIMARY
    assert domain.shard("s2").replicas[0].role is Role.REPLICA
    assert dict(domain.tables) == {
        TableName("public", "customers"): Sharded(("customer_id",)),
        TableName("billing", "orders"): Sharded(("device_id", "day")),
        TableName("public", "countries"): Copied(),
        TableName("public", "odd.name"): Single("s1"),
    }


def test_defaults() -> None:
    topology = parse("fleet: f\ndomains: {d: {engine: postgresql, shards: {s: {primary: 'host=h'}}}}")
    assert (topology.secret, topology.domains[0].slots, topology.domains[0].pool) == (None, 1024, PoolLimits())


# What is put in the place of what, the code, the line, and a word of the message or the cure.
MISTAKES = [
    ("fleet: shop", "flet: shop", "003", 1, "'fleet'"),
    ("    slots: 64", "    slot: 64", "003", 5, "'slots'"),
    ("      s1: {primary", "      s1: {primry", "003", 7, "'primary'"),
    ("{shard_by: customer_id}", "{shardby: customer_id}", "003", 10, "'shard_by'"),
    ("size_max: 5", "max_size: 5", "003", 14, "size_max"),
    ("secret: {env:", "secret: {envv:", "003", 15, "'env'"),
    ("    slots: 64", "    engine: postgresql", "004", 5, "first in line 4"),
    ("      countries:", "      customers:", "004", 12, "first in line 10"),
    ("      s2: {", "      s1: {", "004", 8, "first in line 7"),
    ("countries: {", "public.customers: {", "021", 12, "twice"),
    ("slots: 64", "slots: '64'", "005", 5, "a whole number"),
    ("slots: 64", "slots: 1e2", "005", 5, "a whole number"),
    ("slots: 64", "slots: 0100", "005", 5, "a whole number"),
    ("slots: 64", "slots: [64]", "005", 5, "is a list"),
    ("slots: 64", "slots: 48", "010", 5, "power of two"),
    ("slots: 64", "slots: 0", "010", 5, "power of two"),
    ("slots: 64", "slots: -64", "010", 5, "power of two"),
    ("slots: 64", "slots: 131072", "010", 5, "65536"),
    ("slots: 64", "slots: 1", "011", 5, "2 shards"),
    ("slots: 64", "strategy: hash", None, 0, ""),
    ("slots: 64", "strategy: ring", None, 0, ""),
    ("slots: 64", "strategy: hsah", "012", 5, "'hash'"),
    ("slots: 64", "strategy: rign", "012", 5, "'ring'"),
    ("engine: postgresql", "engine: postgres", "008", 4, "'postgresql'"),
    ("engine: postgresql", "engine: oracle", "008", 4, "choose one of: postgresql"),
    ("engine: postgresql", "engine: ~", "005", 4, "nothing"),
    ("{single: s1}", "{single: s3}", "014", 13, "s1, s2"),
    ("{single: s1}", "{single: elsewhere}", "014", 13, "s1, s2"),
    ("{copy: everywhere}", "{copy: nowhere}", "013", 12, "everywhere"),
    ("{copy: everywhere}", "{copy: everywhere, single: s1}", "013", 12, "exactly one"),
    ("{copy: everywhere}", "{}", "013", 12, "exactly one"),
    ("{copy: everywhere}", "everywhere", "005", 12, "is text"),
    ("[device_id, day]", "[]", "013", 11, "billing.orders"),
    ("[device_id, day]", "[day, day]", "013", 11, "repeated"),
    ("[device_id, day]", "[day, 1]", "005", 11, "text"),
    ("billing.orders", "a.b.c", "007", 11, "schema.name"),
    ("  sales:", "  the sales:", "007", 3, "domain"),
    ("  sales:", "  no:", "005", 3, "quotes"),
    ("size_max: 5", "size_max: 0", "019", 14, "size_max"),
    ("size_min: 1", "size_min: 9", "019", 14, "9 to 5"),
    ("size_min: 1", "size_min: -1", "019", 14, "size_min"),
    ("2.5", "0", "019", 14, "above 0"),
    ("2.5", ".inf", "005", 14, "seconds"),
    ("app@db4:6000/shop", "app@db1/shop", "015", 8, "line 7"),
    ("app@db4:6000/shop", "other:hidden@db1:5432/shop?sslmode=disable", "015", 8, "sales/s1/primary"),
    ("app@db4:6000/shop", "app@db4:70000/shop", "016", 8, "65535"),
    ("app@db4:6000/shop", "app:a:b/c@db4/shop", "016", 8, "percent-encoded"),
    ("app@db4:6000/shop", "app@${NOWHERE}/shop", "017", 8, "NOWHERE"),
    ("app@db4:6000/shop", "app:pa$$word$@db4/shop", "017", 8, "lone $"),
    ("OUTGROW_SECRET", "MISSING", "017", 15, "MISSING"),
    ("OUTGROW_SECRET", "SHORT", "022", 15, "16"),
    ("{env: OUTGROW_SECRET}", "{file: /nowhere/at/all}", "018", 15, "/nowhere/at/all"),
    ("{env: OUTGROW_SECRET}", "hunter2hunter2hunter2", "005", 15, "secrets stay out"),
    ("{env: OUTGROW_SECRET}", "{env: OUTGROW_SECRET, file: x}", "020", 15, "exactly one"),
    ("fleet: shop\n", "fleet: shop: x\n", "002", 1, "not YAML"),
    ("fleet: shop\n", "fleet: !!python/name:os.system x\n", "005", 1, "text"),
    ("fleet: shop\n", "fleet: [a\n", "002", 2, "not YAML"),
    ("fleet: shop\n", "", "006", 1, "`fleet:`"),
    ("    engine: postgresql\n", "", "006", 4, "`engine:`"),
]


@pytest.mark.parametrize(("old", "new", "code", "line", "word"), MISTAKES)
def test_mistakes(old: str, new: str, code: str | None, line: int, word: str) -> None:
    assert old in GOOD
    environment = {"OUTGROW_SECRET": "x" * 20, "SHORT": "hunter2"}
    if code is None:
        parse(GOOD.replace(old, new, 1), environment=environment)
        return
    with pytest.raises(ConfigurationError) as caught:
        parse(GOOD.replace(old, new, 1), "f.yaml", environment)
    error = caught.value
    assert error.code == f"OG-TOPO-{code}"
    assert f"f.yaml, line {line}: " in error.message
    assert word in str(error)
    assert error.cure
    assert "hidden" not in str(error)
    assert "hunter2" not in str(error)


def test_a_password_that_a_command_prints(tmp_path: Path) -> None:
    command = f'[{sys.executable}, -c, \'import os; print(os.environ["WORD"] + "-s3cret")\']'
    node = parse(ONE.format(f"{{dsn: 'host=a', password: {{command: {command}}}}}"), environment={"WORD": "its"})
    assert "its-s3cret" in node.domains[0].shards[0].primary.dsn and "s3cret" not in repr(node)


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("[/nowhere/to/be/found]", "No such file"),
        (f"[{sys.executable}, -c, 'print(\"hunter2\"); exit(3)']", "exit code 3"),
        (f"[{sys.executable}, -c, 'pass']", "no output"),
        ("[]", "cannot be run"),
        (f"[{sys.executable}, -c, 'import time; time.sleep(60)']", "no end within 0.5 s"),
    ],
)
def test_a_command_that_prints_no_password(command: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if "sleep" in command:
        monkeypatch.setattr(outside, "_COMMAND_SECONDS", 0.5)
    with pytest.raises(ConfigurationError) as caught:
        parse(ONE.format(f"{{dsn: 'host=a', password: {{command: {command}}}}}"), environment={})
    assert caught.value.code == "OG-TOPO-027" and why in caught.value.message and "hunter2" not in str(caught.value)


def test_how_reads_are_shared_out() -> None:
    reads = "{balance: weighted, lag_max_seconds: 2, lag_max_bytes: 1000000, zone: '${ZONE}'}"
    text = READING.format("{dsn: 'host=a', weight: 3, zone: west}", reads)
    domain = parse(text, environment={"ZONE": "east"}).domains[0]
    assert domain.reads == Reads("weighted", 2.0, 1_000_000, "east")
    assert (domain.shards[0].primary.weight, domain.shards[0].primary.zone) == (3, "west")


@pytest.mark.parametrize(
    ("node", "reads", "code"),
    [
        ("{dsn: 'host=a', weight: 101}", "{}", "024"),
        ("{dsn: 'host=a', wieght: 1}", "{}", "003"),
        ("host=a", "{balance: least_connection}", "025"),
        ("host=a", "{lag_max_seconds: 0}", "026"),
        ("host=a", "{lag_max_bytes: -1}", "026"),
        ("host=a", "{zone: '${NOWHERE}'}", "017"),
    ],
)
def test_how_reads_cannot_be_shared_out(node: str, reads: str, code: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse(READING.format(node, reads), environment={})
    assert caught.value.code == f"OG-TOPO-{code}"


def test_how_much_a_query_may_bring_together() -> None:
    text = "fleet: f\ndomains: {{d: {{engine: postgresql, shards: {{s: {{primary: host=a}}}}, finish: {}}}}}"
    topology = parse(text.format("{rows_max: 500}"))
    assert topology.domains[0].finish == FinishLimits(500)
    assert parse(write(topology)).domains[0].finish == FinishLimits(500)
    both = parse(text.format("{rows_max: 500, bytes_max: 4096}"))
    assert parse(write(both)).domains[0].finish == FinishLimits(500, 4096)
    whole = "{engine: duckdb, memory: 2GB, spill_directory: /var/spill$$, threads: 2}"
    finish = parse(text.format(whole)).domains[0].finish
    shown = (finish.engine, finish.memory_bytes, finish.spill_directory, finish.threads)
    assert shown == ("duckdb", 2 << 30, "/var/spill$", 2)
    assert parse(write(parse(text.format(whole)))).domains[0].finish == finish
    wrongs = [("{rows_max: 0}", "045"), ("{bytes_max: 0}", "045"), ("{row_max: 3}", "003"), ("{}", "045")]
    wrongs += [("{engine: sqlite}", "046"), ("{threads: -1}", "047"), ("{memory: 512}", "005")]
    for wrong, code in (*wrongs, ("{memory: 512 KB}", "047"), ("{memory: 0MB}", "047")):
        with pytest.raises(ConfigurationError) as caught:
            parse(text.format(wrong))
        assert caught.value.code == f"OG-TOPO-{code}", caught.value


def test_what_becomes_of_statements_for_several_shards() -> None:
    text = "fleet: f\ndomains: {{d: {{engine: postgresql, shards: {{s: {{primary: host=a}}}}{}}}}}"
    assert parse(text.format("")).domains[0].scatter == "allow"
    for policy in ("allow", "warn", "refuse"):
        topology = parse(text.format(f", scatter: {policy}"))
        assert topology.domains[0].scatter == parse(write(topology)).domains[0].scatter == policy
    with pytest.raises(ConfigurationError) as caught:
        parse(text.format(", scatter: refused"))
    assert caught.value.code == "OG-TOPO-060" and "refuse" in str(caught.value)


def test_a_pooler_before_a_node_and_a_way_past_it() -> None:
    text = (
        "fleet: f\ndomains: {d: {engine: postgresql, pooler: transaction, shards: {s: {primary: "
        "{dsn: 'host=pool', password: {env: P}, direct: 'host=a'}, "
        "replicas: [host=b, {dsn: 'host=c', pooler: none}]}}}}"
    )
    shard = parse(text, environment={"P": "hunter2"}).domains[0].shards[0]
    assert [node.pooled for node in shard.nodes] == [True, True, False]
    direct = shard.primary.direct
    assert direct is not None and not direct.pooled and direct.name == "d/s/primary/direct"
    assert "hunter2" in direct.dsn and "hunter2" not in repr(shard)
    assert [node.direct for node in shard.replicas] == [None, None]


@pytest.mark.parametrize(
    ("node", "code"),
    [
        ("{dsn: 'host=a', pooler: session}", "035"),
        ("{dsn: 'host=a', direct: 'host=b'}", "036"),
        ("{dsn: 'host=a', pooler: none, direct: 'host=b'}", "036"),
        ("{dsn: \"host=a options='-c x=y'\", pooler: transaction}", "037"),
        ("{dsn: 'mariadb://a/x', pooler: transaction}", "037"),
        ("{dsn: 'host=a', pooler: transaction, direct: 'host=a'}", "015"),
        ("{dsn: 'host=a', pooler: transaction, direct: {dsn: 'host=b password=c', password: {env: P}}}", "020"),
        ("{dsn: 'host=a', pooler: transaction, direct: 'nothing'}", "016"),
        ("{dsn: 'host=a', pooler: transaction, direct: {host: b}}", "003"),
    ],
)
def test_poolers_that_cannot_be(node: str, code: str) -> None:
    text = ONE.format(node)
    if "mariadb" in node:
        text = text.replace("engine: postgresql", "engine: mariadb")
    with pytest.raises(ConfigurationError) as caught:
        parse(text, environment={"P": "hunter2"})
    assert caught.value.code == f"OG-TOPO-{code}" and "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "002"),
        ("# nothing\n", "002"),
        ("[" * 5000, "002"),
        ("a: 1\n---\nb: 2\n", "002"),
        ("just text", "005"),
        ("&a [*a]", "005"),
        ("fleet: f\ndomains: {}", "023"),
        ("fleet: f\ndomains: {d: {engine: postgresql, shards: {}}}", "009"),
        (ONE.format("{dsn: 'host=a password=b', password: {env: P}}"), "020"),
        (ONE.format("{dsn: 'no address hunter2'}"), "016"),
        (ONE.format("'${WHOLE}'"), "016"),
    ],
)
def test_odd_files(text: str, code: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse(text, environment={"P": "p", "WHOLE": "hunter2 hunter2"})
    assert caught.value.code == f"OG-TOPO-{code}"
    assert "hunter2" not in str(caught.value)


def test_passwords_are_used_but_never_shown(tmp_path: Path) -> None:
    (tmp_path / "pw").write_text("s3cret'\\ %\n")
    path = tmp_path / "fleet.yaml"
    path.write_text(
        """\
fleet: f
domains:
  d:
    engine: postgresql
    shards:
      a: {primary: "postgresql://u:s3cret@h1/x?sslpassword=s3cret&application_name=me"}
      b: {primary: {dsn: "postgresql://u@h2/x", password: {file: pw}}}
      c: {primary: {dsn: "host=h3 user=u", password: {file: pw}}}
      d: {primary: "host=h4 password='s3cret' user=u"}
      e: {primary: "postgresql://u:${PW}@h5/x"}
      f: {primary: "postgresql://u:a$$b@h6/x"}
"""
    )
    topology = read(path, {"PW": "s3cret"})
    nodes = [shard.primary for shard in topology.domains[0].shards]
    assert [node.shown for node in nodes] == [
        "postgresql://u@h1/x?application_name=me",
        "postgresql://u@h2/x",
        "host=h3 user=u",
        "host=h4 user=u",
        "postgresql://u@h5/x",
        "postgresql://u@h6/x",
    ]
    assert nodes[0].dsn == "postgresql://u:s3cret@h1/x?sslpassword=s3cret&application_name=me"
    assert nodes[1].dsn == "postgresql://u@h2/x?password=s3cret%27%5C%20%25"
    assert nodes[2].dsn == "host=h3 user=u password='s3cret\\'\\\\ %'"
    assert nodes[4].dsn == "postgresql://u:s3cret@h5/x"
    assert nodes[5].dsn == "postgresql://u:a$b@h6/x"
    assert "s3cret" not in repr(topology) + str(topology)


def test_a_traceback_does_not_show_the_secret_either() -> None:
    text = ONE.format("'postgresql://u:hunter2@h:bad/x'")
    try:
        parse(text)
    except ConfigurationError:
        assert "hunter2" not in traceback.format_exc()
    else:
        raise AssertionError("was read")


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="No such file") as caught:
        read(tmp_path / "none.yaml")
    assert caught.value.code == "OG-TOPO-001"
    (tmp_path / "latin.yaml").write_bytes(b"fleet: f\n# caf\xe9\n")
    with pytest.raises(ConfigurationError, match="line 2") as caught:
        read(tmp_path / "latin.yaml")
    assert caught.value.code == "OG-TOPO-002"
