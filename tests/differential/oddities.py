"""What a sharded database finds hardest: each must be right, or refused by name."""

from __future__ import annotations

from tests.differential.block import Block
from tests.differential.expressions import Expressions
from tests.differential.ordering import Promise
from tests.differential.sources import Sources

ODDITIES = (
    "SELECT status, country, count(*) FROM orders GROUP BY ROLLUP (status, country)",
    "SELECT status, paid, sum(qty) FROM orders GROUP BY GROUPING SETS ((status), (paid), ())",
    "SELECT status, grouping(status), count(*) FROM orders GROUP BY CUBE (status)",
    "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY qty) FROM orders",
    "SELECT percentile_disc(0.5) WITHIN GROUP (ORDER BY total) FROM orders",
    "SELECT mode() WITHIN GROUP (ORDER BY status) FROM orders WHERE status = 'new'",
    "SELECT string_agg(note, ',' ORDER BY rid) FROM items",
    "SELECT array_agg(rid ORDER BY rid) FROM orders",
    "SELECT customer_id, array_agg(rid ORDER BY rid) FROM orders GROUP BY customer_id",
    "SELECT jsonb_agg(rid ORDER BY rid) FROM days",
    "SELECT stddev(qty), variance(total) FROM orders",
    "SELECT customer_id, stddev_pop(qty) FROM orders GROUP BY customer_id",
    "SELECT corr(amount, product_id) FROM items WHERE customer_id = 5",
    "SELECT count(DISTINCT (status, paid)) FROM orders",
    "SELECT count(*) FROM (SELECT DISTINCT status FROM orders) d",
    "SELECT avg(n) FROM (SELECT customer_id, count(*) AS n FROM orders GROUP BY customer_id) d",
    "SELECT status, avg(n) FROM (SELECT status, paid, count(*) AS n FROM orders GROUP BY 1, 2) d GROUP BY status",
    "SELECT o.rid, l.rid FROM orders o CROSS JOIN LATERAL (SELECT i.rid FROM items i WHERE i.customer_id ="
    " o.customer_id ORDER BY i.rid LIMIT 1) l",
    "WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT i FROM n",
    "WITH RECURSIVE n(i) AS (SELECT min(rid) FROM orders UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT i FROM n",
    "WITH x AS (SELECT rid FROM orders ORDER BY rid LIMIT 5) SELECT count(*) FROM x",
    "SELECT * FROM (SELECT rid, qty FROM orders ORDER BY qty DESC NULLS LAST, rid LIMIT 7) d ORDER BY rid",
    "SELECT rid FROM orders WHERE qty = (SELECT max(qty) FROM orders)",
    "SELECT rid FROM orders WHERE customer_id IN (SELECT customer_id FROM customers ORDER BY rid LIMIT 3)",
    "SELECT rid FROM orders o WHERE EXISTS (SELECT 1 FROM tags t WHERE t.product_id = o.product_id)",
    "SELECT rid FROM docs WHERE size IN (SELECT rid FROM settings)",
    "SELECT d.rid, s.value FROM docs d LEFT JOIN settings s ON s.number = d.size",
    "SELECT count(*) FROM settings s, countries c",
    "SELECT a.rid FROM customers a JOIN customers b ON a.rank = b.rank AND a.rid < b.rid",
    "SELECT max(n) FROM (SELECT count(*) AS n FROM orders UNION ALL SELECT count(*) FROM items) u",
    "SELECT rid, sum(qty) OVER () FROM orders",
    "SELECT rid, row_number() OVER (ORDER BY rid) FROM orders",
    "SELECT rid FROM orders ORDER BY rid FETCH FIRST 3 ROWS ONLY",
    "SELECT qty FROM orders ORDER BY qty NULLS LAST FETCH FIRST 3 ROWS WITH TIES",
    "SELECT rid FROM orders WHERE customer_id = 3 FOR UPDATE",
    "SELECT rid FROM orders FOR SHARE",
    "SELECT 1 FROM nowhere",
    "SELECT nothing FROM orders",
    "SELECT rid FROM orders WHERE customer_id = 'five'",
    "SELECT status, qty FROM orders GROUP BY status",
    "SELECT rid / 0 FROM orders WHERE rid = 5",
    "SELEC rid FROM orders",
    "SELECT (o).rid FROM orders o WHERE customer_id = 4",
    "SELECT o FROM orders o WHERE customer_id = 4",
    "SELECT o.rid FROM orders o NATURAL JOIN (SELECT customer_id FROM customers) c",
    "SELECT rid FROM orders UNION SELECT rid FROM items EXCEPT (SELECT rid FROM days UNION ALL SELECT rid FROM tags)",
    "SELECT x.rid FROM (SELECT rid, customer_id FROM orders UNION ALL SELECT rid, customer_id FROM items) x"
    " WHERE x.customer_id = 7",
    "(SELECT rid FROM orders ORDER BY rid LIMIT 3) UNION ALL (SELECT rid FROM items ORDER BY rid DESC LIMIT 2)",
    "SELECT current_setting('server_encoding'), pg_typeof(rid) FROM orders WHERE customer_id = 9 LIMIT 1",
    "SELECT min(token::text), max(sort), min(tier) FROM sittings, events, customers WHERE false",
    "SELECT sum(big), avg(big), min(big), count(big) FROM orders",
    "SELECT sum(ratio), avg(ratio), max(ratio) FROM orders",
    "SELECT bit_and(qty), bit_or(qty) FROM orders",
    "SELECT any_value(rid) FROM countries WHERE rid = 1",
)


class Oddities:
    def __init__(self, expressions: Expressions, sources: Sources) -> None:
        self.x = expressions
        self.sources = sources

    def draw(self) -> tuple[Block, Promise]:
        text = self.x.rng.choice(ODDITIES)
        return Block(raw=text), ("none", ())
