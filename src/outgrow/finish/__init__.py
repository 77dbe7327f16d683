"""Row streams + a finish specification → the one result.  Sans-IO, in bounded memory where the statement allows it."""

from outgrow.finish.finisher import Finisher
from outgrow.finish.settled import Column

__all__ = ["Column", "Finisher"]
