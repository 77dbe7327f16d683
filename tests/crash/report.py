"""What a run has found, and how it is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, fields
from typing import Any

from tests.crash.points import POINTS

#: Anomalies are told with their words up to this many; all are counted.
EXAMPLES_MAX = 20


@dataclass(slots=True)
class Report:
    """Of one slice, or of several."""

    seed: int
    faults: int = 0
    anomalies: int = 0
    #: Transfers that an operator's promotion of a replica that had not got all has lost, in part or wholly.
    lost_by_failover: int = 0
    #: Of those that are half there: how many the product has named as lost.
    lost_named: int = 0
    #: "point × fault" → how many struck.
    matrix: Counter[str] = field(default_factory=Counter)
    #: Cells that did not come about though they were tried.
    missed: Counter[str] = field(default_factory=Counter)
    #: How long each branch stayed prepared that was seen so twice, without what was broken meanwhile, and with it.
    doubts: list[float] = field(default_factory=list)
    prepared: list[float] = field(default_factory=list)
    sums_conserved: bool = True
    transfers: int = 0
    answers: Counter[str] = field(default_factory=Counter)
    #: Why transfers were answered as they were: the error's code.
    codes: Counter[str] = field(default_factory=Counter)
    engines: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0
    examples: list[str] = field(default_factory=list)

    def strike(self, point: str, fault: str) -> None:
        self.faults += 1
        self.matrix[f"{point} × {fault}"] += 1

    @property
    def by_point(self) -> Counter[str]:
        return Counter({str(point): self._count(str(point), 0) for point in POINTS})

    @property
    def by_fault(self) -> Counter[str]:
        faults = dict.fromkeys(cell.split(" × ")[1] for cell in self.matrix)
        return Counter({fault: self._count(fault, 1) for fault in faults})

    @property
    def points_covered(self) -> int:
        return sum(count > 0 for count in self.by_point.values())

    @property
    def in_doubt_p99_s(self) -> float | None:
        return p99(self.doubts)

    def _count(self, name: str, part: int) -> int:
        return sum(count for cell, count in self.matrix.items() if cell.split(" × ")[part] == name)

    def add(self, other: Report) -> None:
        for one in fields(self):
            mine, its = getattr(self, one.name), getattr(other, one.name)
            if one.name == "sums_conserved":
                self.sums_conserved &= its
            elif one.name == "examples":
                self.examples = (mine + its)[:EXAMPLES_MAX]
            elif one.name != "seed":
                setattr(self, one.name, mine + its)

    def to_dict(self) -> dict[str, Any]:
        """The figures first; the rest is for whoever wants to know more."""
        return {
            "faults": self.faults,
            "anomalies": self.anomalies,
            "points_covered": self.points_covered,
            "points_total": len(POINTS),
            "in_doubt_p99_s": self.in_doubt_p99_s,
            "in_doubt": len(self.doubts),
            "prepared_p99_s": p99(self.prepared),
            "sums_conserved": self.sums_conserved,
            "lost_by_failover": self.lost_by_failover,
            "lost_named": self.lost_named,
            "seed": self.seed,
            "seconds": round(self.seconds, 1),
            "transfers": self.transfers,
            "engines": dict(self.engines),
            "answers": dict(self.answers),
            "codes": dict(self.codes),
            "by_point": dict(self.by_point),
            "by_fault": dict(self.by_fault),
            "matrix": dict(sorted(self.matrix.items())),
            "missed": dict(sorted(self.missed.items())),
            "examples": self.examples,
        }

    def saved(self) -> dict[str, Any]:
        return {one.name: getattr(self, one.name) for one in fields(self)}

    @classmethod
    def read(cls, saved: dict[str, Any]) -> Report:
        made = cls(saved["seed"])
        for one in fields(cls):
            value = saved[one.name]
            setattr(made, one.name, Counter(value) if isinstance(value, dict) else value)
        return made

    def table(self) -> Iterator[str]:
        """Points down, faults across: how many struck."""
        faults = list(self.by_fault)
        for number, fault in enumerate(faults):
            yield "  " + "│ " * number + "┌ " + fault
        for point in POINTS:
            counts = [self.matrix[f"{point} × {fault}"] for fault in faults]
            yield " ".join(f"{count or '·':>3}" for count in counts) + f"   {point}"


def p99(seconds: list[float]) -> float | None:
    """99 of 100 are no longer."""
    return round(sorted(seconds)[int(0.99 * (len(seconds) - 1))], 3) if seconds else None
