"""Playing chapters on both sides, and what came of it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from tests.differential.block import Block, Case
from tests.differential.compare import Answer, Failure, Verdict, judge
from tests.differential.run import EXAMPLES_MAX, Report, told_of
from tests.differential.stories.both import Both
from tests.differential.stories.chapter import Act, chapter

#: Statements outside of transactions between two looks at what the sides hold.
LOOK_EVERY = 4
PROBE = Case(Block(raw="SELECT 1"), (), "probe")
KEEP = Case(Block(raw="SAVEPOINT kept"), (), "probe")
BACK = Case(Block(raw="ROLLBACK TO SAVEPOINT kept"), (), "probe")
SPOILT = Case(Block(raw="SELECT 1 / 0"), (), "probe")
#: Neither side is wrong, see `_met_on_the_way`.
MET = "met on the way"
#: A statement over several rows or shards may meet another of its errors first.
ANY_FIRST = {"21", "22", "23"}


@dataclass(slots=True)
class Player:
    """Plays one chapter's acts; `told` is what really was asked, as SQL for people."""

    both: Both
    told: list[str] = field(default_factory=list)
    #: The acts played, without those that a failed transaction left out.
    played: list[Act] = field(default_factory=list)
    inside: bool = False
    failed: bool = False
    savepoints: list[str] = field(default_factory=list)
    unlooked: int = 0

    def play(self, act: Act) -> tuple[Verdict, Answer | Failure | None, Answer | Failure] | None:
        """The verdict, what the plain side said (None: not asked) and the fleet; None where the act is left out."""
        if (self.failed and not self._helps(act)) or self._misplaced(act):
            return None
        self.played.append(act)
        text, params = act.case.render()
        self.told.append(f"{text};" + (f" -- {params}" if params is not None else ""))
        if act.kind == "statement":
            verdict, plain, fleet = self._statement(act.case)
        else:
            verdict, plain, fleet = self._command(act)
        self.told[-1] += f"  -- {verdict.kind}{'' if not isinstance(fleet, Failure) else ' ' + fleet.message[:90]}"
        if verdict.kind != "wrong" and verdict.why != MET and (why := self._look(act, verdict)):
            verdict = Verdict("wrong", f"then they hold different rows: {why}")
        return verdict, plain, fleet

    def _misplaced(self, act: Act) -> bool:
        """Where acts were left out to find the least that goes wrong, an end may have lost its beginning."""
        words = act.case.block.raw
        if words.startswith(("ROLLBACK TO", "RELEASE")) and words.split()[-1] not in self.savepoints:
            return True
        return act.kind != "statement" and self.inside == (act.kind == "begin")

    def _helps(self, act: Act) -> bool:
        """After a failure: the end, or a way back to before it."""
        if act.kind in ("commit", "rollback"):
            return True
        return act.kind == "savepoint" and act.case.block.raw.startswith("ROLLBACK TO")

    def _statement(self, case: Case) -> tuple[Verdict, Answer | Failure | None, Answer | Failure]:
        fleet = self.both.ask_fleet(case)
        if isinstance(fleet, Failure) and fleet.kind == "NotSupportedError" and not fleet.sqlstate:
            # The plain side does not do it either; only where a refusal spoils the transaction, both are spoilt.
            if self.inside and isinstance(self.both.ask_fleet(PROBE), Failure):
                self.both.ask_plain(SPOILT)
                self.failed = True
            return Verdict("refused", fleet.code), None, fleet
        plain = self._plain(case, fleet)
        if case.construct == "moved" and _met_on_the_way(plain, fleet):
            return Verdict("refused", MET), plain, fleet
        return judged(case, plain, fleet), plain, fleet

    def _plain(self, case: Case, fleet: Answer | Failure) -> Answer | Failure:
        """The plain side's answer; what outgrow finds by itself leaves a transaction usable, so also there."""
        found = self.inside and isinstance(fleet, Failure) and not fleet.sqlstate
        if found:
            self.both.ask_plain(KEEP)
        plain = self.both.ask_plain(case)
        self.failed = self.inside and isinstance(plain, Failure)
        if found and self.failed and isinstance(self.both.ask_fleet(PROBE), Answer):
            self.both.ask_plain(BACK)
            self.failed = False
        return plain

    def _command(self, act: Act) -> tuple[Verdict, Answer | Failure, Answer | Failure]:
        fleet, plain = self.both.ask_fleet(act.case), self.both.ask_plain(act.case)
        words = act.case.block.raw
        if act.kind == "begin":
            self.inside, self.savepoints = True, []
        elif act.kind == "savepoint":
            self._follow(*words.split()[:1], words.split()[-1])
            self.failed = isinstance(plain, Failure)
        elif act.kind == "commit" and self.failed:
            # PostgreSQL answers a COMMIT of what has failed with ROLLBACK; outgrow says so by an error.
            self.inside = self.failed = False
            well = isinstance(fleet, Failure) and fleet.code == "OG-RUN-020" and isinstance(plain, Answer)
            return Verdict("right" if well else "wrong", "" if well else "COMMIT of a failed transaction"), plain, fleet
        else:
            self.inside = self.failed = False
        if isinstance(plain, Failure) or isinstance(fleet, Failure):
            return judged(act.case, plain, fleet), plain, fleet
        return Verdict("right"), plain, fleet

    def _follow(self, command: str, name: str) -> None:
        """The savepoints that are open after a command about them."""
        if command == "SAVEPOINT":
            self.savepoints.append(name)
            return
        at = len(self.savepoints) - 1 - self.savepoints[::-1].index(name)
        del self.savepoints[at + (command == "ROLLBACK") :]

    def _look(self, act: Act, verdict: Verdict) -> str:
        """What the sides hold, compared outside of transactions: after each of them, refusals, and some statements."""
        if self.inside:
            return ""
        self.unlooked += 1
        if act.kind == "statement" and verdict.kind == "right" and self.unlooked < LOOK_EVERY:
            return ""
        self.unlooked = 0
        return self.both.difference()


