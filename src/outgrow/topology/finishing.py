"""`finish:` of a domain: what one statement may bring together, and who puts it together."""

from __future__ import annotations

import re
from dataclasses import replace

from outgrow.topology.marks import Spot
from outgrow.topology.model import FinishLimits
from outgrow.topology.outside import Outside, expanded

FINISHERS = ("auto", "postgresql", "duckdb")
_UNITS = {"MB": 2**20, "GB": 2**30}


def finish_of(spot: Spot, outside: Outside) -> FinishLimits:
    fields = spot.fields(("rows_max", "bytes_max", "engine", "memory", "spill_directory", "threads"))
    limits = FinishLimits()
    if "rows_max" in fields:
        limits = replace(limits, rows_max=fields["rows_max"].whole())
    if "bytes_max" in fields:
        limits = replace(limits, bytes_max=fields["bytes_max"].whole())
    if not fields or min(limits.rows_max, limits.bytes_max) < 1:
        shown = ", ".join(f"{name} is {fields[name].node.value}" for name in fields) or "finish says nothing"
        spot.fail("OG-TOPO-045", shown, "give rows_max, bytes_max or both, each 1 or more")
    if "engine" in fields:
        limits = replace(limits, engine=fields["engine"].one_of(FINISHERS, "OG-TOPO-046", "engine of the finish"))
    if "memory" in fields:
        limits = replace(limits, memory_bytes=_memory(fields["memory"]))
    if "spill_directory" in fields:
        field = fields["spill_directory"]
        limits = replace(limits, spill_directory=expanded(field, field.text(), outside))
    if "threads" in fields:
        limits = replace(limits, threads=fields["threads"].whole())
        if limits.threads < 0:
            spot.fail("OG-TOPO-047", f"threads is {limits.threads}", "allow one or more, or 0 for one a core")
    return limits


def _memory(spot: Spot) -> int:
    text = spot.text()
    found = re.fullmatch(r"([1-9][0-9]{0,8}) ?(MB|GB)", text)
    if found is None:
        spot.fail("OG-TOPO-047", f"memory is {text!r}", "write it as 512MB or 4GB")
    return int(found[1]) * _UNITS[found[2]]
