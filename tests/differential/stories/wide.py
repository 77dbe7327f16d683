"""Random writes that need rows of other shards than those that they change."""

from __future__ import annotations

from tests.differential.stories.parts import Parts

#: (target, columns, query, the table of `s`, what names a row): nothing of the target's unique keys comes twice.
#: `{w}` are conditions on `s`, `{k}` is a number, `{p}` a text.
DELIVERED = (
    # Other keys, other types: numeric → int, int → numeric, text → varchar(20), date → timestamp, int → text.
    ("orders", "customer_id, rid, total", "SELECT s.customer_id % 30 + 1, s.rid + 100 + s.customer_id * 1000, s.price "
     "FROM items s WHERE {w}", "items"),
    ("orders", "customer_id, rid, qty", "SELECT s.total / 100, s.rid + s.customer_id * 1000, s.total FROM orders s "
     "WHERE {w}", "orders"),
    ("docs", "slug, rid, title", "SELECT s.status, s.rid + s.customer_id * 1000, s.status || {p} FROM orders s "
     "WHERE {w}", "orders"),
    ("docs", "slug, rid, size, made", "SELECT s.sort, s.rid, max(s.value), max(s.at) FROM events s "
     "WHERE {w} GROUP BY s.sort, s.rid", "events"),
    ("sittings", "rid, token, started, hits", "SELECT s.rid, NULL, s.day, s.visits FROM days s WHERE {w}", "days"),
    ("sittings", "token, rid, started", "SELECT '00000000-0000-0001-2345-6789abcdef01', s.rid, s.made FROM docs s "
     "WHERE {w}", "docs"),
    ("days", "rid, day, sales", "SELECT s.rid, s.placed, s.qty FROM orders s WHERE {w}", "orders"),
    ("days", "day, rid, sales", "SELECT s.born, s.rid, s.credit * 3 FROM customers s WHERE {w}", "customers"),
    ("events", "device, sort, rid, n", "SELECT s.rid, s.qty, s.rid + s.customer_id * 1000, s.total FROM orders s "
     "WHERE {w}", "orders"),
    ("items", "customer_id, rid, price, note", "SELECT s.n, s.rid + 700, max(s.value), max(s.at) FROM events s "
     "WHERE {w} GROUP BY s.n, s.rid", "events"),
    ("carts", "customer_id, rid", "SELECT s.hits, s.rid + 900 FROM sittings s WHERE s.hits > 0 AND {w}", "sittings"),
    ("customers", "customer_id, rid, name", "SELECT DISTINCT s.n + 100, 5, 'from ' || s.n FROM events s WHERE {w}",
     "events"),
    # Aggregates, windows, joins, set operations.
    ("days", "day, rid, visits", "SELECT s.made, {k}, count(*) FROM docs s WHERE {w} GROUP BY s.made", "docs"),
    ("orders", "customer_id, rid, qty", "SELECT s.product_id, 800, sum(s.qty) FROM orders s WHERE {w} "
     "GROUP BY s.product_id HAVING s.product_id > 2", "orders"),
    ("customers", "customer_id, rid, name, credit", "SELECT 60 + row_number() OVER (ORDER BY s.customer_id, s.rid), "
     "s.rid, 'w', s.total FROM orders s WHERE {w}", "orders"),
    ("customers", "customer_id, rid, name", "SELECT max(s.customer_id) + 1, {k}, 'next' FROM customers s WHERE {w}",
     "customers"),
    ("docs", "slug, rid, title", "SELECT s.slug || o.rid, s.rid + 300 * o.customer_id, o.status FROM docs s "
     "JOIN orders o ON o.rid = s.size WHERE {w}", "docs"),
    ("days", "rid, day, visits", "SELECT s.rid, s.day, s.visits FROM days s WHERE {w} UNION ALL "
     "SELECT rid, placed::date, qty FROM orders WHERE qty > 3", "days"),
    ("items", "customer_id, rid, price", "SELECT s.customer_id + 1, s.rid + 300, s.price FROM items s WHERE {w} "
     "ORDER BY s.customer_id, s.rid LIMIT {k}", "items"),
    ("items", "customer_id, rid, note", "WITH few AS (SELECT * FROM orders s WHERE {w}) SELECT f.customer_id, "
     "f.rid + 400, c.name FROM few f LEFT JOIN customers c ON c.customer_id = f.qty", "orders"),
    ("events", "device, sort, rid", "SELECT s.n, s.sort, s.rid + 200 FROM events s WHERE {w} AND NOT EXISTS "
     "(SELECT FROM orders o WHERE o.qty = s.n)", "events"),
    # From and into single and copied tables.
    ("orders", "customer_id, rid, status", "SELECT s.rid, s.rid + 400, s.value FROM settings s WHERE {w}", "settings"),
    ("settings", "rid, name, number", "SELECT s.rid + s.customer_id * 100000, {p}, s.qty FROM orders s WHERE {w}",
     "orders"),
    ("settings", "rid, name", "SELECT s.rid + 50, s.name FROM countries s WHERE {w}", "countries"),
    ("products", "product_id, rid, title, price", "SELECT s.rid + s.customer_id * 100000, s.rid, s.status, s.total "
     "FROM orders s WHERE {w}", "orders"),
    ("products", "product_id, rid, title", "SELECT s.rid + 40, s.number, s.value FROM settings s WHERE {w}",
     "settings"),
    ("products", "product_id, rid, country", "SELECT 50 + count(*), max(s.rid), max(s.country) FROM customers s "
     "WHERE {w}", "customers"),
    ("countries", "code, rid, rank", "SELECT DISTINCT ON (s.tier) s.tier, s.rid, s.rid FROM customers s WHERE {w} "
     "ORDER BY s.tier, s.customer_id", "customers"),
    # No table at all.
    ("items", "customer_id, rid, note", "SELECT g % 40, g + 500, {p} FROM generate_series(1, {k}) AS g", ""),
    ("sittings", "token, rid, hits", "SELECT md5(g::text)::uuid, g, g * 2.6 FROM generate_series(1, {k}) AS g", ""),
    ("events", "device, rid, n", "VALUES ({k} + 1, 600, (SELECT max(qty) FROM orders)), (abs(-3), 601, 4)", ""),
    ("customers", "customer_id, rid, name", "VALUES ((SELECT max(customer_id) + 2 FROM customers), 7, lower({p}))", ""),
    ("docs", "slug, rid, title", "VALUES (lower({p}), {k}, DEFAULT)", ""),
    # Types that do not fit.
    ("orders", "customer_id, rid, qty", "SELECT s.active, s.rid, 1 FROM customers s WHERE {w}", "customers"),
    ("docs", "slug, rid, made", "SELECT s.note, s.rid, s.note FROM items s WHERE {w}", "items"),
    ("items", "customer_id, rid, price", "SELECT s.visits * 1000000000, s.rid, 2 FROM days s WHERE {w}", "days"),
)  # fmt: skip


