"""Which shards a statement needs, each fragment's SQL, the finish specification, and the reasons.  Pure."""

from outgrow.plan.bringing import staging
from outgrow.plan.bringing.brought import Bring, Brought, joined
from outgrow.plan.bringing.builder import bringing
from outgrow.plan.bringing.staging import timeless
from outgrow.plan.builder import build
from outgrow.plan.domains.across import build_across
from outgrow.plan.domains.foreign import KEYS_MAX, Across, Portion
from outgrow.plan.duck import FAMILIES, Output, Rendered, Unvetted, render_duckdb, shapes_of
from outgrow.plan.duck import Type as ColumnType
from outgrow.plan.model import KeyChange, Located, Placer, Plan, Quick, Reason, ScanKeys, Where
from outgrow.plan.narrowing.keyset import Both, Either, Elements, Everything, KeySet, Match, Nothing, Null, Value
from outgrow.plan.narrowing.locate import locate, locate_brings
from outgrow.plan.numbers.drawing import Draw, Drawing
from outgrow.plan.numbers.ids import drawn_alone, own_shard, sequence_name
from outgrow.plan.placing import Places
from outgrow.plan.refusals import REFUSALS, refuse
from outgrow.plan.rendering import filled
from outgrow.plan.writes.answers import type_mark
from outgrow.plan.writes.change import Change, Gather, GivenRows, Piece
from outgrow.plan.writes.delivery import Delivery
from outgrow.plan.writes.keymove import FAITHFUL, KeyMove, type_from
from outgrow.plan.writes.rowwise import Part, check_all_answered, parts
from outgrow.plan.writes.selection import Selection, Typing

__all__ = [
    "FAITHFUL",
    "FAMILIES",
    "KEYS_MAX",
    "REFUSALS",
    "Across",
    "Both",
    "Bring",
    "Brought",
    "Change",
    "ColumnType",
    "Delivery",
    "Draw",
    "Drawing",
    "Either",
    "Elements",
    "Everything",
    "Gather",
    "GivenRows",
    "KeyChange",
    "KeyMove",
    "KeySet",
    "Located",
    "Match",
    "Nothing",
    "Null",
    "Output",
    "Part",
    "Piece",
    "Placer",
    "Places",
    "Plan",
    "Portion",
    "Quick",
    "Reason",
    "Rendered",
    "ScanKeys",
    "Selection",
    "Typing",
    "Unvetted",
    "Value",
    "Where",
    "bringing",
    "build",
    "build_across",
    "check_all_answered",
    "drawn_alone",
    "filled",
    "joined",
    "locate",
    "locate_brings",
    "own_shard",
    "parts",
    "refuse",
    "render_duckdb",
    "sequence_name",
    "shapes_of",
    "staging",
    "timeless",
    "type_from",
    "type_mark",
]
