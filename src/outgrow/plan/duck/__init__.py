"""A brought query in DuckDB's words, where every part of it is known to mean the same there."""

from .queries import Output, Rendered, Unvetted, render_duckdb
from .shapes import shapes_of
from .types import FAMILIES, Type

__all__ = ["FAMILIES", "Output", "Rendered", "Type", "Unvetted", "render_duckdb", "shapes_of"]
