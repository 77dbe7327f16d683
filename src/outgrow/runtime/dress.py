"""What a session has SET: recorded once, and put on every connection that serves it.

A connection remembers what it wears.  One that wears something else is reset first, so that nothing leaks from one
session to the next; between sessions that never SET anything this costs one comparison.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from outgrow.errors import NotSupportedError
from outgrow.nodes import Link
from outgrow.topology import Node
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.domain import DomainState

#: Settings that decide what a statement *means* here: outgrow binds names itself.
_MEANING = frozenset(("search_path", "standard_conforming_strings", "client_encoding", "names", "schema"))


class Setting(NamedTuple):
    """`name` as SET names it, `sql` the whole statement."""

    name: str
    sql: str


Dress = tuple[Setting, ...]


def dressed_steps(link: Link, dress: Dress) -> Steps[None]:
    """Make the connection wear exactly `dress`; one that cannot is closed."""
    try:
        yield from link.run_steps("RESET SESSION AUTHORIZATION", None, prepare=False)
        yield from link.run_steps("RESET ALL", None, prepare=False)
        for setting in dress:
            yield from link.run_steps(setting.sql, None, prepare=False)
    except BaseException:
        link.close()
        raise
    link.dress = dress


def taken_steps(state: DomainState, node: Node, dress: Dress, until: float | None) -> Steps[Link]:
    """A connection to the primary, in the session's dress."""
    pool = state.nodes.pool(node)
    link = pool.take_now() or (yield from pool.take_steps(until))
    if link.standby:
        try:
            yield from state.not_primary_steps(node, link, until)
        finally:
            pool.give(link)
        seats = state.health.seats(state.name, node.shard)
        return (yield from taken_steps(state, seats.primary, dress, until))
    try:
        if link.dress != dress and not link.pooled:
            yield from dressed_steps(link, dress)
    except BaseException:
        pool.give(link)
        raise
    return link


def with_setting(dress: Dress, setting: Setting) -> Dress:
    """`dress` after a SET; the later one of a name wins."""
    if setting.name in _MEANING:
        raise NotSupportedError(
            "OG-RUN-033",
            f"SET {setting.name} would change what names and literals mean on some connections",
            cure="name tables with their schema; set it for the role: ALTER ROLE … SET …",
        )
    return (*(worn for worn in dress if worn.name != setting.name), setting)


def without(dress: Dress, name: str) -> Dress:
    """`dress` after RESET name, or RESET ALL (which keeps role and session authorization)."""
    if name == "all":
        return tuple(worn for worn in dress if worn.name in ("role", "session_authorization"))
    return tuple(worn for worn in dress if worn.name != name)
