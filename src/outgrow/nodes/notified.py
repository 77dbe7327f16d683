"""Waiting for notifications on a connection that listens."""

from __future__ import annotations

import psycopg

from outgrow.nodes.link import Link
from outgrow.nodes.recovery import lost
from outgrow.waits import Steps


def notified_steps(link: Link, until: float) -> Steps[bool]:
    """Whether a notification has come on an idle PostgreSQL link; False when `until` passed first."""
    pgconn = link.pgconn
    try:
        while True:
            heard = False
            while pgconn.notifies() is not None:
                heard = True
            if heard:
                return True
            if not (yield link.readable(until)):
                return False
            pgconn.consume_input()
    except psycopg.Error as error:
        raise lost(link, error, before=True) from error
