"""Row streams + a finish specification → the one result.  Sans-IO, in bounded memory where the statement allows it."""

from outgrow.finish.columnar import Limits
from outgrow.finish.duck import DuckFinish, Unanswered
from outgrow.finish.duck import missing as duckdb_missing
from outgrow.finish.errors import DISAGREEMENT, brought_apart
from outgrow.finish.finisher import Finisher
from outgrow.finish.settled import Column

__all__ = [
    "DISAGREEMENT",
    "Column",
    "DuckFinish",
    "Finisher",
    "Limits",
    "Unanswered",
    "brought_apart",
    "duckdb_missing",
]
