"""Loads this room's SQL by name from `queries.sql`."""

from __future__ import annotations

from importlib.resources import files


def _load() -> dict[str, str]:
    queries: dict[str, str] = {}
    for part in files("outgrow.nodes").joinpath("queries.sql").read_text().split("-- name: ")[1:]:
        name, _, body = part.partition("\n")
        queries[name.strip()] = "\n".join(line for line in body.splitlines() if not line.startswith("--")).strip()
    return queries


#: name → SQL, without the explaining comment.
QUERIES = _load()
