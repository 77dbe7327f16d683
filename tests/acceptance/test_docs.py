"""Every block of the documentation marked runnable runs, in order, in one empty directory for each page.

<!-- runnable -->                      a `sh` or `python` block follows
<!-- tables of PATH -->                a `yaml` block with `tables:` for that fleet.yaml follows
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

from tests import scratch

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(
    r"^<!-- (runnable|(?:tables|domain) of (?P<of>\S+)) -->\n```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.M | re.S
)
MARK = re.compile(r"^<!-- (?:runnable|tables of|domain of)", re.M)
LINK = re.compile(r"\]\((?P<to>[^)#:]+)(?:#[^)]*)?\)")


@dataclass(frozen=True, slots=True)
class Block:
    kind: str
    text: str
    of: str | None
    line: int


def pages() -> list[Path]:
    return [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")), *sorted((ROOT / "examples").glob("*.md"))]


def blocks(page: Path) -> list[Block]:
    text = page.read_text()
    return [
        Block(found["kind"], found["text"], found["of"], text.count("\n", 0, found.start()) + 1)
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
            if block.of:
                set_domain(block, place / block.of)
            else:
                run(block, place)
    finally:
        for directory in place.iterdir():
            if (directory / "state.json").exists():
                run(Block("sh", f"outgrow down --dir {directory} --delete", None, 0), place)


@pytest.mark.parametrize("page", pages(), ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.finditer(page.read_text()):
        assert (page.parent / link["to"]).exists(), f"{page.name}: {link['to']}"
