"""Reads a room's SQL, `queries.sql` or a folder: each query has a `-- name: x` line and a comment with its purpose."""

from __future__ import annotations

import importlib.resources
from collections.abc import Mapping
from types import MappingProxyType


def load(package: str, file: str = "queries.sql") -> Mapping[str, str]:
    """The queries of `package` by name, in file order, without comment lines and closing semicolons."""
    text = importlib.resources.files(package).joinpath(file).read_text(encoding="utf-8")
    return parse(text)


def load_folder(package: str, folder: str) -> Mapping[str, str]:
    """The queries of all files in a folder of the package.  Raises ValueError for a name used twice."""
    files = sorted(importlib.resources.files(package).joinpath(folder).iterdir(), key=lambda file: file.name)
    return parse("\n".join(file.read_text(encoding="utf-8") for file in files if file.name.endswith(".sql")))


def parse(text: str) -> Mapping[str, str]:
    """`-- name: x` sections of `text`.  Raises ValueError for a name used twice or SQL before the first name."""
    found: dict[str, list[str]] = {}
    current: list[str] | None = None
    for line in text.splitlines():
        if line.startswith("-- name:"):
            name = line.removeprefix("-- name:").strip()
            if name in found:
                raise ValueError(f"query {name} is there twice")
            current = found[name] = []
        elif line.strip() and not line.lstrip().startswith("--"):
            if current is None:
                raise ValueError(f"SQL before the first name: {line!r}")
            current.append(line.rstrip())
    return MappingProxyType({name: "\n".join(lines).rstrip().removesuffix(";") for name, lines in found.items()})
