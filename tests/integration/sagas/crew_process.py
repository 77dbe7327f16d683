"""A process that works on orders until it is killed: `python -m tests.integration.sagas.crew_process fleet.yaml [KEY]`.

With a key it begins that order itself, and is its first holder.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import outgrow
from outgrow import Rejected, Retry, Saga, SagaContext

LEASE_SECONDS = 1.0

order = Saga("order", lease_seconds=LEASE_SECONDS)
opened: list[outgrow.Fleet] = []

INSERT = "INSERT INTO outside (key, what) VALUES (%s, %s)"


def outside(what: str, ctx: SagaContext) -> None:
    """A service that takes everything it is told, as often as it is told."""
    opened[0].execute(INSERT, [ctx.key, what])
    time.sleep(0.01)


def put_back(ctx: SagaContext, session: outgrow.Session) -> None:
    session.execute("UPDATE stock SET there = there + 1 WHERE product = %s", [ctx.input["product"]])


@order.step(compensate=lambda ctx: outside("refund", ctx))
def charge(ctx: SagaContext) -> Any:
    outside("charge", ctx)
    return {"of": ctx.key}


@order.transaction(on="stock", key=lambda ctx: ctx.input["product"], compensate=put_back)
def reserve(ctx: SagaContext, session: outgrow.Session) -> str:
    session.execute("UPDATE stock SET there = there - 1 WHERE product = %s", [ctx.input["product"]])
    time.sleep(0.01)
    return "reserved"


@order.step(compensate=None, retry=Retry(tries=3, first_seconds=0.02))
def ship(ctx: SagaContext) -> str:
    assert ctx.results == {"charge": {"of": ctx.key}, "reserve": "reserved"}
    outside("ship", ctx)
    if ctx.input["fail"]:
        raise Rejected("no")
    return "shipped"


def main() -> None:
    with outgrow.open(sys.argv[1]) as fleet:
        opened.append(fleet)
        print("ready", flush=True)
        for key in sys.argv[2:]:
            try:
                fleet.sagas.run(order, {"product": 1, "fail": False}, key=key)
            except outgrow.SagaFailed:
                continue
        if len(sys.argv) == 2:
            fleet.sagas.work(order, concurrency=6)


if __name__ == "__main__":
    main()
