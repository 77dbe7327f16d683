"""Measures the house for `test_house.py`.  `python -m tests.house` writes `exports.txt` and prints what is too long;
`python -m tests.house runtime/outbox` what each file there knows.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "outgrow"
EXPORTS = Path(__file__).with_name("exports.txt")

LINES_MAX_FILE, LINES_MAX_FUNCTION = 400, 60

CODE = re.compile(r"OG-[A-Z]+-\d{3}\b")
HEADING = re.compile(r"^## (OG-[A-Z]+-\d{3})$", re.M)


@dataclass(frozen=True, slots=True)
class Import:
    """One import of one module; `module` is the dotted name with the imported name where that is a module of ours."""

    file: Path
    line: int
    module: str

    @property
    def at(self) -> str:
        return f"{self.file.relative_to(ROOT)}:{self.line}"

    @property
    def room(self) -> str | None:
        """Which room or root module of outgrow it is; None for others' modules."""
        parts = self.module.split(".")
        return None if parts[0] != "outgrow" else parts[1] if len(parts) > 1 else "outgrow"


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"), str(file))


def test_names(file: Path) -> set[str]:
    """The tests that a file holds."""
    return {
        node.name for node in tree(file).body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }


def rooms() -> list[str]:
    return sorted(place.name for place in SOURCE.iterdir() if (place / "__init__.py").exists())


def files(room: str) -> list[Path]:
    return sorted((SOURCE / room).rglob("*.py"))


def python_files() -> list[Path]:
    return sorted(file for top in ("src", "tests", "bench", "examples") for file in (ROOT / top).rglob("*.py"))


def project_files() -> list[Path]:
    """Everything that people read."""
    kinds = {".py", ".md", ".toml", ".sql", ".yaml", ".yml", ".txt"}
    tops = [ROOT / name for name in ("src", "tests", "bench", "examples", "docs", ".ci")]
    found = [file for top in tops for file in top.rglob("*") if file.is_file() and "out" not in file.parts]
    found += [file for file in ROOT.iterdir() if file.is_file()]
    return sorted(f for f in found if f.suffix in kinds or f.name == "Makefile" or f.parent.name == ".ci")


def imports(file: Path) -> Iterator[Import]:
    """All of them, those inside functions and under TYPE_CHECKING too."""
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield Import(file, node.lineno, name.name)
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                here = ["outgrow", *file.relative_to(SOURCE).with_suffix("").parts]
                module = ".".join([*here[: len(here) - node.level], *([module] if module else [])])
            if module == "outgrow":
                for name in node.names:
                    yield Import(file, node.lineno, f"outgrow.{name.name}")
            else:
                yield Import(file, node.lineno, module)


def functions(file: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree(file)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


def too_long() -> dict[str, int]:
    """`path` → lines of files, `path:function` → lines of functions that are over the limit."""
    found = {}
    for file in python_files():
        name = str(file.relative_to(ROOT))
        count = len(file.read_text(encoding="utf-8").splitlines())
        if count > LINES_MAX_FILE:
            found[name] = count
        for function in functions(file):
            length = (function.end_lineno or function.lineno) - function.lineno + 1
            if length > LINES_MAX_FUNCTION:
                found[f"{name}:{function.name}"] = length
    return found


def exports(room: str) -> list[str]:
    """The room's `__all__`."""
    for node in tree(SOURCE / room / "__init__.py").body:
        if isinstance(node, ast.Assign) and any(isinstance(t, ast.Name) and t.id == "__all__" for t in node.targets):
            return sorted(ast.literal_eval(node.value))
    return []


def exports_now() -> str:
    named = {"outgrow": exports("")} | {f"outgrow.{room}": exports(room) for room in rooms()}
    return "".join(f"{module}: {' '.join(names)}\n" for module, names in named.items())


def codes_raised() -> set[str]:
    """Every code that the source spells out, and those of the table of refusals, by the names that somebody refuses."""
    from outgrow.plan import refusals

    found = {code for file in SOURCE.rglob("*.py") for code in CODE.findall(file.read_text(encoding="utf-8"))}
    used = refused(tree(file) for file in SOURCE.rglob("*.py"))
    return found | {f"OG-PLAN-{refusal.number:03}" for name, refusal in refusals.REFUSALS.items() if name in used}


def refused(modules: Iterable[ast.Module]) -> set[str]:
    """The names that `refuse` and `refused` are called with."""
    found: set[str] = set()
    for node in (node for module in modules for node in ast.walk(module)):
        if isinstance(node, ast.Call) and node.args:
            called = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            if called in ("refuse", "refused"):
                found |= {
                    inner.value
                    for inner in ast.walk(node.args[0])
                    if isinstance(inner, ast.Constant) and isinstance(inner.value, str)
                }
    return found


def codes_documented() -> list[str]:
    return [
        code
        for page in sorted((ROOT / "docs" / "errors").glob("*.md"))
        for code in HEADING.findall(page.read_text(encoding="utf-8"))
    ]


def settings() -> set[str]:
    """The keys that `fleet.yaml` may have: the literal names given to `fields`, and the domain's list of them."""
    found: set[str] = set()
    nodes = [node for file in files("topology") for node in ast.walk(tree(file))]
    for node in nodes:
        value: ast.expr | None = None
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "fields":
            value = node.args[0]
        elif (
            isinstance(node, ast.Assign)
            and isinstance(node.targets[0], ast.Name)
            and node.targets[0].id in ("OF_A_DOMAIN", "kinds")
        ):
            value = node.value
        if isinstance(value, ast.Tuple):
            found |= set(ast.literal_eval(value))
    return found


def knows(file: Path) -> str:
    """The first line of a file: what it knows."""
    return (ast.get_docstring(tree(file)) or "").partition("\n")[0]


if __name__ == "__main__":
    for place in sys.argv[1:]:
        for file in files(place):
            print(f"{file.relative_to(SOURCE)}: {knows(file)}")
    if sys.argv[1:]:
        raise SystemExit
    EXPORTS.write_text(exports_now())
    for name, length in sorted(too_long().items()):
        print(f"    {name!r}: {length},".replace("'", '"'))
