"""What a transaction has said to all its branches, and says again to those that open later: in the same order.

A setting belongs behind the savepoint that it was said behind, on every branch, so that ROLLBACK TO undoes it on all of
them, whenever they opened.
"""

from __future__ import annotations

from typing import NamedTuple

from outgrow.errors import ProgrammingError


class _Said(NamedTuple):
    """SET LOCAL or SET TRANSACTION as SQL; or a savepoint by its name."""

    text: str
    savepoint: bool


class Prologue:
    """Settings and the savepoints that are open, from the first to the last."""

    def __init__(self) -> None:
        self._said: list[_Said] = []

    @property
    def settings(self) -> list[str]:
        return [said.text for said in self._said if not said.savepoint]

    @property
    def savepoints(self) -> list[str]:
        return [said.text for said in self._said if said.savepoint]

    def first(self) -> list[str]:
        """The settings before the first savepoint: they go before anything that takes a snapshot."""
        at = next((at for at, said in enumerate(self._said) if said.savepoint), len(self._said))
        return [said.text for said in self._said[:at]]

    def others(self) -> list[tuple[str, bool]]:
        """What follows them; whether it is the name of a savepoint."""
        return [(said.text, said.savepoint) for said in self._said[len(self.first()) :]]

    def set(self, *settings: str) -> None:
        self._said += [_Said(sql, False) for sql in settings]

    def mark(self, name: str) -> None:
        self._said.append(_Said(name, True))

    def check(self, name: str) -> None:
        """Raises ProgrammingError where no such savepoint is open."""
        if name not in self.savepoints:
            raise ProgrammingError(
                "OG-RUN-022",
                f"there is no savepoint {name!r} in this transaction",
                sqlstate="3B001",
                cure="name a savepoint that was set and not released",
            )

    def release(self, name: str) -> None:
        """The savepoint and those set since are none any more; what was set stays."""
        at = self._place(name)
        self._said[at:] = [said for said in self._said[at:] if not said.savepoint]

    def back_to(self, name: str, undone: bool) -> None:
        """The savepoint is the last one again; what was set since is forgotten where the server has `undone` it."""
        at = self._place(name) + 1
        self._said[at:] = [] if undone else [said for said in self._said[at:] if not said.savepoint]

    def forget(self, name: str) -> None:
        """No savepoint of that name is to be gone back to: which one it would be may differ between the branches."""
        self._said = [said for said in self._said if said != (name, True)]

    def _place(self, name: str) -> int:
        return len(self._said) - 1 - self._said[::-1].index(_Said(name, True))
