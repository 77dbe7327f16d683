"""Row streams + a finish specification → the one result.  Sans-IO, in bounded memory where the statement allows it."""

from outgrow.finish.finisher import Column, Finisher

__all__ = ["Column", "Finisher"]
