"""The house stays as it was drawn: arrows, sizes, names, codes.  `python -m tests.house` makes the lists anew."""

from __future__ import annotations

import ast
import re
from collections import Counter

import pytest

from outgrow.plan import refusals
from tests import house

ROOT_WORDS = {"errors", "waits", "clock", "sqlfile", "events"}

ARROWS: dict[str, set[str]] = {
    "topology": set(),
    "schema": {"topology"},
    "statement": {"schema", "topology"},
    "keyspace": {"topology"},
    "plan": {"statement", "schema", "topology", "keyspace"},
    "route": {"plan", "topology"},
    "nodes": {"topology"},
    "finish": {"plan"},
    "ledger": {"nodes", "topology"},
    "transactions": {"ledger"},
    "moving": {"topology", "keyspace", "nodes", "ledger"},
    # It composes them all, the bulk load into `Fleet.load` too.
    "runtime": {
        *("topology", "schema", "statement", "keyspace", "plan", "route", "nodes", "finish", "ledger"),
        *("transactions", "moving"),
    },
    # Targets of relays, behind the port of whoever delivers to them.
    "targets": {"transactions"},
    "watch": {"nodes", "topology", "route"},
    "local": {"topology"},
    "doors": {"runtime", "moving", "local", "topology", "targets", "outgrow"},
}

PURE = ("topology", "schema", "statement", "keyspace", "plan", "route")

#: What a pure room cannot need: time, chance and the world.
WORLDLY = {
    *("time", "random", "secrets", "os", "subprocess", "signal", "shutil", "tempfile"),
    *("socket", "select", "selectors", "ssl", "http", "urllib.request"),
    *("threading", "multiprocessing", "asyncio", "concurrent"),
}

#: The one file of a pure room that reads the world, and says so.
READS_THE_WORLD = {"src/outgrow/topology/reader.py": {"os"}, "src/outgrow/topology/outside.py": {"subprocess"}}

#: Names that say nothing, with what to do instead.
BANNED_CLASSES = re.compile(r"(Manager|Helper|Base|Common|Util|Utils|Impl)$|^(Base|Abstract)[A-Z]")
BANNED_FILES = {"utils", "util", "common", "helpers", "helper", "base", "manager", "misc", "core"}
BANNED_TEXT = {
    r"\.\./shared": "project files stand by themselves",
    r"(?<![\w.])/work/": "no paths of one machine",
    r"(?<![\w.])/home/\w+": "no paths of one machine",
    r"index-url|extra-index|devpi|artifactory": "which registry is the user's business",
    r"\b[Ii]ssue #?\d": "say why, not where it was discussed",
}

#: Longer than the limit, each with its length today.  A number may only fall, an entry only go.
LONG: dict[str, int] = {}


@pytest.mark.parametrize("room", house.rooms())
def test_arrows(room: str) -> None:
    assert room in ARROWS, f"draw the arrows of {room}"
    allowed = ARROWS[room] | ROOT_WORDS | {room}
    wrong = [
        f"{one.at} imports {one.module}"
        for file in house.files(room)
        for one in house.imports(file)
        if one.room is not None and one.room not in allowed
    ]
    assert wrong == []


def test_root_words_know_no_room() -> None:
    wrong = [
        f"{one.at} imports {one.module}"
        for word in ROOT_WORDS
        if (file := house.SOURCE / f"{word}.py").exists()
        for one in house.imports(file)
        if one.room is not None and one.room not in ROOT_WORDS
    ]
    assert wrong == []


def test_finish_knows_only_the_specification() -> None:
    wrong = [
        f"{one.at} imports {one.module}"
        for file in house.files("finish")
        for one in house.imports(file)
        if one.room == "plan" and one.module not in ("outgrow.plan", "outgrow.plan.spec", "outgrow.plan.refusals")
    ]
    assert wrong == []


@pytest.mark.parametrize(
    ("library", "owner"),
    [
        ("psycopg", "nodes"),
        ("pymysql", "nodes"),
        ("sqlglot", "statement"),
        ("opentelemetry", "watch"),
        ("duckdb", "finish"),
        ("pyarrow", "finish"),
        ("redis", "targets"),
        ("nats", "targets"),
    ],
)
def test_one_room_imports_each_driver_and_parser(library: str, owner: str) -> None:
    users = {
        one.at
        for file in house.SOURCE.rglob("*.py")
        for one in house.imports(file)
        if one.module.split(".")[0] == library and file.relative_to(house.SOURCE).parts[0] != owner
    }
    assert users == set()
    assert any(one.module.split(".")[0] == library for file in house.files(owner) for one in house.imports(file))


@pytest.mark.parametrize("room", PURE)
def test_pure_rooms_have_no_world(room: str) -> None:
    wrong = [
        f"{one.at} imports {one.module}"
        for file in house.files(room)
        for one in house.imports(file)
        if (one.module in WORLDLY or one.module.split(".")[0] in WORLDLY or one.module == "outgrow.clock")
        and one.module not in READS_THE_WORLD.get(str(file.relative_to(house.ROOT)), set())
    ]
    assert wrong == []


