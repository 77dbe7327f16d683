"""Every block of the documentation marked runnable runs, in order, in one empty directory for each page.

<!-- runnable -->                      a `sh` or `python` block follows
<!-- tables of PATH -->                a `yaml` block follows, whose `tables:` are pasted into that file as they stand
<!-- domain of PATH -->                a `yaml` block with any keys of its first domain follows
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

from outgrow.topology import parse
from tests import scratch

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(
    r"^<!-- (?P<mark>runnable|tables|domain)(?: of (?P<of>\S+))? -->\n```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.M | re.S
)
MARK = re.compile(r"^<!-- (?:runnable|tables of|domain of)", re.M)
LINK = re.compile(r"\]\((?P<to>[^)#:]+)(?:#[^)]*)?\)")


@dataclass(frozen=True, slots=True)
class Block:
    mark: str
    kind: str
    text: str
    of: str | None
    line: int


def pages() -> list[Path]:
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "examples").glob("*.md"))]


def blocks(page: Path) -> list[Block]:
    text = page.read_text()
    return [
        Block(found["mark"], found["kind"], found["text"], found["of"], text.count("\n", 0, found.start()) + 1)
        for found in BLOCK.finditer(text)
    ]


@pytest.fixture
def place() -> Iterator[Path]:
    """An empty directory that root's servers, run as nobody, can reach."""
    directory = Path(tempfile.mkdtemp(prefix="outgrow-docs-", dir=scratch.place()))
    directory.chmod(0o755)
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def run(block: Block, place: Path) -> None:
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "OUTGROW_HOME": str(place / "home"),
    }
    if block.kind == "sh":
        # outgrow itself is installed already, from this working copy
        text = "\n".join(line for line in block.text.splitlines() if not line.startswith("pip install "))
        command = ["sh", "-euc", text]
    else:
        command = [sys.executable, "-W", "error", "-c", block.text]
    done = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, f"{block.text}\n{done.stdout}\n{done.stderr}"


def set_domain(block: Block, path: Path) -> None:
    told = yaml.safe_load(path.read_text())
    domain = next(iter(told["domains"].values()))
    domain.update(yaml.safe_load(block.text))
    path.write_text(yaml.safe_dump(told, sort_keys=False))


def pasted(block: str, file: str) -> str:
    """The file with what the block has behind its comment put behind the shards of the domain that it names."""
    above, comment, lines = block.partition("    # engine, slots and shards, as they are\n")
    assert comment and file.count(above) == 1, "the file has the block's domain as its first"
    head, rest = file.split(above)
    of_domain = re.match(r"(?:    .*\n)+", rest)
    assert of_domain and "    shards:\n" in of_domain[0], "it has shards"
    return f"{head}{above}{of_domain[0]}{lines}{rest[of_domain.end() :]}"


def test_a_block_is_pasted_as_it_stands() -> None:
    """What a reader does with it, and no more: no key is looked for, no indentation changed."""
    domain = "  app:\n    engine: postgresql\n    shards:\n      s1: {primary: host=a}\n"
    file = f"fleet: f\ndomains:\n{domain}secret: {{env: X}}\n"
    for page in pages():
        for block in blocks(page):
            if block.mark == "tables":
                topology = parse(pasted(block.text, file), environment={"X": "x" * 16})
                assert topology.domains[0].tables
    with pytest.raises(AssertionError):
        pasted("tables:\n  t: {shard_by: id}\n", file)


def test_marks_are_understood() -> None:
    """A mark that the pattern does not match would silently run nothing."""
    for page in pages():
        assert len(MARK.findall(page.read_text())) == len(blocks(page)), page
    assert len(blocks(ROOT / "README.md")) >= 3
    assert len(blocks(ROOT / "docs" / "quickstart.md")) >= 8


@pytest.mark.parametrize("page", [page for page in pages() if blocks(page)], ids=lambda page: page.name)
def test_page_runs(page: Path, place: Path) -> None:
    try:
        for block in blocks(page):
            if block.of and block.mark == "tables":
                path = place / block.of
                path.write_text(pasted(block.text, path.read_text()))
            elif block.of:
                set_domain(block, place / block.of)
            else:
                run(block, place)
    finally:
        for directory in place.iterdir():
            if (directory / "state.json").exists():
                run(Block("runnable", "sh", f"outgrow down --dir {directory} --delete", None, 0), place)


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.finditer(page.read_text()):
        assert (page.parent / link["to"]).exists(), f"{page.name}: {link['to']}"
