"""`python -m tests.integration.plan --dsn … --statements N --seed S`: random statements on the shards of one server."""

from __future__ import annotations

import argparse
import sys
import traceback
from collections import Counter

from tests.differential.block import Case, smaller
from tests.differential.statements import statement
from tests.integration.plan.shards import Answer, Failure, OneServer, difference


def judge(server: OneServer, case: Case) -> tuple[str, str]:
    """("right" | "refused" | "wrong" | "error", detail)"""
    if not case.written:
        return _judge(server, case)
    with server.undone():
        verdict = _judge(server, case)
        if verdict[0] != "right" or verdict[1]:
            return verdict
        wrong = difference(*server.table(case.written), "none", (), None)
    return ("wrong", f"{case.written} afterwards: {wrong}") if wrong else verdict


def _judge(server: OneServer, case: Case) -> tuple[str, str]:
    text, params = case.render()
    whole, sharded = server.one(text, params), server.sharded(text, params)
    if isinstance(sharded, Failure):
        if sharded.code.startswith("OG-"):
            return "refused", sharded.code
        if isinstance(whole, Failure):
            return "right", sharded.code
        return "wrong", f"{sharded.code} {sharded.message}"
    if isinstance(whole, Failure):
        # A shard may skip rows whose evaluation fails; an error is no answer to compare.
        return "error", f"{whole.code} {whole.message}"
    unlimited = None
    if case.limited:
        asked = server.one(*case.render(unlimited=True))
        unlimited = asked if isinstance(asked, Answer) else None
    wrong = difference(whole, sharded, case.order, case.keys, unlimited)
    return ("wrong", wrong) if wrong else ("right", "")


def smallest(server: OneServer, case: Case) -> Case:
    """A smaller case that is still wrong."""
    found = True
    while found:
        found = False
        for candidate in smaller(case):
            try:
                if judge(server, candidate)[0] == "wrong":
                    case, found = candidate, True
                    break
            except Exception:
                continue
    return case


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--dsn", required=True)
    parser.add_argument("--statements", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--show", type=int, default=10)
    asked = parser.parse_args()
    server = OneServer(asked.dsn, seed=asked.seed)
    counts: Counter[str] = Counter()
    codes: Counter[str] = Counter()
    examples: dict[str, str] = {}
    try:
        for number in range(asked.first, asked.first + asked.statements):
            case = statement(asked.seed, number)
            try:
                verdict, detail = judge(server, case)
            except Exception as error:
                verdict, detail = "wrong", f"crashed: {type(error).__name__}: {error}"
                if counts["wrong"] < asked.show:
                    print(f"CRASH {number}: {case.render()}")
                    traceback.print_exc(limit=-2, file=sys.stdout)
            counts[verdict] += 1
            if verdict == "refused":
                codes[detail] += 1
                examples.setdefault(detail, case.render()[0])
            if verdict == "wrong" and counts["wrong"] <= asked.show and "crashed" not in detail:
                least = smallest(server, case)
                print(f"WRONG {number}: {judge(server, least)[1]}\n  {least.render()}\n  {least.order} {least.keys}")
    finally:
        server.close()
    print(dict(counts))
    for code, times in codes.most_common():
        print(f"  {code} {times}: {examples[code][:300]}")
    return 1 if counts["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
