"""asyncio: a hundred sessions at once over one pool a server.

python examples/many_at_once.py [fleet.yaml]

A fleet.yaml that is given is written anew, with the example's tables (see `shop`); customers 1 to 100 in it are deleted
and made anew.
"""

from __future__ import annotations

import asyncio

from shop import shop

import outgrow

CUSTOMERS = 100


async def visit(fleet: outgrow.Fleet, customer: int) -> bool:
    """Store a customer and look at once whether it is there."""
    async with fleet.async_session() as session:
        await session.execute("DELETE FROM customers WHERE customer_id = %s", [customer])
        await session.execute("INSERT INTO customers VALUES (%s, %s, %s)", [customer, f"customer {customer}", "NL"])
        found = await session.execute("SELECT name FROM customers WHERE customer_id = %s", [customer])
        return found.fetchone() == (f"customer {customer}",)


async def visits(fleet: outgrow.Fleet) -> None:
    seen = await asyncio.gather(*(visit(fleet, customer) for customer in range(1, CUSTOMERS + 1)))
    print(f"{sum(seen)} of {CUSTOMERS} sessions read their own write")
    async with fleet.async_session() as session:
        count = await session.execute("SELECT country, count(*) FROM customers GROUP BY country ORDER BY country")
        print(f"customers by country: {count.fetchall()}")


def main() -> None:
    with shop() as path, outgrow.open(path) as fleet:
        asyncio.run(visits(fleet))


if __name__ == "__main__":
    main()
