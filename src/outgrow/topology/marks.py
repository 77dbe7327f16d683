"""YAML nodes with their line numbers, taken apart strictly.  Every refusal names the line and never a secret value."""

from __future__ import annotations

import difflib
import math
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NoReturn

import yaml

from outgrow.errors import ConfigurationError

_TAG = "tag:yaml.org,2002:"
_NOWHERE: Mapping[str, Collection[str]] = MappingProxyType({})
_KINDS = {"str": "text", "int": "a whole number", "float": "a number", "bool": "a yes/no value", "null": "nothing"}


@dataclass(frozen=True, slots=True)
class Spot:
    """One YAML node: what is written there, where, and what it is called on the way from the top."""

    node: yaml.Node
    source: str
    path: str

    @property
    def line(self) -> int:
        return int(self.node.start_mark.line) + 1

    def fail(self, code: str, message: str, cure: str) -> NoReturn:
        raise refusal(self.source, self.line, code, message, cure)

    def kind(self) -> str:
        """What is written there, in words; never the value."""
        if isinstance(self.node, yaml.MappingNode):
            return "a mapping"
        if isinstance(self.node, yaml.SequenceNode):
            return "a list"
        return _KINDS.get(self.node.tag.removeprefix(_TAG), f"a {self.node.tag.removeprefix(_TAG)}")

    def mapping(self) -> dict[str, tuple[Spot, Spot]]:
        """name → (the name's own spot, the value's)."""
        if not isinstance(self.node, yaml.MappingNode):
            self._wrong("a mapping (name: value)")
        found: dict[str, tuple[Spot, Spot]] = {}
        for key_node, value_node in self.node.value:
            key = Spot(key_node, self.source, self.path)
            name = key.text()
            if name in found:
                first = found[name][0].line
                key.fail(
                    "OG-TOPO-004",
                    f"{name!r} is here twice{self._inside()}; first in line {first}",
                    "remove one of them",
                )
            found[name] = (key, Spot(value_node, self.source, f"{self.path}.{name}".lstrip(".")))
        return found

    def fields(
        self, known: Sequence[str], required: Iterable[str] = (), elsewhere: Mapping[str, Collection[str]] = _NOWHERE
    ) -> dict[str, Spot]:
        """A mapping with these names only, of which the `required` ones must be there.

        `elsewhere` has names that belong into another place, by that place.
        """
        found = self.mapping()
        for name, (key, _) in found.items():
            if name not in known:
                near = nearest(name, known)
                cure = f"did you mean {near!r}?" if near else f"known here: {', '.join(known)}"
                for place, names in elsewhere.items():
                    if name in names:
                        cure = f"it belongs into {place}"
                key.fail("OG-TOPO-003", f"unknown key {name!r}{self._inside()}", cure)
        for name in required:
            if name not in found:
                self.fail("OG-TOPO-006", f"{name!r} is missing{self._inside()}", f"add `{name}:`")
        return {name: value for name, (_, value) in found.items()}

    def items(self) -> list[Spot]:
        if not isinstance(self.node, yaml.SequenceNode):
            self._wrong("a list ([a, b])")
        return [Spot(node, self.source, f"{self.path}[{index}]") for index, node in enumerate(self.node.value)]

    def is_mapping(self) -> bool:
        return isinstance(self.node, yaml.MappingNode)

    def is_list(self) -> bool:
        return isinstance(self.node, yaml.SequenceNode)

    def text(self) -> str:
        if not isinstance(self.node, yaml.ScalarNode) or self.node.tag != _TAG + "str":
            self._wrong("text", "; put it in quotes" if isinstance(self.node, yaml.ScalarNode) else "")
        return str(self.node.value)

    def one_of(self, known: Sequence[str], code: str, what: str) -> str:
        """A text that is one of those."""
        value = self.text()
        if value not in known:
            near = nearest(value, known)
            self.fail(
                code,
                f"unknown {what} {value!r}" + (f"; did you mean {near!r}?" if near else ""),
                f"choose one of: {', '.join(known)}",
            )
        return value

    def scalar(self) -> str:
        """What is written there, be it text, a number or a date."""
        if not isinstance(self.node, yaml.ScalarNode) or self.node.tag == _TAG + "null":
            self._wrong("one value")
        return str(self.node.value)

    def whole(self) -> int:
        # Plain decimals only: YAML would also read 010 as eight and 1:30 as ninety.
        value = self.node.value
        if self.node.tag != _TAG + "int" or not re.fullmatch(r"-?(0|[1-9][0-9]{0,17})", str(value)):
            self._wrong("a whole number")
        return int(value)

    def yes(self) -> bool:
        if self.node.tag != _TAG + "bool" or self.node.value not in ("true", "false"):
            self._wrong("true or false")
        return bool(self.node.value == "true")

    def seconds(self) -> float:
        if self.node.tag not in (_TAG + "int", _TAG + "float") or not re.fullmatch(
            r"[0-9]{1,17}(\.[0-9]*)?([eE][-+]?[0-9]{1,3})?", str(self.node.value)
        ):
            self._wrong("a number of seconds")
        value = float(self.node.value)
        if not math.isfinite(value):
            self._wrong("a number of seconds")
        return value

    def _inside(self) -> str:
        return f" in {self.path}" if self.path else ""

    def _wrong(self, wanted: str, more: str = "") -> NoReturn:
        self.fail("OG-TOPO-005", f"{self.path or 'the file'} is {self.kind()}", f"write {wanted}{more}")


def refusal(source: str, line: int | None, code: str, message: str, cure: str) -> ConfigurationError:
    place = f"{source}, line {line}" if line is not None else source
    return ConfigurationError(code, f"{place}: {message}", cure=cure)


def nearest(name: str, known: Iterable[str]) -> str | None:
    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.55)
    return found[0] if found else None


def compose(text: str, source: str) -> Spot:
    """The YAML text as its top spot.  Raises ConfigurationError, whatever the text."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or getattr(error, "reason", None) or "it cannot be read"
        raise refusal(
            source,
            mark.line + 1 if mark else None,
            "OG-TOPO-002",
            f"this is not YAML: {problem}",
            "correct the syntax there",
        ) from None
    except (RecursionError, ValueError):
        raise refusal(
            source, None, "OG-TOPO-002", "this is not YAML that a fleet needs", "correct the syntax"
        ) from None
    if node is None:
        raise refusal(source, 1, "OG-TOPO-002", "the file is empty", "start with `fleet: NAME` and `domains:`")
    return Spot(node, source, "")
