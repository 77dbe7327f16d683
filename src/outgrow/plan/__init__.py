"""Which shards a statement needs, each fragment's SQL, the finish specification, and the reasons.  Pure."""

from outgrow.plan.builder import build
from outgrow.plan.keyset import Both, Either, Elements, Everything, KeySet, Match, Nothing, Null, Value
from outgrow.plan.locate import locate
from outgrow.plan.model import KeyChange, Located, Placer, Plan, Quick, Reason, ScanKeys, Where
from outgrow.plan.refusals import REFUSALS

__all__ = [
    "REFUSALS",
    "Both",
    "Either",
    "Elements",
    "Everything",
    "KeyChange",
    "KeySet",
    "Located",
    "Match",
    "Nothing",
    "Null",
    "Placer",
    "Plan",
    "Quick",
    "Reason",
    "ScanKeys",
    "Value",
    "Where",
    "build",
    "locate",
]
