"""Write, read your own writes, ask across shards.

python examples/orders.py [fleet.yaml]

A fleet.yaml that is given is written anew, with the example's tables (see `shop`); all orders of customer 42 in it are
deleted, and the customer is written over.
"""

from __future__ import annotations

from decimal import Decimal

from shop import shop

import outgrow


def main() -> None:
    with shop() as path, outgrow.open(path) as fleet, fleet.session() as session:
        session.execute("DELETE FROM orders WHERE customer_id = 42")
        session.execute(
            "INSERT INTO customers (customer_id, name, country) VALUES (%s, %s, %s)"
            " ON CONFLICT (customer_id) DO UPDATE SET name = excluded.name",
            [42, "Ada", "GB"],
        )
        with session.transaction():  # on the one shard where customer 42 lives
            for number, total in enumerate((Decimal("99.90"), Decimal("0.10")), start=1):
                session.execute("INSERT INTO orders VALUES (%s, %s, %s)", [42, number, total])

        mine = session.execute("SELECT number, total FROM orders WHERE customer_id = %s ORDER BY number", [42])
        for number, total in mine:
            print(f"order {number}: {total}, read from {mine.node}")

        everybody = session.execute("SELECT count(*), sum(total), avg(total) FROM orders")
        print(f"orders on all shards: {everybody.fetchone()}")

        by_country = "SELECT c.country, sum(o.total) FROM orders o JOIN customers c USING (customer_id) GROUP BY 1"
        print(fleet.explain(by_country))


if __name__ == "__main__":
    main()
