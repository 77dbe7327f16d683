"""Statements ready to run: bound and planned once per text, kept in a bounded cache."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from outgrow.errors import ProgrammingError
from outgrow.events import Fingerprint
from outgrow.keyspace import Entry
from outgrow.plan import Everything, Located, Placer, Plan, Where, locate
from outgrow.statement import READING, Kind, Placeholders, fingerprint

Parameters = Sequence[Any] | Mapping[str, Any] | None


_HARMLESS = READING | {"locking"}


class Point(NamedTuple):
    """Where one parameter alone is the key: its index, the only Python type this shortcut takes, and its shard.

    `shard_of` answers None for a value that needs the long way.
    """

    at: int
    python_type: type
    shard_of: Callable[[Any], str | None]


class Prepared:
    """One text's plan, with what the hot path wants at hand."""

    __slots__ = (
        *(
            "_fingerprint",
            "abroad",
            "claims",
            "drawing",
            "estimated",
            "located",
            "parameters",
            "placeholders",
            "plan",
            "point",
            "read_only",
            "sql",
            "statement",
        ),
        "with_parameters",
        "writes",
    )

    def __init__(self, placeholders: Placeholders, plan: Plan, point: Point | None) -> None:
        #: The user's; the statement has more where numbers are drawn.
        self.placeholders = placeholders
        self.statement = statement = plan.statement
        self.plan = plan
        self.sql = statement.sql
        self.read_only = plan.access == "read"
        self.point = point
        #: What is drawn before routing; its numbers follow the user's parameters.
        self.drawing = plan.drawing
        #: Where it goes whatever its parameters are; None where they decide, or nobody has asked yet.
        self.located: Located | None = None
        #: What servers said lately of rows that are brought; `runtime.reading.staged` keeps it here.
        self.estimated: object = None
        self.parameters = placeholders.count
        #: It may write what is unique in the whole domain: its index is kept with it.
        self.claims = False
        #: Of a statement over several domains: the pictures of the others that it was planned by.
        self.abroad: Mapping[str, object] | None = None
        self.with_parameters = True
        self._fingerprint: Fingerprint | None = None
        #: It may change rows.  (A locking read goes to the primary, but writes nothing.)
        self.writes = statement.kind is not Kind.SESSION and not (
            statement.kind is Kind.QUERY and all(effect.kind in _HARMLESS for effect in statement.effects)
        )

    @property
    def fingerprint(self) -> Fingerprint:
        """What the statement is without its values; made when somebody first asks."""
        if self._fingerprint is None:
            self._fingerprint = fingerprint(self.statement)
        return self._fingerprint

    def locate(self, values: Sequence[Any], placer: Placer, absent: frozenset[Entry] = frozenset()) -> Located:
        """The shards for these parameters.  Raises Lookup for keys that the directory must be asked for."""
        if self.located is not None:
            return self.located
        located = locate(self.plan, values, placer, absent)
        plan = self.plan
        everywhere = all(isinstance(scan.keys, Everything) for scan in plan.scans)
        if everywhere and plan.where is Where.KEYS and not plan.key_changes:
            self.located = located
        return located


class PlanCache:
    """Two generations of plans by text: what is used stays, what is not used falls out, in constant time.

    A varying IN list makes a new text for every length, so the bound matters more than the order of eviction.
    """

    def __init__(self, size_max: int = 4096) -> None:
        self._half = max(1, size_max // 2)
        self._young: dict[tuple[str, bool], Prepared] = {}
        self._old: dict[tuple[str, bool], Prepared] = {}

    def find(self, key: tuple[str, bool]) -> Prepared | None:
        found = self._young.get(key)
        if found is None:
            found = self._old.get(key)
            if found is not None:
                self.keep(key, found)
        return found

    def keep(self, key: tuple[str, bool], prepared: Prepared) -> None:
        if len(self._young) >= self._half:
            self._old, self._young = self._young, {}
        self._young[key] = prepared

    def __len__(self) -> int:
        return len(self._young.keys() | self._old.keys())


def values_of(placeholders: Placeholders, parameters: Parameters) -> Sequence[Any]:
    """The values of $1 … $n."""
    if parameters is None:
        if placeholders.count:
            raise ProgrammingError(
                "OG-RUN-002",
                f"the statement has {placeholders.count} placeholders but was given no parameters",
                cure="pass the parameters as the second argument",
            )
        return ()
    if placeholders.names is not None:
        if not isinstance(parameters, Mapping):
            raise ProgrammingError(
                "OG-RUN-003",
                "the statement has named placeholders but was given a sequence",
                cure="pass a mapping such as {'name': value}",
            )
        missing = [name for name in placeholders.names if name not in parameters]
        if missing:
            raise ProgrammingError(
                "OG-RUN-004", f"no value for the placeholder {missing[0]!r}", cure="add it to the mapping"
            )
        return [parameters[name] for name in placeholders.names]
    if isinstance(parameters, Mapping):
        if not placeholders.count:
            return ()
        raise ProgrammingError(
            "OG-RUN-003",
            "the statement has positional placeholders but was given a mapping",
            cure="pass a list or tuple, or write %(name)s",
        )
    if isinstance(parameters, (str, bytes)) or not isinstance(parameters, Sequence):
        raise ProgrammingError(
            "OG-RUN-005",
            f"parameters must be a list, a tuple or a mapping, not {type(parameters).__name__}",
            cure="wrap a single value: [value]",
        )
    if len(parameters) != placeholders.count:
        raise ProgrammingError(
            "OG-RUN-006",
            f"the statement has {placeholders.count} placeholders but was given {len(parameters)} parameters",
            cure="pass one value per placeholder; write %% for a percent sign",
        )
    return parameters
