"""The `directory:` of a domain: what it says, and what is refused."""

from __future__ import annotations

import pytest

from outgrow.errors import ConfigurationError
from outgrow.topology import Domain, Listing, parse, write

HEAD = """\
fleet: f
domains:
  d:
    engine: postgresql
    strategy: {strategy}
    shards: {{s1: {{primary: host=a}}, s2: {{primary: host=b}}}}
"""


def domain_of(directory: str, strategy: str = "directory") -> Domain:
    return parse(HEAD.format(strategy=strategy) + directory).domains[0]


def code_of(directory: str, strategy: str = "directory") -> tuple[str, str]:
    with pytest.raises(ConfigurationError) as info:
        domain_of(directory, strategy)
    assert info.value.cure
    return info.value.code, str(info.value)


def test_types_and_how_new_keys_are_assigned() -> None:
    found = domain_of(
        "    directory:\n      int4: {assign: least_keys}\n      varchar: {assign: refuse}\n      uuid: {assign: s2}\n"
    )
    assert found.strategy == "directory"
    assert found.directory == (Listing("int4", "least_keys"), Listing("varchar", "refuse"), Listing("uuid", "s2"))
    assert parse(write(parse(HEAD.format(strategy="directory") + "    directory: {int8: {assign: hash}}\n"))).domains[
        0
    ].directory == (Listing("int8", "hash"),)


@pytest.mark.parametrize(
    ("directory", "code", "said"),
    [
        ("", "OG-TOPO-050", "does not say which keys"),
        ("    directory: {}\n", "OG-TOPO-050", "empty"),
        ("    directory: {txt: {assign: hash}}\n", "OG-TOPO-051", "did you mean 'text'"),
        ("    directory: {int8: {assign: hash}, int2: {assign: hash}}\n", "OG-TOPO-051", "one kind of key"),
        ("    directory: {int8: {assign: least_key}}\n", "OG-TOPO-052", "did you mean 'least_keys'"),
        ("    directory: {int8: {assign: s3}}\n", "OG-TOPO-052", "s1, s2"),
        ("    directory: {int8: {}}\n", "OG-TOPO-006", "assign"),
        ("    directory: {int8: {assign: hash, to: s1}}\n", "OG-TOPO-003", "'to'"),
        ("    directory: {int8: hash}\n", "OG-TOPO-005", "mapping"),
        ("    slots: 65536\n    directory: {int8: {assign: hash}}\n", "OG-TOPO-050", "slot"),
    ],
)
def test_what_is_refused(directory: str, code: str, said: str) -> None:
    found, message = code_of(directory)
    assert found == code
    assert said in message


def test_a_directory_and_its_strategy_belong_together() -> None:
    assert code_of("    directory: {int8: {assign: hash}}\n", "hash")[0] == "OG-TOPO-050"


ENGINES = """\
fleet: f
domains:
  d:
    engine: {engine}
    strategy: directory
    directory: {{int8: {{assign: hash}}}}
    shards: {{{shards}}}
"""


def test_one_shard_needs_no_directory_and_mariadb_has_one() -> None:
    with pytest.raises(ConfigurationError, match="OG-TOPO-050"):
        parse(ENGINES.format(engine="postgresql", shards="s1: {primary: host=a}"))
    shards = 's1: {primary: "mariadb://a/x"}, s2: {primary: "mariadb://b/x"}'
    assert parse(ENGINES.format(engine="mariadb", shards=shards)).domains[0].directory


def test_behind_a_transaction_pooler_there_is_no_directory() -> None:
    shards = "s1: {primary: host=a}, s2: {primary: host=b, replicas: [{dsn: 'host=c', pooler: transaction}]}"
    with pytest.raises(ConfigurationError, match=r"OG-TOPO-054.*d/s2/replica1"):
        parse(ENGINES.format(engine="postgresql", shards=shards))


def test_a_shard_that_is_called_like_a_policy_is_ambiguous() -> None:
    text = HEAD.format(strategy="directory").replace("s2:", "hash:") + "    directory: {int8: {assign: hash}}\n"
    with pytest.raises(ConfigurationError, match="OG-TOPO-052"):
        parse(text)
