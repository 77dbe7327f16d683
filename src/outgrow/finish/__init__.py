"""Row streams + a finish specification → the one result.  Sans-IO, in bounded memory where the statement allows it."""

from outgrow.finish.columnar import Limits
from outgrow.finish.duck import DuckFinish, Unanswered
from outgrow.finish.duck import missing as duckdb_missing
from outgrow.finish.finisher import Finisher
from outgrow.finish.settled import Column

__all__ = ["Column", "DuckFinish", "Finisher", "Limits", "Unanswered", "duckdb_missing"]
