"""An order over three domains: users (PostgreSQL), products (MariaDB) and orders (PostgreSQL, two shards).

`create_order` checks user and products by one query over all three domains, then writes in one of them, the session's.
A transaction over several domains does not exist: the stock is not taken in the same commit (a saga or an outbox
would, step by step).  What must not change between check and write is checked once more by the write itself, where
its own domain knows it; here the order's number is unique, so that a repeated request makes one order.

    python examples/create_order.py          # makes its own servers; MariaDB must be installed
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path

import yaml

import outgrow
from outgrow import local
from outgrow.errors import IntegrityError
from outgrow.topology import parse

TABLES = {
    "users": "CREATE TABLE users (id int8 PRIMARY KEY, name text NOT NULL, country text NOT NULL,"
    " active bool NOT NULL)",
    "products": "CREATE TABLE products (id INT PRIMARY KEY, name VARCHAR(100) NOT NULL, price DECIMAL(10,2) NOT NULL,"
    " stock INT NOT NULL)",
    "orders": "CREATE TABLE orders (user_id int8, number int8, total numeric(12,2), PRIMARY KEY (user_id, number))",
    "items": "CREATE TABLE items (user_id int8, number int8, product_id int8, quantity int4, price numeric(10,2),"
    " PRIMARY KEY (user_id, number, product_id))",
}

#: The user, and whichever of the products exist: one row at least if the user does.
CHECK = """
SELECT u.active, p.id, p.name, p.price, p.stock
FROM users.users u LEFT JOIN products.products p ON p.id = ANY(%s)
WHERE u.id = %s"""

#: Three domains in one query, which the session's finishes.
REVENUE = """
SELECT u.country, p.name, sum(i.quantity) AS sold, sum(i.quantity * i.price) AS revenue
FROM items i JOIN users.users u ON u.id = i.user_id JOIN products.products p ON p.id = i.product_id
GROUP BY u.country, p.name ORDER BY u.country, p.name"""


class Rejected(Exception):
    """The order cannot be made, and why."""


def create_order(session: outgrow.Session, user: int, number: int, wanted: Mapping[int, int]) -> Decimal:
    """Make the order `number` of the user: so many of each product.  Its total; Rejected, and nothing is written."""
    rows = session.execute(CHECK, [list(wanted), user]).fetchall()
    if not rows:
        raise Rejected(f"there is no user {user}")
    if not rows[0][0]:
        raise Rejected(f"user {user} is not active")
    found = {id: (name, price, stock) for _, id, name, price, stock in rows if id is not None}
    for product, quantity in wanted.items():
        if product not in found:
            raise Rejected(f"there is no product {product}")
        name, _, stock = found[product]
        if quantity > stock:
            raise Rejected(f"{quantity} of {name} are wanted, {stock} are there")
    total = sum((found[product][1] * quantity for product, quantity in wanted.items()), Decimal())
    with session.transaction():  # in the domain of orders, on the user's shard
        session.execute("INSERT INTO orders VALUES (%s, %s, %s)", [user, number, total])
        for product, quantity in wanted.items():
            price = found[product][1]
            session.execute("INSERT INTO items VALUES (%s, %s, %s, %s, %s)", [user, number, product, quantity, price])
    return total


@contextlib.contextmanager
def shop() -> Iterator[outgrow.Fleet]:
    """The fleet with its tables, and what is in them before the first order."""
    with (
        local.temporary(shards=1, replicas=0) as (_, users),
        local.temporary(shards=2, replicas=0) as (_, orders),
        local.temporary_mariadb() as (server,),
    ):
        file = {
            "fleet": "shop",
            "domains": {
                "orders": {
                    **_domain(orders),
                    "tables": {"orders": {"shard_by": "user_id"}, "items": {"shard_by": "user_id"}},
                },
                "users": _domain(users),
                "products": {"engine": "mariadb", "shards": {"s1": {"primary": server.dsn("app")}}},
            },
        }
        with outgrow.open(parse(yaml.safe_dump(file, sort_keys=False)), install=True) as fleet:
            for table, sql in TABLES.items():
                domain = "orders" if table == "items" else table
                if domain == "products":
                    fleet.place("products", single="s1", domain="products")
                fleet.execute(sql, domain=domain)
            with fleet.session("users") as session:
                session.execute("INSERT INTO users VALUES (1, 'Ada', 'GB', true), (2, 'Bob', 'NL', true)")
                session.execute("INSERT INTO users VALUES (3, 'Cleo', 'EG', false)")
            with fleet.session("products") as session:
                session.execute("INSERT INTO products VALUES (10, 'Abacus', 12.50, 7), (11, 'Book', 30.00, 1)")
            yield fleet


def _domain(directory: Path) -> dict[str, object]:
    """The one domain of a fleet on this machine, as its file has it."""
    told = yaml.safe_load((directory / "fleet.yaml").read_text())
    (domain,) = told["domains"].values()
    return dict(domain)


def main() -> None:
    with shop() as fleet, fleet.session("orders") as session:
        print("order 1 of Ada:", create_order(session, 1, 1, {10: 2, 11: 1}))
        print("order 1 of Bob:", create_order(session, 2, 1, {10: 3}))
        for user, wanted in ((9, {10: 1}), (3, {10: 1}), (1, {12: 1}), (1, {11: 2})):
            try:
                create_order(session, user, 2, wanted)
            except Rejected as why:
                print("rejected:", why)
        try:
            create_order(session, 1, 1, {10: 1})
        except IntegrityError:
            print("rejected: order 1 of user 1 is there already")
        print("orders:", session.execute("SELECT count(*) FROM orders").fetchone())
        for row in session.execute(REVENUE):
            print("revenue:", *row)
        print(fleet.explain(REVENUE, session=session))


if __name__ == "__main__":
    main()
