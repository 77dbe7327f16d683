"""A brought query in DuckDB's words, where every part of it is known to mean the same there."""

from .queries import Output, Rendered, Unvetted, render_duckdb
from .types import FAMILIES, Type, declared

__all__ = ["FAMILIES", "Output", "Rendered", "Type", "Unvetted", "declared", "render_duckdb"]