#: What is said of `s` by `{w}`; every row to be changed meets at most one row of FROM, so nothing is by chance.
SUPPLIED = (
    ("UPDATE docs s SET title = c.name FROM customers c WHERE c.customer_id = s.size AND {w}", "docs"),
    ("UPDATE orders s SET status = d.day, qty = d.rid FROM (SELECT rid, max(day) AS day FROM days GROUP BY rid) d "
     "WHERE d.rid = s.rid AND {w}", "orders"),
    ("UPDATE carts s SET weight = e.n FROM (SELECT rid, max(n) AS n FROM events GROUP BY rid) e "
     "WHERE e.rid = s.rid AND {w}", "carts"),
    ("UPDATE events s SET value = o.total + c.credit, n = o.qty FROM orders o JOIN customers c "
     "ON c.customer_id = o.qty WHERE o.customer_id = s.device AND o.rid = s.rid AND {w}", "events"),
    ("UPDATE customers s SET credit = x.number FROM settings x WHERE x.rid = s.customer_id AND {w}", "customers"),
    ("UPDATE settings s SET value = c.name, number = c.credit FROM customers c WHERE c.customer_id = s.rid AND {w}",
     "settings"),
    ("UPDATE products s SET title = c.name, price = c.credit FROM customers c WHERE c.customer_id = s.product_id "
     "AND {w}", "products"),
    ("UPDATE days s SET visits = (SELECT count(*) FROM orders o WHERE o.placed::date > s.day) WHERE {w}", "days"),
    ("UPDATE docs s SET size = (SELECT max(qty) FROM orders) - 30 WHERE {w}", "docs"),
    ("UPDATE items s SET note = (SELECT c.name FROM customers c WHERE c.customer_id = s.rid) WHERE {w}", "items"),
    ("UPDATE items s SET (price, note) = (SELECT o.total, o.status FROM orders o WHERE o.customer_id = s.rid "
     "ORDER BY o.rid LIMIT 1) WHERE {w}", "items"),
    ("UPDATE sittings s SET hits = {k} WHERE s.rid IN (SELECT o.qty FROM orders o WHERE o.total > {k}) AND {w}",
     "sittings"),
    ("UPDATE orders s SET qty = 2 WHERE s.qty > (SELECT avg(n) FROM events) AND {w}", "orders"),
    ("UPDATE orders s SET product_id = NULL WHERE s.rid NOT IN (SELECT rid FROM docs WHERE size > {k}) AND {w}",
     "orders"),
    ("UPDATE settings s SET number = 7 WHERE EXISTS (SELECT FROM docs d WHERE d.size = s.rid) AND {w}", "settings"),
    ("UPDATE countries s SET rank = (SELECT min(o.rid) FROM orders o WHERE o.rid > s.rid) WHERE {w}", "countries"),
    ("WITH big AS (SELECT customer_id, sum(total) AS t FROM orders GROUP BY customer_id) UPDATE docs s "
     "SET size = b.t FROM big b WHERE b.customer_id = s.rid AND {w}", "docs"),
    ("DELETE FROM docs s USING orders o WHERE o.rid = s.size AND o.total > 100 AND {w}", "docs"),
    ("DELETE FROM events s WHERE s.n NOT IN (SELECT qty FROM orders WHERE qty > 5) AND {w}", "events"),
    ("DELETE FROM items s WHERE EXISTS (SELECT FROM carts c WHERE c.rid = s.rid AND c.amount > 2) AND {w}", "items"),
    ("DELETE FROM settings s USING customers c WHERE c.customer_id = s.number AND {w}", "settings"),
    ("DELETE FROM products s WHERE s.product_id > (SELECT max(o.product_id) FROM orders o) AND {w}", "products"),
    ("DELETE FROM carts s USING sittings t, (VALUES (1), (2), (3)) v (n) WHERE t.rid = v.n AND s.amount = v.n "
     "AND {w}", "carts"),
    ("DELETE FROM sittings s WHERE s.hits < ALL (SELECT visits FROM days WHERE visits > 0) AND {w}", "sittings"),
    ("DELETE FROM orders s WHERE (s.qty, s.rid) IN (SELECT o.qty, max(o.rid) FROM orders o GROUP BY o.qty) AND {w}",
     "orders"),
    # Which rows these are is settled once.
    ("DELETE FROM days s WHERE s.rid IN (SELECT d.rid FROM days d ORDER BY d.rid DESC LIMIT 3) AND {w}", "days"),
    ("UPDATE docs s SET title = f.note FROM (SELECT DISTINCT ON (i.rid) i.rid, i.note FROM items i "
     "ORDER BY i.rid, i.customer_id) f WHERE f.rid = s.rid AND {w}", "docs"),
    ("UPDATE events s SET n = w.nr FROM (SELECT o.rid, o.customer_id, row_number() OVER (ORDER BY o.total, o.rid, "
     "o.customer_id) AS nr FROM orders o) w WHERE w.rid = s.rid AND w.customer_id = s.device AND {w}", "events"),
)  # fmt: skip

