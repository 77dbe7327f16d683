"""The table in docs/sql.md says what plans say.

After an intended change: `OUTGROW_REGENERATE=1 pytest tests/unit/plan/test_sql_table.py`, then read the difference.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from outgrow.errors import Error
from outgrow.plan import Where
from outgrow.plan.model import describe_finish
from outgrow.statement import Kind

from .world import located, plan

PAGE = Path(__file__).parents[3] / "docs" / "sql.md"
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


def table() -> str:
    lines = ["| what | example | over several shards |", "|---|---|---|"]
    for line in EXAMPLES.read_text().splitlines():
        what, _, sql = line.partition(": ")
        lines.append(f"| {what} | `{sql}` | {outcome(sql)} |" if sql else f"| **{what.removeprefix('= ')}** | | |")
    return "\n".join(lines) + "\n"


def test_the_page_says_what_plans_say() -> None:
    page = PAGE.read_text()
    wanted = _TABLE.sub(lambda found: f"{found[1]}\n{table()}\n{found[2]}", page)
    if os.environ.get("OUTGROW_REGENERATE"):
        PAGE.write_text(wanted)
    assert page == wanted, "meant? then OUTGROW_REGENERATE=1, and read the difference"
