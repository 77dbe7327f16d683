"""Bringing rows into a domain: bulk load, and COPY piece by piece."""

from outgrow.moving.copy_rows import BINARY_HEADER, BINARY_TRAILER, RowForm
from outgrow.moving.feed import Feed, SplitFeed, Whole
from outgrow.moving.load import Loaded, LoadOptions, Opened, Progress, load_steps, open_source, shards_of
from outgrow.moving.load_lanes import CopyTarget, Lane
from outgrow.moving.load_layout import LoadColumn, LoadFormat, LoadTable, layout
from outgrow.moving.load_links import LinkTarget, target_of
from outgrow.moving.numbering import Numbered, Numbering
from outgrow.moving.pour import Pour

__all__ = [
    "BINARY_HEADER",
    "BINARY_TRAILER",
    "CopyTarget",
    "Feed",
    "Lane",
    "LinkTarget",
    "LoadColumn",
    "LoadFormat",
    "LoadOptions",
    "LoadTable",
    "Loaded",
    "Numbered",
    "Numbering",
    "Opened",
    "Pour",
    "Progress",
    "RowForm",
    "SplitFeed",
    "Whole",
    "layout",
    "load_steps",
    "open_source",
    "shards_of",
    "target_of",
]
