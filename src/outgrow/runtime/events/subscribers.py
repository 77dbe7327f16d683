"""Who wants to hear of events, and how they are told: in the caller's thread, and without harm to its statement."""

from __future__ import annotations

import inspect
import logging
import threading
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from outgrow.errors import InterfaceError
from outgrow.events import Callback, Event

if TYPE_CHECKING:
    from outgrow.runtime.domain import DomainState

_log = logging.getLogger("outgrow.events")


class _Here(threading.local):
    #: This thread is in the middle of telling.
    telling = False


class _Subscription:
    """One call of `subscribe`: the same function may be there twice."""

    __slots__ = ("_reported", "callback", "connections")

    def __init__(self, callback: Callback, connections: bool) -> None:
        self.callback = callback
        self.connections = connections
        self._reported = False

    def report(self) -> None:
        """Once: a callback that always fails would fill the log at the pace of statements."""
        if not self._reported:
            self._reported = True
            _log.exception("a subscriber of events failed; it stays subscribed, and is not reported again")


class Subscribers:
    """A fleet's.  `state.tell` of every domain is None as long as there are none: that is all a statement asks.

    `tell_pools_to` gives the pools somebody to tell, or None.
    """

    def __init__(
        self,
        states: Sequence[DomainState],
        with_parameters: bool,
        tell_pools_to: Callable[[Callable[[Event], None] | None], None] = lambda tell: None,
    ) -> None:
        self._states = states
        self._tell_pools_to = tell_pools_to
        #: Events hold parameters and what errors say.
        self.with_parameters = with_parameters
        self._subscriptions: tuple[_Subscription, ...] = ()
        self._changing = threading.Lock()
        self._here = _Here()
        for state in states:
            state.subscribers = self

    def add(self, callback: Callback, connections: bool = False) -> Callable[[], None]:
        """Tell it from now on, of `connections` too if so; what this returns ends that, twice is once."""
        if not callable(callback) or inspect.iscoroutinefunction(callback):
            raise InterfaceError(
                "OG-RUN-090",
                f"{callback!r} cannot be told of events: it is {_kind(callback)}",
                cure="pass a plain function of one argument; what must be awaited goes through a queue of yours",
            )
        subscription = _Subscription(callback, connections)

        def leave() -> None:
            self._set(lambda now: tuple(one for one in now if one is not subscription))

        self._set(lambda now: (*now, subscription))
        return leave

    def clear(self) -> None:
        self._set(lambda now: ())

    def tell(self, event: Event) -> None:
        """Tell everybody.  What somebody's callback asks of the fleet meanwhile is not told: it would never end."""
        self._tell(event, self._subscriptions)

    def tell_of_connections(self, event: Event) -> None:
        self._tell(event, [one for one in self._subscriptions if one.connections])

    def _tell(self, event: Event, subscriptions: Sequence[_Subscription]) -> None:
        here = self._here
        if here.telling:
            return
        here.telling = True
        try:
            for subscription in subscriptions:
                try:
                    subscription.callback(event)
                except Exception:
                    subscription.report()
        finally:
            here.telling = False

    def _set(self, change: Callable[[tuple[_Subscription, ...]], tuple[_Subscription, ...]]) -> None:
        with self._changing:
            self._subscriptions = change(self._subscriptions)
            for state in self._states:
                state.tell = self.tell if self._subscriptions else None
            asked = any(one.connections for one in self._subscriptions)
            self._tell_pools_to(self.tell_of_connections if asked else None)


def _kind(callback: object) -> str:
    return "a coroutine function" if inspect.iscoroutinefunction(callback) else "not callable"
