"""Guard rails: what becomes of a statement that several shards must work on.

`scatter: allow` (usual), `warn` or `refuse`, of a domain or of one session.  DDL and writes of copied tables concern
every shard whatever they say, so they are never held up.
"""

from __future__ import annotations

import os
import sys
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

from outgrow.clock import wall_ns
from outgrow.errors import InterfaceError, NotSupportedError, ScatterWarning
from outgrow.events import ScatterWarned
from outgrow.plan import Where

if TYPE_CHECKING:
    from outgrow.runtime.conversation import Conversation
    from outgrow.runtime.prepared import Prepared

_POLICIES = ("allow", "warn", "refuse")
_HELD = frozenset((Where.KEYS, Where.ACROSS))
_OURS = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep


def check_policy(scatter: str | None) -> None:
    if scatter is not None and scatter not in _POLICIES:
        raise InterfaceError(
            "OG-RUN-134", f"{scatter!r} is no way of treating a scatter", cure=f"one of: {', '.join(_POLICIES)}"
        )


def check(conversation: Conversation, prepared: Prepared, shards: Sequence[str]) -> None:
    """Refuse a statement for these shards of the conversation's domain, or warn of it, where that is asked for."""
    if conversation.scatter == "allow" or len(shards) < 2 or prepared.plan.where not in _HELD:
        return
    state = conversation.state
    what = f"the {prepared.statement.command} needs the shards {', '.join(shards)} of {state.name}"
    cure = f"restrict it by {_keys(conversation, prepared)}, or open the session with scatter='allow'"
    if conversation.scatter == "refuse":
        raise NotSupportedError("OG-RUN-135", f"{what}, where scatter is refused", cure=cure)
    if state.tell is not None:
        state.tell(ScatterWarned(prepared.fingerprint, state.name, tuple(shards), wall_ns()))
    shown = f"{what}: {prepared.fingerprint.text}"
    warnings.warn(f"{shown}\n  cure: {cure}", ScatterWarning, stacklevel=_callers_level())


def _keys(conversation: Conversation, prepared: Prepared) -> str:
    plan = prepared.plan
    portions = plan.across.portions if plan.across is not None else ()
    scans = plan.scans or [scan for one in portions if one.domain == conversation.state.name for scan in one.scans]
    keys = dict.fromkeys(f"{scan.table}'s {', '.join(scan.columns)}" for scan in scans)
    return f"the shard key ({'; '.join(keys)})" if keys else "tables of one shard"


def _callers_level() -> int:
    """How far up the stack the application stands that asked for the statement."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_OURS):
        level, frame = level + 1, frame.f_back
    return level
