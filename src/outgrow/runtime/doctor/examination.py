"""One domain under examination: who is asked, and what could not be found out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from outgrow import sqlfile
from outgrow.errors import Error, NodeLost
from outgrow.nodes import Link, together
from outgrow.runtime.doctor import patience
from outgrow.runtime.doctor.finding import Finding, Severity
from outgrow.topology import Domain, Node
from outgrow.waits import Steps

if TYPE_CHECKING:
    from outgrow.runtime.domain import DomainState

T = TypeVar("T")

QUERIES = dict(sqlfile.load("outgrow.runtime.doctor"))
MARIADB_QUERIES = dict(sqlfile.load("outgrow.runtime.doctor", "mariadb.sql"))
#: No connection, for a reason that will not go away.
_REFUSED = ("OG-NODE-002", "OG-NODE-003", "OG-NODE-004", "OG-NODE-005", "OG-NODE-028")

Row = tuple[Any, ...]
#: Called with how many pages have been read, and how many there are.
Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that is looked at.  `steps` returns findings; what it cannot find out is noted by `examine_steps`."""

    name: str
    steps: Callable[[Examination], Steps[list[Finding]]]
    #: Without a picture (no ledger, shards set up apart) only what servers say of themselves can be looked at.
    needs_picture: bool = True


class Examination:
    """What the checks of one domain share.  A node that was lost once is not waited for again.

    `lost` may be given to have it shared: node → why it cannot be asked.
    """

    def __init__(
        self,
        state: DomainState,
        *,
        all_rows: bool = False,
        progress: Progress | None = None,
        lost: dict[str, Error] | None = None,
    ) -> None:
        self.state = state
        #: Every row is read, not a sample.
        self.all_rows = all_rows
        #: The check under way.
        self.check = ""
        self.trouble: list[Finding] = []
        self.lost: dict[str, Error] = {} if lost is None else lost
        #: Node (or domain) → the checks that were not made because of it, in order.
        self.unmade: dict[str, dict[str, None]] = {}
        self._progress = progress
        self._pages_read = self._pages = 0

    @property
    def domain(self) -> Domain:
        return self.state.picture.domain

    @property
    def queries(self) -> Mapping[str, str]:
        """What its engine is asked; checks that two engines share ask both by the same names."""
        return MARIADB_QUERIES if self.domain.engine == "mariadb" else QUERIES

    @property
    def nodes(self) -> list[Node]:
        return [node for shard in self.domain.shards for node in shard.nodes]

    @property
    def primaries(self) -> list[Node]:
        """The primary of each shard, as the servers say."""
        return [self.state.health.seats(self.domain.name, shard.name).primary for shard in self.domain.shards]

    def find(self, severity: Severity, where: str, what: str, cure: str) -> Finding:
        """A finding of the check under way."""
        return Finding(severity, self.check, what, where, cure)

    def each_steps(
        self, nodes: Iterable[Node], query: str, params: Sequence[Any] | None = None
    ) -> Steps[dict[Node, list[Row]]]:
        """The rows of a named query by node, all asked at once; without nodes that are gone or refuse it."""

        def ask_steps(link: Link) -> Steps[list[Row]]:
            return list((yield from link.run_steps(self.queries[query], params)).rows)

        return (yield from self.ask_steps(dict.fromkeys(nodes, ask_steps)))

    def meet_steps(self) -> Steps[None]:
        """Find out which nodes do not answer, all at once; the checks tell of it."""
        yield from together([self._one_steps(node, self._greet_steps) for node in self.nodes])
        self.trouble.clear()

    def _greet_steps(self, link: Link) -> Steps[None]:
        yield from link.run_steps(self.queries["clock"], None)

    def ask_steps(self, questions: Mapping[Node, Callable[[Link], Steps[T]]]) -> Steps[dict[Node, T]]:
        """Each node its own question, all at once.  A refusal is noted as trouble, and the others go on."""
        asked = [node for node in questions if node.name not in self.lost]
        answers = yield from together([self._one_steps(node, questions[node]) for node in asked])
        for node in questions:
            if node.name in self.lost:
                self.leave_out(node.name)
        return {node: answer[0] for node, answer in zip(asked, answers, strict=True) if answer is not None}

    def leave_out(self, where: str) -> None:
        """The check under way is not made there, or not wholly."""
        self.unmade.setdefault(where, {})[self.check] = None

    def _one_steps(self, node: Node, ask: Callable[[Link], Steps[T]]) -> Steps[tuple[T] | None]:
        try:
            return ((yield from patience.asked_steps(self.state.nodes, node, ask, self.queries["blockers"])),)
        except NodeLost as error:
            self.lost[node.name] = error
        except Error as error:
            if error.code in _REFUSED:
                # The check of the nodes says it once.
                self.lost[node.name] = error
            else:
                self.trouble.append(self.unknown(error, node.name))
        return None

    def unknown(self, error: Error, where: str) -> Finding:
        """What could not be found out: no fault of the fleet's yet, but nobody knows."""
        cure = error.cure or "mend what the message says, or give the role of the node's address the right to look"
        return self.find(Severity.WARNING, where, f"could not be examined: {error.message}", cure)

    def expect_pages(self, pages: int) -> None:
        """So many more pages will be read."""
        self._pages += pages

    def note_pages(self, pages: int) -> None:
        """So many of them have been."""
        self._pages_read += pages
        if self._progress is not None:
            self._progress(self._pages_read, self._pages)


def several(names: Iterable[object], most: int = 5) -> str:
    """Names in a sentence, the first few of many."""
    known = [str(name) for name in names]
    return ", ".join(known[:most]) + (f" and {len(known) - most} more" if len(known) > most else "")
