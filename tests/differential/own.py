"""Views and functions of one's own, which both sides have beside their tables."""

from __future__ import annotations

from tests.differential.world import Col, Tab

_ID, _INT = Col("customer_id", "int8", "int"), "int4"
#: The view, and its SELECT.
VIEWS: tuple[tuple[Tab, str], ...] = (
    (
        Tab("old_orders", (Col("rid", _INT, "int", nulls=0), _ID, Col("total", "numeric(10,2)", "num"),
                           Col("qty", _INT, "int"), Col("state", "text", "txt")), ("customer_id",)),
        "SELECT rid, customer_id, total, qty, lower(status) AS state FROM orders WHERE qty > -5 OR status IS NULL",
    ),
    (
        Tab("bought", (Col("rid", _INT, "int", nulls=0), _ID, Col("name", "text", "txt"), Col("paid", "bool", "bool")),
            ("customer_id",), unique=""),
        "SELECT o.rid, customer_id, c.name, o.paid FROM orders o JOIN customers c USING (customer_id)",
    ),
    (
        Tab("sold_with", (Col("rid", _INT, "int"), Col("other", _INT, "int"), Col("note", "text", "txt")), unique=""),
        "SELECT i.rid, o.rid AS other, i.note FROM items i LEFT JOIN orders o ON o.product_id = i.product_id",
    ),
    (
        Tab("per_product", (Col("product_id", _INT, "int"), Col("n", "int8", "int"), Col("most", "int2", "int")),
            unique="product_id"),
        "SELECT product_id, count(*) AS n, max(amount) AS most FROM items GROUP BY product_id",
    ),
    (
        Tab("everything", (_ID, Col("rid", _INT, "int"), Col("kind", "text", "txt")), ("customer_id",), unique=""),
        "SELECT customer_id, rid, 'order' AS kind FROM orders UNION ALL SELECT customer_id, rid, note FROM items",
    ),
    (
        Tab("nested", (_ID, Col("rid", _INT, "int", nulls=0), Col("n", "int8", "int")), ("customer_id",)),
        "SELECT v.customer_id, v.rid, p.n FROM old_orders v LEFT JOIN per_product p ON p.product_id = v.qty",
    ),
    (
        Tab("placed", (_ID, Col("rid", _INT, "int", nulls=0), Col("place", "int8", "int")), ("customer_id",)),
        "SELECT customer_id, rid, rank() OVER (PARTITION BY customer_id ORDER BY rid) AS place FROM items",
    ),
    (
        Tab("first_of", (Col("lang", "varchar(5)", "txt"), Col("rid", _INT, "int", nulls=0),
                         Col("title", "text", "txt"))),
        "SELECT DISTINCT ON (lang) lang, rid, title FROM docs ORDER BY lang, rid",
    ),
    (
        Tab("european", (Col("code", "char(2)", "txt"), Col("name", "text", "txt"), Col("rid", _INT, "int", nulls=0))),
        "SELECT code, name, rid FROM countries WHERE eu IS NOT FALSE",
    ),
    (
        Tab("named", (Col("rid", _INT, "int", nulls=0), Col("half", _INT, "int"), Col("pair", "text", "txt"))),
        "SELECT rid, own_half(size) AS half, own_pair(title, lang) AS pair FROM docs",
    ),
)  # fmt: skip
#: Beside them, for fixed statements alone.
FIXED_VIEWS = (
    "CREATE VIEW met AS SELECT e.value, o.qty AS n FROM events e JOIN orders o ON o.qty = e.n",
    "CREATE VIEW dearest AS SELECT rid, total, qty FROM orders WHERE total IS NOT NULL ORDER BY total DESC, rid",
    "CREATE VIEW nicks AS SELECT rid, name COLLATE blind AS nick FROM customers",
)
FUNCTIONS = (
    "CREATE FUNCTION own_half(n int4) RETURNS int4 IMMUTABLE LANGUAGE sql AS 'SELECT n / 2'",
    "CREATE FUNCTION own_pair(a text, b text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS"
    " 'BEGIN RETURN coalesce(a, ''?'') || ''/'' || coalesce(b, ''?''); END'",
    "CREATE FUNCTION own_up_to(n int4) RETURNS SETOF int4 IMMUTABLE LANGUAGE sql AS"
    " 'SELECT generate_series(1, least(n, 3))'",
    "CREATE AGGREGATE own_total(int4) (SFUNC = int4pl, STYPE = int4, INITCOND = '0')",
)


def definitions() -> list[str]:
    """What makes all of it, where the tables are."""
    made = [f"CREATE VIEW {view.name} ({', '.join(col.name for col in view.cols)}) AS {sql}" for view, sql in VIEWS]
    return [*FUNCTIONS, *made, *FIXED_VIEWS]