#: (target, source and ON, {w} being conditions on `s`): no row of the target is met twice but by mistake.
MERGED = (
    ("customers", "(SELECT customer_id, max(rid) AS rid, sum(total) AS total FROM orders s WHERE {w} "
     "GROUP BY customer_id) s ON t.customer_id = s.customer_id", "customers", ("credit", "s.total"),
     "(customer_id, rid, name) VALUES (s.customer_id, s.rid, 'm')", "orders"),
    ("orders", "carts s ON t.customer_id = s.customer_id AND t.rid = s.rid AND {w}", "orders", ("qty", "s.amount"),
     "(rid, customer_id, total) VALUES (s.rid + 2000, s.customer_id, s.weight)", "carts"),
    ("carts", "(SELECT s.hits AS h, s.rid FROM sittings s WHERE {w}) s ON t.customer_id = s.h AND t.rid = s.rid",
     "carts", ("weight", "s.rid"), "(customer_id, rid, amount) VALUES (s.h, s.rid, DEFAULT)", "sittings"),
    ("docs", "(SELECT s.status, s.rid, s.customer_id, s.qty FROM orders s WHERE {w}) s ON s.status = t.slug AND t.rid ="
     " s.rid", "docs", ("size", "s.qty"), "(slug, rid, size) VALUES (s.status, s.rid + 1000 * s.customer_id, s.qty)",
     "orders"),
    ("events", "(SELECT s.rid, s.n, s.sort FROM events s WHERE {w}) s ON t.device = s.n AND t.sort = s.sort"
     " AND t.rid = s.rid", "events", ("value", "s.rid"), "(device, sort, rid) VALUES (s.n, s.sort, s.rid + 900)",
     "events"),
    ("items", "(VALUES ({k}, 1, {p}), (7, 2, 'b'), (NULL, 3, 'c'), (99999999999, 4, 'd')) s (a, b, c)"
     " ON t.customer_id = s.a AND t.rid = s.b", "items", ("note", "s.c"),
     "(customer_id, rid, note) VALUES (s.a, s.b, s.c)", ""),
    ("settings", "(SELECT s.customer_id, s.name FROM customers s WHERE {w}) s ON t.rid = s.customer_id", "settings",
     ("value", "s.name"), "(rid, name) VALUES (s.customer_id, s.name)", "customers"),
    ("products", "(SELECT s.product_id AS p, count(*) AS n FROM orders s WHERE {w} GROUP BY s.product_id) s"
     " ON t.product_id = s.p", "products", ("price", "s.n"), "(product_id, rid, title) VALUES (s.p, 5, {p})", "orders"),
    # Not by the key.
    ("days", "docs s ON t.rid = s.rid AND {w}", "days", ("visits", "s.size"), "(rid, day) VALUES (s.rid, s.made)",
     "docs"),
)  # fmt: skip

