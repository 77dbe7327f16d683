"""The `observe:` of a fleet.yaml."""

from __future__ import annotations

import pytest

from outgrow.errors import ConfigurationError
from outgrow.topology import Observe, parse, write

PLAIN = """\
fleet: shop
domains:
  sales:
    engine: postgresql
    shards:
      s1: {primary: "postgresql://app@db1/shop"}
"""


def observe(text: str) -> Observe:
    return parse(f"{PLAIN}observe: {text}\n").observe


def test_nothing_is_observed_unasked() -> None:
    assert parse(PLAIN).observe == Observe() == Observe(False, None, False)
    assert "observe" not in write(parse(PLAIN))


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("{slow_statement_seconds: 0.5}", Observe(slow_statement_seconds=0.5)),
        ("{slow_statement_seconds: 0}", Observe(slow_statement_seconds=0.0)),
        ("{with_parameters: true}", Observe(with_parameters=True)),
        ("{opentelemetry: true, with_parameters: false}", Observe(opentelemetry=True)),
    ],
)
def test_what_is_written_is_meant_and_written_again(text: str, wanted: Observe) -> None:
    assert observe(text) == wanted
    assert parse(write(parse(f"{PLAIN}observe: {text}\n"))).observe == wanted


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{slow_statements: 1}", "OG-TOPO-003"),
        ("{slow_statement_seconds: fast}", "OG-TOPO-005"),
        ("{slow_statement_seconds: -1}", "OG-TOPO-005"),
        ("{with_parameters: 1}", "OG-TOPO-005"),
        ("{with_parameters: yes}", "OG-TOPO-005"),
        ("true", "OG-TOPO-005"),
    ],
)
def test_what_is_not_understood_is_refused(text: str, code: str) -> None:
    with pytest.raises(ConfigurationError, match=code):
        observe(text)
