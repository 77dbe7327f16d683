"""What a forked child does with the connections that it inherits: it disowns them.

Their sockets are the parent's.  A child that closed them politely would tell the server to end the parent's
backends; so it closes only its own descriptors, and never lets libpq speak.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from outgrow.nodes.link import Link

#: Every link of this process, and some that are gone.  (No WeakSet: Python drops a Ctrl-C that comes in its callback.)
_links: dict[int, weakref.ref[Link]] = {}
_numbers = itertools.count()
#: A child's inherited links, kept for ever: their descriptors' numbers may be in use for something else.
_disowned: list[Link] = []


def remember(link: Link) -> None:
    # (The keys alone are one step for other threads, too.)
    for number in list(_links):
        known = _links.get(number)
        if known is not None and known() is None:
            _links.pop(number, None)
    _links[next(_numbers)] = weakref.ref(link)


def _disown() -> None:
    for known in list(_links.values()):
        link = known()
        if link is None or link.abandoned:
            continue
        link.abandoned = link.in_flight = True
        _disowned.append(link)
        if not link.closed:
            with contextlib.suppress(OSError):
                os.close(link.fd)


os.register_at_fork(after_in_child=_disown)