#: (text, the table of `s`): parts that hand rows from shard to shard, or would have to look at what others wrote.
RELAYED = (
    ("WITH gone AS (DELETE FROM items s WHERE {w} RETURNING s.rid, s.note, s.price) INSERT INTO docs (rid, slug, "
     "title) SELECT rid, note, price FROM gone",
     "items"),
    ("WITH gone AS (DELETE FROM carts s WHERE {w} RETURNING *), kept AS (INSERT INTO settings (rid, name, number) "
     "SELECT rid + customer_id * 1000, {p}, amount FROM gone RETURNING rid) SELECT count(*), max(rid) FROM kept",
     "carts"),
    ("WITH new AS (UPDATE orders s SET qty = 1 WHERE {w} RETURNING s.rid, s.total) UPDATE docs d SET size = n.t "
     "FROM (SELECT rid, max(total) AS t FROM new GROUP BY rid) n WHERE n.rid = d.rid",
     "orders"),
    ("WITH few AS (SELECT rid, slug FROM docs s WHERE {w}), gone AS (DELETE FROM events e USING few f WHERE f.rid "
     "= e.rid RETURNING e.*) SELECT * FROM gone",
     "docs"),
    ("WITH one AS (DELETE FROM sittings s WHERE {w} RETURNING rid, started), two AS (INSERT INTO days (rid, day, "
     "sales) SELECT rid, started, 5 FROM one RETURNING *) INSERT INTO docs (rid, slug, made) SELECT rid, 'from "
     "two', day FROM two RETURNING *",
     "sittings"),
    ("WITH born AS (INSERT INTO customers (customer_id, rid, name) SELECT 100 + s.rid, s.rid, s.slug || 'n' FROM "
     "docs s WHERE {w} RETURNING customer_id, rid) INSERT INTO orders (customer_id, rid) SELECT customer_id, rid "
     "FROM born",
     "docs"),
    ("WITH gone AS (DELETE FROM days s WHERE {w} RETURNING s.day, s.sales) SELECT day, sum(sales) FROM gone GROUP "
     "BY day",
     "days"),
    ("WITH gone AS (DELETE FROM days s WHERE {w} RETURNING rid) UPDATE products p SET title = 'g' WHERE p.rid IN "
     "(SELECT rid FROM gone)",
     "days"),
    ("WITH up AS (UPDATE items s SET customer_id = customer_id + 1 WHERE {w} RETURNING s.rid, s.customer_id) "
     "DELETE FROM sittings t USING up WHERE up.customer_id = t.hits",
     "items"),
    ("WITH gone AS (DELETE FROM docs s WHERE {w} RETURNING rid) SELECT (SELECT count(*) FROM docs), count(*) FROM "
     "gone",
     "docs"),
    ("WITH a AS (INSERT INTO orders (customer_id, rid) SELECT s.rid + 200, 1 FROM docs s WHERE {w} RETURNING "
     "customer_id) INSERT INTO customers (customer_id, rid, name) SELECT customer_id, 1, 'later' FROM a",
     "docs"),
)  # fmt: skip


