"""What the kernel's implementations need of connections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from outgrow.waits import Steps

Asked = tuple[str, Sequence[Any] | None]


class Wire(Protocol):
    """What a connection must be able to do; `outgrow.nodes.Link` is one."""

    @property
    def pooled(self) -> bool:
        """Nothing of it lasts beyond a transaction, and two messages may reach two connections."""

    @property
    def broken(self) -> bool: ...

    @property
    def in_transaction(self) -> bool: ...

    def run_steps(
        self, sql: str, params: Sequence[Any] | None = None, *, until: float | None = None, prepare: bool = True
    ) -> Steps[Any]: ...

    def run_many_steps(
        self,
        asked: Sequence[Asked],
        *,
        until: float | None = None,
        prepare: Sequence[bool] | None = None,
        chained: bool = False,
    ) -> Steps[list[Any]]: ...

    def close(self) -> None: ...


class Wires(Protocol):
    """Connections to the primaries of a domain's shards."""

    def connect_steps(self, shard: str, until: float) -> Steps[Wire]:
        """One of its own, for whoever asks; the caller closes it."""

    def borrow_steps(self, shard: str, until: float) -> Steps[Wire]:
        """One that others use too, without waiting for long; the caller gives it back at once."""

    def give(self, shard: str, link: Wire) -> None: ...

    def reached_steps(self, shard: str, place: Any, until: float) -> Steps[bool]:
        """Whether a replica has got to where the primary was when it answered so to the ledger's question.

        True where the shard has none.
        """