def test_sizes() -> None:
    now = house.too_long()
    grown = {name: length for name, length in now.items() if length > LONG.get(name, 0)}
    assert grown == {}, "too long: take something out into a room's own file, or a function of its own"
    slack = {name: (length, now.get(name, 0)) for name, length in LONG.items() if now.get(name, 0) < length}
    assert slack == {}, "shorter than the list says: bring the list down"


def test_names() -> None:
    wrong = []
    for file in house.python_files():
        place = file.relative_to(house.ROOT)
        if file.stem in BANNED_FILES:
            wrong.append(f"{place}: name it after what it knows")
        for node in ast.walk(house.tree(file)):
            if isinstance(node, ast.ClassDef) and BANNED_CLASSES.search(node.name):
                wrong.append(f"{place}:{node.lineno}: {node.name} says nothing")
    assert wrong == []


def test_steps_are_called_steps() -> None:
    wrong = [
        f"{file.relative_to(house.ROOT)}:{function.lineno}: {function.name}"
        for file in house.SOURCE.rglob("*.py")
        for function in house.functions(file)
        if function.returns is not None
        and ast.unparse(function.returns).strip("'\"").startswith("Steps[")
        and not function.name.endswith("_steps")
        and function.name != "together"  # its arguments are the steps
    ]
    assert wrong == []


def test_texts() -> None:
    wrong = []
    for file in house.project_files():
        if file.name == "test_house.py":
            continue
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            wrong += [
                f"{file.relative_to(house.ROOT)}:{number}: {why}"
                for pattern, why in BANNED_TEXT.items()
                if re.search(pattern, line)
            ]
    assert wrong == []


def test_every_code_is_documented_once() -> None:
    documented = house.codes_documented()
    twice = [code for code, count in Counter(documented).items() if count > 1]
    assert twice == []
    raised = house.codes_raised()
    assert sorted(raised - set(documented)) == [], "write a section for each in docs/errors"
    assert sorted(set(documented) - raised) == [], "nothing raises these any more"


def test_every_refusal_is_used() -> None:
    assert house.refused([ast.parse("raise refused('a' if b else 'c', 'd')")]) == {"a", "c"}
    used = house.refused(house.tree(file) for file in house.SOURCE.rglob("*.py"))
    assert sorted(set(refusals.REFUSALS) - used) == [], "nothing refuses these any more"


def test_every_file_says_what_it_knows_and_every_place_is_on_a_map() -> None:
    """ARCHITECTURE.md names each folder, or a DESIGN.md does; and no map names a file that is not there."""
    assert [str(file) for file in house.files("") if not house.knows(file)] == []
    maps = [house.ROOT / "ARCHITECTURE.md", house.ROOT / "docs" / "mariadb.md", *house.SOURCE.rglob("DESIGN.md")]
    text = "".join(page.read_text(encoding="utf-8") for page in maps)
    places = {file.parent.relative_to(house.SOURCE) for file in house.files("")}
    assert sorted(str(place) for place in places if place.parts and f"`{place}" not in text) == []
    there = {f"/{file.relative_to(house.ROOT)}" for file in house.project_files()}
    named = {name for page in maps[:2] for name in re.findall(r"`([\w/]+\.py)`", page.read_text(encoding="utf-8"))}
    assert sorted(name for name in named if not any(path.endswith(f"/{name}") for path in there)) == []


def test_exported_names_are_frozen() -> None:
    assert house.EXPORTS.read_text() == house.exports_now(), "meant? then `python -m tests.house`, and the changelog"


def test_queries_are_named_and_explained() -> None:
    wrong = []
    for file in house.SOURCE.rglob("*.sql"):
        lines = file.read_text(encoding="utf-8").splitlines()
        for number, line in enumerate(lines):
            if line.startswith("-- name:") and not (number + 1 < len(lines) and lines[number + 1].startswith("-- ")):
                wrong.append(f"{file.relative_to(house.ROOT)}:{number + 1}: say what the query is for")
    assert wrong == []


def test_settings_are_documented() -> None:
    page = (house.ROOT / "docs" / "fleet.md").read_text()
    known = house.settings()
    assert {"slots", "wait_timeout_seconds", "shard_by", "env", "primary"} <= known
    assert sorted(key for key in known if f"`{key}`" not in page) == []


def test_guarantees_name_tests_that_exist() -> None:
    page = (house.ROOT / "README.md").read_text(encoding="utf-8")
    section = page.split("## What holds when it breaks\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")][2:]
    there = {name for file in (house.ROOT / "tests").rglob("test_*.py") for name in house.test_names(file)}
    assert len(lines) >= 9
    for line in lines:
        named = re.findall(r"`(test_\w+)`", line.rsplit("|", 2)[1])
        assert named and there.issuperset(named), f"no such test: {line}"
