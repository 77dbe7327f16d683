"""The tables in docs/sql.md and README.md say what plans say.

After an intended change: `OUTGROW_REGENERATE=1 pytest tests/unit/plan/test_sql_table.py`, then read the difference.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from outgrow.errors import Error
from outgrow.plan import Where
from outgrow.plan.model import describe_finish
from outgrow.statement import Kind

from .world import located, plan

_ROOT = Path(__file__).parents[3]
PAGE, README = _ROOT / "docs" / "sql.md", _ROOT / "README.md"
_TABLE = re.compile(r"(<!-- what shards do, from their plans -->\n).*?(<!-- end -->)", re.DOTALL)

#: What is written, and an example: customers, orders and items are sharded by customer_id, docs by slug, countries is
#: copied, settings is single.
EXAMPLES = Path(__file__).with_name("sql_table.txt")


def how(sql: str) -> str:
    """What a statement's plan does where several shards are needed."""
    made = plan(sql)
    where = located(made)
    if not where.scatter:
        return "one shard, as written"
    if made.relay is not None:
        return "its parts one after another, each on its shards, in one transaction"
    if made.delivery is not None:
        return "rows are read first, then written where their keys belong, in one transaction"
    if made.brought is not None and made.brought.brings and made.change is not None:
        return "the rows that it needs of other tables come to its shards first, in one transaction"
    if made.answers and made.change is not None:
        return "what is asked of other shards first, then its shards, in one transaction"
    if made.merging is not None:
        return "the source's rows go to the shards of their keys, in one transaction"
    if made.where is Where.ALL:
        return "every shard alike, in one transaction"
    if made.change is not None:
        locks = made.statement.kind is Kind.QUERY
        return "its rows are locked, one shard after another" if locks else "its shards, in one transaction"
    if made.is_brought:
        return "rows are brought to one server, which runs the query"
    assert made.finish is not None
    return f"each shard its part, then {'; '.join(describe_finish(made.finish))}"


def outcome(sql: str) -> str:
    try:
        return how(sql)
    except Error as error:
        return f"refused: [{error.code}](errors/plan.md#{error.code.lower()})"


#: How the README groups what `how` says: the first words of it, and what is written instead.
_WAYS = (
    ("one shard", "its shard alone, as written"),
    ("each shard its part", "by each shard, and what they answer is merged or combined"),
    ("rows are brought", "by one server, to which the shards bring the rows that matter"),
    ("its rows are locked", "by each shard, one after another"),
    ("refused", "**refused**"),
    ("its shards", "by its shards, in one transaction"),
    ("every shard alike", "by every shard alike, in one transaction"),
    ("", "by its shards, in one transaction, after reading what it needs of others"),
)


def overview() -> str:
    """The same for readers in a hurry: what is done in which way."""
    lines = ["| over several shards | is answered |", "|---|---|"]
    ways: dict[tuple[str, str], list[str]] = {}
    part = ""
    for line in EXAMPLES.read_text().splitlines():
        what, _, sql = line.partition(": ")
        if not sql:
            part = what.removeprefix("= ")
            continue
        made = outcome(sql)
        way = next(shown for first, shown in _WAYS if made.startswith(first))
        link = f" ({made.split(': ')[1].replace('errors/', 'docs/errors/')})" if made.startswith("refused") else ""
        ways.setdefault((part, way), []).append(what + link)
    lines.extend(f"| {' · '.join(whats)} | {way} |" for (_, way), whats in ways.items())
    return "\n".join(lines) + "\n"


def table() -> str:
    lines = ["| what | example | over several shards |", "|---|---|---|"]
    for line in EXAMPLES.read_text().splitlines():
        what, _, sql = line.partition(": ")
        lines.append(f"| {what} | `{sql}` | {outcome(sql)} |" if sql else f"| **{what.removeprefix('= ')}** | | |")
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(("path", "made"), [(PAGE, table), (README, overview)])
def test_the_pages_say_what_plans_say(path: Path, made: Callable[[], str]) -> None:
    page = path.read_text()
    assert _TABLE.search(page), f"{path.name} has lost the marks around the table"
    wanted = _TABLE.sub(lambda found: f"{found[1]}\n{made()}\n{found[2]}", page)
    if os.environ.get("OUTGROW_REGENERATE"):
        path.write_text(wanted)
    assert page == wanted, "meant? then OUTGROW_REGENERATE=1, and read the difference"
