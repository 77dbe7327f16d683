"""An order over three services: charge the card, reserve stock, create the shipment, all of it or nothing.

python examples/order_saga.py [fleet.yaml]

The payment and shipping services are stand-ins that write down what they were told; stock lies in the fleet, sharded by
product.  The program starts an order in a process of its own, kills that process (`kill -9`) between the charge and
the shipment, and lets another one finish what it began.  A second order cannot be shipped, and is undone.

A fleet.yaml that is given is written anew, with the example's tables (see `shop`); tables `stock` and `told` in it are
DROPPED and made anew, whatever they hold.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import Any

from shop import shop

import outgrow
from outgrow import Rejected, Saga, SagaContext

#: How long a process may be silent before another one takes its orders over.
LEASE_SECONDS = 2.0

order = Saga("create_order", version=1, deadline_seconds=3600, lease_seconds=LEASE_SECONDS)
fleets: list[outgrow.Fleet] = []


def told(service: str, what: str, ctx: SagaContext) -> None:
    """What a service outside does: it knows an idempotency key, and does the same thing once."""
    fleets[0].execute(
        "INSERT INTO told (key, service, what) VALUES (%s, %s, %s) ON CONFLICT DO NOTHING",
        [ctx.idempotency_key, service, f"{what} for {ctx.key}"],
    )


def refund(ctx: SagaContext) -> None:
    told("payments", "refund", ctx)


@order.step(compensate=refund, timeout_seconds=30)
def charge(ctx: SagaContext) -> dict[str, Any]:
    told("payments", f"charge {ctx.input['total']}", ctx)
    return {"payment": f"payment of {ctx.key}"}


def put_back(ctx: SagaContext, session: outgrow.Session) -> None:
    session.execute("UPDATE stock SET there = there + 1 WHERE product = %s", [ctx.input["product"]])


@order.transaction(on="stock", key=lambda ctx: ctx.input["product"], compensate=put_back)
def reserve(ctx: SagaContext, session: outgrow.Session) -> int:
    """In one transaction with its mark: exactly once, whatever dies."""
    left = session.execute(
        "UPDATE stock SET there = there - 1 WHERE product = %s AND there > 0 RETURNING there", [ctx.input["product"]]
    ).fetchone()
    if left is None:
        raise Rejected("sold out")
    return int(left[0])


@order.step(compensate=None)
def ship(ctx: SagaContext) -> str:
    if ctx.input["to"] == "the moon":
        raise Rejected("no ship goes there")
    if os.environ.get("SLOW_SHIPPING"):
        time.sleep(60)
    told("shipping", f"ship to {ctx.input['to']}", ctx)
    return f"on its way to {ctx.input['to']}"


def prepare(fleet: outgrow.Fleet) -> None:
    """Tables as new, and no orders of an earlier run."""
    fleet.sagas.forget(over_days=0)
    fleet.place("stock", shard_by="product")
    fleet.place("told", shard_by="key")
    for sql in (
        "DROP TABLE IF EXISTS stock, told",
        "CREATE TABLE stock (product int8 PRIMARY KEY, there int8 NOT NULL)",
        "CREATE TABLE told (key text PRIMARY KEY, service text, what text)",
        "INSERT INTO stock VALUES (1, 10), (2, 10)",
    ):
        fleet.execute(sql)


def begin_and_be_killed(path: str, key: str) -> None:
    """A process that hangs in the shipment, and dies there."""
    command = [sys.executable, __file__, path, "--order", key]
    with subprocess.Popen(command, env={**os.environ, "SLOW_SHIPPING": "1"}) as process:
        while not any(one.key == key and one.step == "ship" for one in fleets[0].sagas.list("running")):
            time.sleep(0.05)
        os.kill(process.pid, signal.SIGKILL)


def show(fleet: outgrow.Fleet) -> None:
    for one in reversed(fleet.sagas.list()):
        print(f"{one.key}: {one.state}{f' ({one.failure})' if one.failure else ''}, results {one.results}")
    for service, what in fleet.execute("SELECT service, what FROM told ORDER BY service, what"):
        print(f"{service} was told: {what}")
    print(f"stock: {fleet.execute('SELECT * FROM stock ORDER BY product').fetchall()}")


def main() -> None:
    if "--order" in sys.argv:
        with outgrow.open(sys.argv[1]) as fleet:
            fleets.append(fleet)
            fleet.sagas.run(order, {"product": 1, "total": "9.90", "to": "Delft"}, key=sys.argv[-1])
        return
    with shop() as path, outgrow.open(path) as fleet:
        fleets.append(fleet)
        prepare(fleet)
        begin_and_be_killed(str(path), "order 1")
        print("the process of order 1 was killed between charge and shipment")
        with fleet.sagas.working(order):
            (found,) = fleet.sagas.list(name="create_order")
            print(f"another process went on: {fleet.sagas.result(found.id).value}")
            try:
                fleet.sagas.run(order, {"product": 2, "total": "1.10", "to": "the moon"}, key="order 2")
            except outgrow.SagaFailed as failed:
                print(f"order 2 was undone: {failed.failure}")
        show(fleet)


if __name__ == "__main__":
    main()
