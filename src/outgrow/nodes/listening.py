"""What a server says unasked: notifications, to a connection that has said LISTEN."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

from outgrow.nodes.recovery import lost
from outgrow.waits import READ, Socket, Steps

if TYPE_CHECKING:
    from outgrow.nodes.link import Link


def heard_steps(link: Link, until: float) -> Steps[list[str]]:
    """The notifications' payloads that came since this was asked last; waits for one until then.

    Raises NodeLost where the connection breaks meanwhile.
    """
    pgconn = link.pgconn
    while True:
        heard = []
        while (notification := pgconn.notifies()) is not None:
            heard.append(notification.extra.decode())
        if heard:
            return heard
        if not (yield Socket(link.fd, READ, until)):
            return []
        try:
            pgconn.consume_input()
        except psycopg.Error as error:
            link.close()
            raise lost(link, error, before=True) from error
