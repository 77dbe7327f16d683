"""One SELECT in parts, so that it can be rendered, asked without its LIMIT, and made smaller."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

_HOLE = re.compile("\x01(\\d+)\x02")


def hole(index: int) -> str:
    """The place of parameter `index` in a template."""
    return f"\x01{index}\x02"


@dataclass(slots=True)
class Block:
    items: list[str] = field(default_factory=list)
    source: str = ""
    where: list[str] = field(default_factory=list)
    group: list[str] = field(default_factory=list)
    having: str = ""
    order: list[str] = field(default_factory=list)
    limit: str = ""
    offset: str = ""
    distinct: str = ""
    #: ("UNION ALL", block), …: the other arms, from left to right.
    arms: list[tuple[str, Block]] = field(default_factory=list)
    ctes: list[tuple[str, str]] = field(default_factory=list)
    tail: str = ""
    #: Instead of everything above but order and limit: VALUES, TABLE t, a whole statement.
    raw: str = ""

    def sql(self) -> str:
        """The template: SQL with holes for parameters."""
        words = []
        if self.ctes:
            words.append("WITH " + ", ".join(f"{name} AS {body}" for name, body in self.ctes))
        words.append(self.raw or self._select())
        for operator, arm in self.arms:
            words.append(f"{operator} {arm._select()}")
        for keyword, text in (("ORDER BY", ", ".join(self.order)), ("LIMIT", self.limit), ("OFFSET", self.offset)):
            if text:
                words.append(f"{keyword} {text}")
        return " ".join([*words, self.tail]).strip()

    def _select(self) -> str:
        words = ["SELECT", self.distinct, ", ".join(self.items)]
        if self.source:
            words += ["FROM", self.source]
        if self.where:
            words += ["WHERE", " AND ".join(f"({text})" for text in self.where)]
        if self.group:
            words += ["GROUP BY", ", ".join(self.group)]
        if self.having:
            words += ["HAVING", self.having]
        return " ".join(word for word in words if word)


@dataclass(frozen=True, slots=True)
class Case:
    """One statement with what is known about its answer."""

    block: Block
    values: tuple[object, ...]
    construct: str
    #: "none", "total" (the list is the answer), "keys" (the columns `keys` come in this order).
    order: str = "none"
    keys: tuple[int, ...] = ()
    #: "%s" or "$"
    style: str = "%s"
    #: May be no valid SQL.
    odd: bool = False
    #: The statement writes: afterwards this table is read, and all is undone.
    written: str = ""

    def render(self, unlimited: bool = False) -> tuple[str, list[object] | None]:
        """(text, parameters) as a program would write them; None where there are no parameters."""
        block = replace(self.block, limit="", offset="") if unlimited else self.block
        template = block.sql()
        used: list[int] = []

        def put(match: re.Match[str]) -> str:
            used.append(int(match[1]))
            return "%s" if self.style == "%s" else f"${len(used)}"

        if not _HOLE.search(template):
            return template, None
        if self.style == "%s":
            template = template.replace("%", "%%")
        text = _HOLE.sub(put, template)
        return text, [self.values[index] for index in used]

    @property
    def limited(self) -> bool:
        return bool(self.block.limit or self.block.offset)


def smaller(case: Case) -> Iterator[Case]:
    """Cases with one part less, the boldest cuts first."""
    block = case.block
    for index in range(len(block.arms)):
        yield replace(case, block=replace(block, arms=block.arms[:index] + block.arms[index + 1 :]))
    for name in ("having", "limit", "offset", "tail", "distinct"):
        if getattr(block, name):
            shorter = replace(block)
            setattr(shorter, name, "")
            yield replace(case, block=shorter)
    for index in range(len(block.where)):
        yield replace(case, block=replace(block, where=block.where[:index] + block.where[index + 1 :]))
    if block.order:
        yield replace(case, block=replace(block, order=[], limit="", offset=""), order="none", keys=())
    if len(block.items) > 1 and not block.arms and case.order != "keys" and not block.order:
        for index in range(len(block.items)):
            yield replace(case, block=replace(block, items=block.items[:index] + block.items[index + 1 :]))
