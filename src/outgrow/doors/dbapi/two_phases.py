"""PEP 249's two-phase extension: how far a connection's transaction with a name has come, as steps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from outgrow.doors.dbapi import refusals
from outgrow.errors import Error
from outgrow.runtime import Conversation
from outgrow.runtime.transaction import foreign
from outgrow.runtime.transaction.foreign import Xid
from outgrow.waits import Steps

#: The transaction may still be prepared: the same call may be made again.
_AGAIN = frozenset(("OG-TX-023", "OG-TX-025"))


class TwoPhases:
    """Between `tpc_begin` and its end there is an `xid`; behind `tpc_prepare` it is `prepared`."""

    def __init__(self, conversation: Conversation) -> None:
        self._conversation = conversation
        self.xid: Xid | None = None
        self.prepared = False
        #: outgrow's name of what is prepared; None where nothing was written, so that nothing is.
        self._id: Any = None

    def begin(self, xid: object, autocommit: bool) -> None:
        self.check_possible()
        if autocommit:
            raise refusals.needs_transactions()
        self._check_outside("tpc_begin")
        xid = named(xid)
        self._conversation.begin()
        self.xid = xid

    def prepare_steps(self) -> Steps[None]:
        if self.xid is None or self.prepared:
            raise refusals.no_two_phases("tpc_prepare")
        try:
            self._id = yield from foreign.prepare_steps(self._conversation, self.xid)
        except BaseException:
            self._over()
            raise
        self.prepared = True

    def end_steps(self, xid: object, commit: bool) -> Steps[None]:
        """`tpc_commit` or `tpc_rollback`, of this connection's transaction or of the one that is named."""
        verb = "tpc_commit" if commit else "tpc_rollback"
        if xid is not None:
            self.check_possible()
            self._check_outside(f"{verb}(xid)")
            yield from foreign.end_steps(self._conversation, named(xid), None, commit)
            return
        if self.xid is None:
            raise refusals.no_two_phases(verb)
        try:
            if not self.prepared:
                # One phase is enough where there is nobody to ask in between.
                yield from self._conversation.commit_steps() if commit else self._conversation.rollback_steps()
            elif self._id is not None:
                yield from foreign.end_steps(self._conversation, self.xid, self._id, commit)
        except BaseException as error:
            if not self.prepared or (isinstance(error, Error) and error.code not in _AGAIN):
                self._over()
            raise
        self._over()

    def recover_steps(self) -> Steps[list[Xid]]:
        self.check_possible()
        waiting = yield from foreign.waiting_steps(self._conversation.state)
        return [one.marker.xid for one in waiting if one.marker is not None]

    def check_possible(self) -> None:
        if not foreign.possible(self._conversation.state):
            raise refusals.no_foreign(self._conversation.state.name)

    def _check_outside(self, what: str) -> None:
        if self.xid is not None or self._conversation.transaction is not None:
            raise refusals.in_transaction(what)

    def _over(self) -> None:
        self.xid, self.prepared, self._id = None, False, None


def named(xid: object) -> Xid:
    """What `xid()` has made, or any sequence of its three parts."""
    if isinstance(xid, Xid):
        return xid
    if isinstance(xid, Sequence) and not isinstance(xid, str) and len(xid) == 3:
        return Xid.of(*xid)
    raise refusals.no_xid(xid)
