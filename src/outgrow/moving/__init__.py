"""Bringing rows into a domain: bulk load."""

from outgrow.moving.load import Loaded, LoadOptions, Progress, load_steps
from outgrow.moving.load_lanes import CopyTarget
from outgrow.moving.load_layout import LoadColumn, LoadFormat, LoadTable
from outgrow.moving.load_links import LinkTarget, load_into_steps

__all__ = [
    "CopyTarget",
    "LinkTarget",
    "LoadColumn",
    "LoadFormat",
    "LoadOptions",
    "LoadTable",
    "Loaded",
    "Progress",
    "load_into_steps",
    "load_steps",
]