class Wide:
    def __init__(self, parts: Parts) -> None:
        self.parts = parts
        self.rng = parts.rng

    def _filled(self, text: str, source: str) -> str:
        parts = self.parts
        where = parts.where(parts.other(source), "s.").removeprefix(" WHERE ") if source else ""
        text = text.replace("{w}", where or "true").replace("{k}", str(self.rng.randint(1, 60)))
        while "{p}" in text:
            value = self.rng.choice(("x", "A long text, longer than twenty", "it's", "DE"))
            given = parts.parameter(value) + "::text" if parts.x.share else parts.x.const(value, "txt")
            text = text.replace("{p}", given, 1)
        return text

    def delivered(self) -> tuple[str, str]:
        """INSERT … SELECT whose rows go elsewhere."""
        target, names, query, source = self.rng.choice(DELIVERED)
        kept = self.parts.other(target)
        conflict = ""
        if self.parts.x.chance(0.35):
            conflict = " ON CONFLICT DO NOTHING"
            if kept.targets and self.parts.x.chance(0.5):
                columns = [name for name in names.split(", ") if name not in ("rid", "code", *kept.tab.key)]
                columns = [name for name in columns if name != "product_id"] or ["rid"]
                chosen = self.rng.choice(columns)
                conflict = f" ON CONFLICT {self.rng.choice(kept.targets)} DO UPDATE SET {chosen} = excluded.{chosen}"
        inserted = self._filled(query, source)
        return f"INSERT INTO {target} ({names}) {inserted}{conflict}{self.parts.returning(kept)}", "none"

    def supplied(self) -> tuple[str, str]:
        """UPDATE and DELETE that read rows of other shards."""
        return self._text(self.rng.choice(SUPPLIED)), "none"

    def _text(self, chosen: tuple[str, str]) -> str:
        text, table = chosen
        return self._filled(text, table) + self.parts.returning(self.parts.other(table), "s.")

    def merged(self) -> tuple[str, str]:
        """MERGE with one to three WHENs."""
        return self._merge(self.rng.choice(MERGED)), "none"

    def _merge(self, chosen: tuple[str, str, str, tuple[str, str], str, str]) -> str:
        target, source, _, (column, value), insert, table = chosen
        whens = [
            f" WHEN MATCHED{self._also('t.rid')} THEN UPDATE SET {column} = {value}",
            f" WHEN MATCHED{self._also('s.rid' if table else 't.rid')} THEN DELETE",
            f" WHEN NOT MATCHED THEN INSERT {insert}",
            f" WHEN MATCHED AND t.rid > {self.rng.randint(5, 60)} THEN DO NOTHING",
        ]
        some = self.rng.sample(whens, self.rng.randint(1, 3))
        return self._filled(f"MERGE INTO {target} t USING {source}{''.join(some)}", table)

    def _also(self, column: str) -> str:
        return f" AND {column} < {self.parts.rid()}" if self.parts.x.chance(0.6) and column != "s.rid" else ""

    def relayed(self) -> tuple[str, str]:
        """Parts that hand rows on."""
        return self._filled(*self.rng.choice(RELAYED)), "none"