def _met_on_the_way(plain: Answer | Failure, fleet: Answer | Failure) -> bool:
    """One side found a key taken that the same UPDATE was about to free.

    A unique constraint that is checked row by row fails or not by the order in which rows happen to lie; both sides
    end without duplicates, but not with the same rows: the chapter ends here.
    """
    failed = [side.sqlstate for side in (plain, fleet) if isinstance(side, Failure)]
    return failed == ["23505"]


def judged(case: Case, plain: Answer | Failure, fleet: Answer | Failure) -> Verdict:
    verdict = judge(case, plain, fleet, lambda: plain)
    if isinstance(plain, Failure) and isinstance(fleet, Failure) and fleet.sqlstate:
        if {plain.sqlstate[:2], fleet.sqlstate[:2]} <= ANY_FIRST:
            return Verdict("right")
        if verdict.kind == "right" and plain.sqlstate != fleet.sqlstate:
            return Verdict("wrong", f"sqlstate {fleet.sqlstate} instead of {plain.sqlstate}")
    return verdict


def run(
    both: Both, count: int, seed: int, first: int = 0, on_progress: Callable[[Report], None] = lambda _: None
) -> Report:
    """Chapters from number `first` on until `count` statements were compared."""
    report = Report(seed)
    number = first
    while report.total < count:
        _play(Player(both), report, f"{seed}/{number}", chapter(seed, number), count, on_progress)
        number += 1
    both.session.close()
    return report


def replayed(both: Both, seed: int, number: int) -> tuple[Report, list[str]]:
    """One chapter again, and all that was asked in it."""
    report, player = Report(seed), Player(both)
    _play(player, report, f"{seed}/{number}", chapter(seed, number), sys.maxsize, lambda _: None)
    both.session.close()
    return report, player.told


def _play(
    player: Player, report: Report, name: str, acts: Iterable[Act], count: int, on_progress: Callable[[Report], None]
) -> None:
    both = player.both
    both.begin_again()
    for act in acts:
        outcome = player.play(act)
        if outcome is None:
            continue
        verdict, plain, fleet = outcome
        counted = act.kind == "statement" or verdict.kind == "wrong"
        if counted:
            _note(report, act, verdict, fleet)
        if verdict.kind == "wrong":
            if len(report.failures) < EXAMPLES_MAX:
                report.failures.append(described(both, name, player, verdict, plain, fleet))
            on_progress(report)
            return
        if counted:
            on_progress(report)
        if verdict.why == MET or (report.total >= count and not player.inside):
            return


def _note(report: Report, act: Act, verdict: Verdict, fleet: Answer | Failure) -> None:
    construct = act.case.construct
    report.total += 1
    report.total_by_construct[construct] += 1
    if verdict.kind == "right":
        report.right += 1
    elif verdict.kind == "wrong":
        report.wrong += 1
    else:
        report.refused += 1
        report.refused_by_code[verdict.why] += 1
        report.refused_by_construct[construct] += 1
        examples = report.refused_examples.setdefault(verdict.why, [])
        if len(examples) < 3 and isinstance(fleet, Failure):
            examples.append(f"{act.case.render()[0]} -- {fleet.message}")


def described(
    both: Both,
    name: str,
    player: Player,
    verdict: Verdict,
    plain: Answer | Failure | None,
    fleet: Answer | Failure,
) -> dict[str, Any]:
    """A wrong answer for people: the acts that lead to it, as few as were found to."""
    told = {
        "name": name, "why": verdict.why, "plain": told_of(plain) if plain is not None else "not asked",
        "fleet": told_of(fleet), "text": player.told[-1],
    }  # fmt: skip
    least = shrunk(both, player.played)
    again = Player(both)
    both.begin_again()
    for act in least:
        again.play(act)
    return told | {"least": again.told}


def goes_wrong(both: Both, acts: list[Act]) -> bool:
    both.begin_again()
    player = Player(both)
    for act in acts:
        outcome = player.play(act)
        if outcome is not None and outcome[0].kind == "wrong":
            return True
    return not player.inside and both.difference() != ""


def shrunk(both: Both, acts: list[Act], tries_max: int = 80) -> list[Act]:
    """Leave out acts, larger stretches first, as long as something goes wrong."""
    if not goes_wrong(both, acts):
        return acts
    tries, width = 0, max(1, len(acts) // 2)
    while width and tries < tries_max:
        at = 0
        while at < len(acts) and tries < tries_max:
            fewer = acts[:at] + acts[at + width :]
            tries += 1
            if fewer and goes_wrong(both, fewer):
                acts = fewer
            else:
                at += width
        width //= 2
    return acts
