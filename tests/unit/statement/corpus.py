# ruff: noqa: E501 - a statement is a line
"""Statements that PostgreSQL runs over `shop`, and that outgrow must read without doubt.

Each is one line; `QUERIES` are compared row by row with a server, `CHANGES` are run in
a transaction that is rolled back.
"""

from __future__ import annotations

QUERIES = [
    line.strip()
    for line in r"""
SELECT * FROM orders
SELECT * FROM orders WHERE customer_id = 1 ORDER BY id
SELECT * FROM orders TABLESAMPLE SYSTEM (100) ORDER BY id
SELECT o.id, c.name FROM orders AS o TABLESAMPLE BERNOULLI (100.0) REPEATABLE (1.5), customers c TABLESAMPLE SYSTEM (100) WHERE o.customer_id = c.customer_id ORDER BY o.id
SELECT o.a FROM orders AS o (a) TABLESAMPLE SYSTEM (0)
SELECT o.* FROM orders o WHERE o.id IN (1, 2, 3) ORDER BY 1
SELECT id, note AS n FROM orders ORDER BY n DESC NULLS LAST, id
SELECT id, note n FROM orders ORDER BY n NULLS FIRST, id DESC
SELECT id AS note FROM orders ORDER BY note DESC
SELECT id AS total, total AS id FROM orders ORDER BY id, total
SELECT -id AS id FROM orders ORDER BY id
SELECT -id AS id FROM orders ORDER BY id + 0
SELECT count(*), customer_id AS c FROM orders GROUP BY c ORDER BY c
SELECT count(*), customer_id AS id FROM orders GROUP BY customer_id ORDER BY id
SELECT lower(note) AS note, count(*) FROM orders GROUP BY note ORDER BY 2, 1
SELECT 'x' AS k, count(*) FROM orders GROUP BY k
SELECT 'x' AS k, id FROM orders ORDER BY k, 2
SELECT 1, 2 ORDER BY 2, 1
SELECT customer_id % 2 AS parity, sum(total), avg(total), min(note), max(placed) FROM orders GROUP BY 1 ORDER BY 1
SELECT country, count(DISTINCT customer_id) FROM customers GROUP BY country HAVING count(*) > 0 ORDER BY country NULLS FIRST
SELECT DISTINCT customer_id FROM orders ORDER BY customer_id DESC
SELECT DISTINCT ON (customer_id) customer_id, id FROM orders ORDER BY customer_id, id DESC
SELECT DISTINCT ON (c) customer_id AS c, id FROM orders ORDER BY c, id DESC
SELECT DISTINCT ON (customer_id) 'x' AS c, id FROM orders ORDER BY customer_id, id
SELECT DISTINCT ON (customer_id) - id AS c, ~id FROM orders ORDER BY customer_id, id
SELECT DISTINCT ON (1, 2) customer_id, note FROM orders ORDER BY 1, 2
SELECT ALL id FROM orders ORDER BY id LIMIT 2 OFFSET 1
SELECT id FROM orders ORDER BY id OFFSET 1 LIMIT 2
SELECT id FROM orders ORDER BY id OFFSET 2 ROWS FETCH NEXT 2 ROWS ONLY
SELECT id FROM orders ORDER BY id FETCH FIRST ROW ONLY
SELECT customer_id FROM orders ORDER BY customer_id FETCH FIRST 1 ROWS WITH TIES
SELECT id FROM orders ORDER BY id LIMIT ALL OFFSET 0
SELECT id FROM orders ORDER BY id LIMIT NULL
SELECT id FROM orders ORDER BY id LIMIT (SELECT 2)
SELECT id FROM orders ORDER BY id LIMIT 1 + 1
SELECT c.name, o.total FROM customers c JOIN orders o ON o.customer_id = c.customer_id ORDER BY o.id
SELECT * FROM customers JOIN orders USING (customer_id) ORDER BY id
SELECT customer_id, c.customer_id, o.customer_id FROM customers c JOIN orders o USING (customer_id) ORDER BY 1, o.id
SELECT customer_id FROM customers LEFT JOIN orders USING (customer_id) ORDER BY customer_id, id
SELECT customer_id, id FROM customers RIGHT JOIN orders USING (customer_id) ORDER BY id
SELECT * FROM customers RIGHT JOIN orders USING (customer_id) ORDER BY id
SELECT customer_id FROM customers FULL JOIN orders USING (customer_id) ORDER BY customer_id, id
SELECT * FROM customers FULL JOIN orders USING (customer_id) ORDER BY id, customer_id
SELECT customer_id, count(*) FROM customers FULL JOIN orders USING (customer_id) GROUP BY customer_id ORDER BY 1
SELECT * FROM orders JOIN side.notes USING (customer_id) ORDER BY 2
SELECT customer_id FROM side.notes JOIN orders USING (customer_id) ORDER BY 1
SELECT * FROM customers NATURAL JOIN orders ORDER BY id
SELECT * FROM customers NATURAL LEFT JOIN side.notes ORDER BY 1
SELECT * FROM customers a CROSS JOIN countries b ORDER BY 1, code
SELECT a.id, b.id FROM orders a, orders b WHERE a.id < b.id ORDER BY 1, 2
SELECT count(*) FROM orders a, customers b LEFT JOIN countries c ON b.country = c.code, items
SELECT count(*) FROM customers b LEFT JOIN (orders o JOIN items i ON i.order_id = o.id) ON o.customer_id = b.customer_id
SELECT count(*) FROM customers b LEFT JOIN orders o JOIN items i ON i.order_id = o.id ON o.customer_id = b.customer_id
SELECT count(*) FROM (customers b LEFT JOIN orders o USING (customer_id)) JOIN items i ON i.order_id = o.id
SELECT count(*) FROM orders a, customers b RIGHT JOIN countries c ON b.country = c.code
SELECT (SELECT max(total) FROM orders o WHERE o.customer_id = c.customer_id) FROM customers c ORDER BY c.customer_id
SELECT name, (SELECT count(*) FROM orders o WHERE o.customer_id = c.customer_id AND EXISTS (SELECT 1 FROM items i WHERE i.order_id = o.id AND i.line <= c.customer_id)) AS n FROM customers c ORDER BY 1
SELECT name FROM customers c WHERE EXISTS (SELECT FROM orders o WHERE o.customer_id = c.customer_id) ORDER BY 1
SELECT name FROM customers WHERE customer_id NOT IN (SELECT customer_id FROM orders WHERE customer_id IS NOT NULL) ORDER BY 1
SELECT name FROM customers WHERE customer_id = ANY (SELECT customer_id FROM orders) ORDER BY 1
SELECT name FROM customers WHERE customer_id <> ALL (ARRAY[1, 2]) ORDER BY 1
SELECT name FROM customers WHERE customer_id = SOME ('{1,2}') ORDER BY 1
SELECT name FROM customers WHERE customer_id = ANY ((SELECT ARRAY[1, 3])::int8[]) ORDER BY 1
SELECT name FROM customers WHERE customer_id = ANY (VALUES (1), (4)) ORDER BY 1
SELECT name FROM customers WHERE (customer_id, country) IN ((1, 'UK'), (2, 'NL')) ORDER BY 1
SELECT name FROM customers WHERE (customer_id, country) = (1, 'UK')
SELECT name FROM customers WHERE ROW(customer_id, country) > ROW(1, 'UK') ORDER BY 1
SELECT name FROM customers WHERE (customer_id, country) IN (SELECT 1, 'UK' UNION SELECT 3, 'NL') ORDER BY 1
SELECT name FROM customers WHERE (customer_id, country) IS DISTINCT FROM (1, 'UK') ORDER BY 1
SELECT name FROM customers WHERE customer_id BETWEEN 2 AND 3 AND country NOT BETWEEN 'A' AND 'N' ORDER BY 1
SELECT name FROM customers WHERE customer_id NOT BETWEEN SYMMETRIC 3 AND 2 ORDER BY 1
SELECT name FROM customers WHERE NOT customer_id BETWEEN 1 AND 2 AND NOT country IS NULL OR country ISNULL ORDER BY 1
SELECT name FROM customers WHERE spare NOTNULL AND (spare = 1) IS NOT TRUE ORDER BY 1
SELECT name, spare = 1 IS NULL, spare = 1 IS NOT UNKNOWN, NOT spare IS NULL FROM customers ORDER BY 1
SELECT name, spare IS NOT DISTINCT FROM NULL, country IS DISTINCT FROM 'UK' || '' FROM customers ORDER BY 1
SELECT name LIKE 'A%', name NOT LIKE '%a', name ILIKE 'G%' FROM customers ORDER BY customer_id
SELECT note LIKE '100!%' ESCAPE '!' AND true, note SIMILAR TO '(first|x)' FROM orders ORDER BY id
SELECT note ~ '^f', note !~* 'F', note ~~ 'f%', note !~~ 'f%' FROM orders ORDER BY id
SELECT 'a' || 'b' = 'ab', 'a' || 1 || 'b' LIKE 'a%' || 'b', 1 + 2 || 'x' FROM customers LIMIT 1
SELECT 2 + 3 * 4 - 5 / 2 % 3, (2 + 3) * 4, 2 - (3 - 4), 2 - 3 - 4, -2 ^ 2, - (2 ^ 2), 2 ^ 3 ^ 2, 2 ^ (3 ^ 2)
SELECT -1::int2, (-1)::int2, - -1, 7 / 2, 7.0 / 2, -7 / 2, -7 % 3, +5, 1 - -1
SELECT (1 < 2) = true, NOT 1 = 2, NOT NOT true, true AND NOT false OR false, (true OR true) AND false
SELECT 5 & 3, 5 | 3, 5 # 3, ~5, 1 << 4, 256 >> 2, 5 & 3 + 1, |/ 25, @ -5, 2 * (@ (-5))
SELECT d -> 'k' ->> 'x', d #> '{k,x}', d #>> '{l,0}', d @> '{"k": null}', d ? 'k', d ?| ARRAY['l', 'z'] FROM orders ORDER BY id
SELECT id FROM orders WHERE d -> 'k' ->> 'x' = '1' AND d @> '{}' AND NOT d ? 'z'
SELECT tags @> ARRAY['a'], tags && '{c,a}', tags || 'z'::text, 'a' = ANY (tags), tags[1], tags[1:1] FROM orders ORDER BY id
SELECT (ARRAY[1, 2, 3])[2], (ARRAY[[1, 2], [3, 4]])[2][1], ARRAY[]::int[], '{1,2}'::int4[], array_length(ARRAY[1], 1)
SELECT ARRAY(SELECT id FROM orders ORDER BY id DESC), array(VALUES (1), (2))
SELECT '42'::int8, int8 '42', CAST('42' AS bigint), CAST(1.5 AS numeric(3, 1)), '1'::character varying(3), 'ab'::char(5), x'1F', b'101'
SELECT character '42', char 'ab ', char(1) 'ab', varchar 'ab', varchar(1) 'ab', bit(3) '101'
SELECT date '2024-02-29' + 1, timestamp with time zone '2024-01-01 00:00+00' AT TIME ZONE 'UTC', time '10:00', double precision '1.5'
SELECT interval '1 day', interval '1' day, interval '3' hour * 2, interval '1 day 2 hours' day to hour, '1 day'::interval, interval(3) '1.2345 s'
SELECT timestamp '2024-01-01' AT TIME ZONE 'UTC' AT TIME ZONE 'UTC', '2024-01-01'::timestamptz AT TIME ZONE 'UTC' + interval '1 h'
SELECT EXTRACT(year FROM placed), extract('month' from placed), date_part('day', placed), EXTRACT(epoch FROM placed - '2024-01-01') FROM orders ORDER BY id
SELECT substring(note FROM 2 FOR 2), substring(note from 2), substring(note for 2), substring(note, 1, 1), substring(note from 'i.s') FROM orders ORDER BY id
SELECT position('r' IN note), overlay(note PLACING 'XX' FROM 2), overlay(note placing 'Y' from 1 for 3) FROM orders ORDER BY id
SELECT trim(note), trim(both 'f' from note), trim(leading from note), trim(trailing 't' from note), trim(note, 'f'), btrim(note, 'ft') FROM orders ORDER BY id
SELECT normalize('a'), normalize('a', NFC), left(note, 2), right(note, 1), "left"(note, 1) FROM orders ORDER BY id
SELECT coalesce(note, 'none'), nullif(note, ''), greatest(id, 3), least(id, 3, 2) FROM orders ORDER BY id
SELECT CASE WHEN total > 8 THEN 'big' WHEN total IS NULL THEN NULL ELSE 'small' END FROM orders ORDER BY id
SELECT CASE customer_id WHEN 1 THEN note ELSE name END, CASE id WHEN 1 THEN 2 END, CASE WHEN true THEN 1 ELSE id END FROM orders JOIN customers USING (customer_id) ORDER BY id
SELECT id, true, false, null, NULL::text, 'text', 1, 1.50, 1e3, .5, 5., $$dollar 'q'$$, $a$ $$ $a$, E'tab\there', 'back\slash', U&'\0041b', 'it''s' FROM orders ORDER BY id LIMIT 1
SELECT (1), ((2)), (SELECT 3), ((SELECT 4)), (id), (id)::text, (SELECT id), (SELECT o.id AS renamed) FROM orders o ORDER BY o.id LIMIT 1
SELECT sum(total) FILTER (WHERE customer_id = 1), count(*) FILTER (WHERE note IS NULL) AS nulls FROM orders
SELECT string_agg(note, ',' ORDER BY id DESC), array_agg(DISTINCT customer_id ORDER BY customer_id), count(DISTINCT (customer_id, note)) FROM orders
SELECT string_agg(DISTINCT country, ', ' ORDER BY country DESC NULLS LAST) FROM customers
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY total), mode() WITHIN GROUP (ORDER BY customer_id DESC) FROM orders
SELECT percentile_disc(ARRAY[0.1, 0.9]) WITHIN GROUP (ORDER BY id) FILTER (WHERE id > 1) FROM orders
SELECT id, row_number() OVER (ORDER BY id DESC), sum(total) OVER (PARTITION BY customer_id ORDER BY id) FROM orders ORDER BY id
SELECT id, sum(total) OVER w, rank() OVER (w ORDER BY id DESC), count(*) OVER () FROM orders WINDOW w AS (PARTITION BY customer_id) ORDER BY id
SELECT id, sum(id) OVER (ORDER BY id ROWS BETWEEN 1 PRECEDING AND CURRENT ROW EXCLUDE CURRENT ROW), avg(id) OVER (ORDER BY id RANGE UNBOUNDED PRECEDING) FROM orders ORDER BY id
SELECT id, first_value(id) OVER (ORDER BY placed RANGE BETWEEN '1 day' PRECEDING AND '1 day' FOLLOWING), lag(id, 1, 0) OVER (ORDER BY id) FROM orders ORDER BY id
SELECT id, sum(id) OVER (w ROWS 1 PRECEDING), count(*) FILTER (WHERE id > 1) OVER w FROM orders WINDOW w AS (ORDER BY id), v AS (w) ORDER BY id
SELECT id, sum(count(*)) OVER (ORDER BY id GROUPS BETWEEN UNBOUNDED PRECEDING AND UNBOUNDED FOLLOWING EXCLUDE NO OTHERS) FROM orders GROUP BY id ORDER BY id
SELECT customer_id, note, count(*) FROM orders GROUP BY ROLLUP (customer_id, note) ORDER BY 1, 2, 3
SELECT customer_id, note, grouping(customer_id, note), count(*) FROM orders GROUP BY GROUPING SETS ((customer_id, note), (customer_id), ()) ORDER BY 1, 2, 3, 4
SELECT customer_id, lower(note), count(*) FROM orders GROUP BY CUBE (customer_id, lower(note)), id ORDER BY 1, 2, 3
SELECT customer_id, count(*) FROM orders GROUP BY (customer_id, note), () ORDER BY 1, 2
SELECT count(*) FROM orders GROUP BY ()
SELECT customer_id + 1, (SELECT count(*) FROM items) FROM orders GROUP BY customer_id + 1 ORDER BY customer_id + 1
SELECT id FROM orders WHERE customer_id = 1 UNION SELECT customer_id FROM customers ORDER BY id DESC
SELECT id FROM orders UNION ALL SELECT 1 ORDER BY 1 LIMIT 3 OFFSET 1
SELECT 1 UNION SELECT 2 INTERSECT SELECT 2 ORDER BY 1
(SELECT 1 UNION SELECT 2) INTERSECT SELECT 2
SELECT 1 EXCEPT SELECT 1 UNION ALL SELECT 3
SELECT 1 EXCEPT (SELECT 1 UNION ALL SELECT 3)
SELECT id FROM orders EXCEPT ALL SELECT 1 ORDER BY id DESC NULLS LAST
(SELECT id FROM orders ORDER BY id DESC LIMIT 2) UNION ALL (SELECT 9 LIMIT 1) ORDER BY 1
(SELECT id FROM orders) ORDER BY 1 DESC LIMIT 1
((SELECT id FROM orders ORDER BY id) LIMIT 2) OFFSET 1
SELECT NULL AS a UNION ALL SELECT note FROM orders ORDER BY a
SELECT 1 AS a, 'x' AS b UNION SELECT 2, 'y' ORDER BY b DESC, a
VALUES (1, 'one'), (2, 'two') ORDER BY 1 DESC
VALUES (1, 'one'), (2, 'two') ORDER BY column2 LIMIT 1
TABLE countries
(TABLE countries) ORDER BY code DESC LIMIT 2
SELECT * FROM (VALUES (1, 'a'), (2, 'b')) AS v (n, s) WHERE n > 1
SELECT * FROM (VALUES (1, 'a')) AS v
SELECT v.column1 FROM (VALUES (1, 'a')) AS v
SELECT * FROM (SELECT id, note FROM orders) AS s (a) ORDER BY a
SELECT a, note FROM (SELECT id, note FROM orders) AS s (a) ORDER BY note, a
SELECT * FROM (SELECT * FROM (SELECT id + 1 FROM orders) x) y ORDER BY 1
SELECT u.x, u.note FROM orders u (x, y) ORDER BY x
SELECT * FROM orders AS u (x, y, z) WHERE x = 1
SELECT s.n FROM customers c, LATERAL (SELECT count(*) AS n FROM orders o WHERE o.customer_id = c.customer_id) s ORDER BY c.customer_id
SELECT c.name, s.id FROM customers c LEFT JOIN LATERAL (SELECT id FROM orders o WHERE o.customer_id = c.customer_id ORDER BY id DESC LIMIT 1) s ON true ORDER BY 1
SELECT c.customer_id, v.* FROM customers c CROSS JOIN LATERAL (VALUES (c.customer_id + 1), (c.spare)) v ORDER BY 1, 2
SELECT o.id, (SELECT max(sku) FROM items o WHERE order_id = id) FROM orders o ORDER BY 1
SELECT id FROM orders o WHERE EXISTS (SELECT FROM items o WHERE EXISTS (SELECT FROM countries o WHERE order_id = id)) ORDER BY 1
SELECT * FROM generate_series(1, 3)
SELECT * FROM generate_series(1, 3) AS g ORDER BY g DESC
SELECT g.n, n + 1 FROM generate_series(1, 3) AS g (n)
SELECT o.id, t.tag, t.ord FROM orders o, unnest(o.tags) WITH ORDINALITY AS t (tag, ord) ORDER BY 1, 3
SELECT o.id, t FROM orders o JOIN LATERAL unnest(o.tags) t ON true ORDER BY 1, 2
SELECT * FROM unnest(ARRAY[1, 2], ARRAY['a', 'b']) AS u (n, s)
SELECT key, value FROM orders, jsonb_each(d) WHERE id = 1 ORDER BY key
SELECT e.value FROM jsonb_array_elements('[1, 2]') e
SELECT value::int + 1 FROM jsonb_array_elements_text('[1, 2]') AS t
SELECT generate_series(1, id) FROM orders WHERE id < 3 ORDER BY 1
SELECT sum(n) FROM generate_series(1, 10, 3) n
WITH x AS (SELECT id, total FROM orders) SELECT sum(total), count(*) FROM x WHERE id > 1
WITH x (a, b) AS (SELECT id, note FROM orders), y AS MATERIALIZED (SELECT a FROM x WHERE a > 2) SELECT x.b, y.a FROM x JOIN y USING (a) ORDER BY 2
WITH x AS NOT MATERIALIZED (SELECT 1 AS one) SELECT * FROM x, x AS y
WITH x AS (SELECT 1) SELECT * FROM (WITH y AS (SELECT * FROM x) SELECT * FROM y) z
WITH x AS (SELECT 1 AS n), y AS (SELECT 2 AS n) SELECT n FROM x UNION ALL SELECT n FROM y ORDER BY n
WITH orders AS (SELECT 7 AS id) SELECT id FROM orders
WITH RECURSIVE t (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT sum(n) FROM t
WITH RECURSIVE t AS (SELECT customer_id, 1 AS depth FROM customers WHERE customer_id = 1 UNION SELECT t.customer_id + 1, depth + 1 FROM t WHERE depth < 3) SELECT * FROM t ORDER BY depth
WITH a AS (SELECT 1 AS x) SELECT (WITH b AS (SELECT x + 1 AS y FROM a) SELECT y FROM b), c.customer_id FROM customers c ORDER BY 2
SELECT c.name, (WITH q AS (SELECT c.customer_id AS i) SELECT i FROM q) FROM customers c ORDER BY 1
SELECT "Key", "select", "a""b" FROM "Odd name" ORDER BY "Key"
SELECT value, key, "Odd name".key FROM "Odd name" ORDER BY value
SELECT t."Key" AS "Weird ""x"" y", t.value AS select, t.key AS from FROM "Odd name" t ORDER BY t."Key"
SELECT key AS order, value user_, "select" AS "SELECT" FROM "Odd name" AS "T" ORDER BY "order"
SELECT id first, note last FROM orders ORDER BY first
SELECT over.id, filter.name FROM orders over JOIN customers filter USING (customer_id) ORDER BY 1
SELECT n.body, o.note FROM side.notes n JOIN public.orders o ON o.id = n.id ORDER BY n.id
SELECT notes.body, side.notes.id FROM side.notes ORDER BY 2
SELECT public.orders.id, orders.* FROM public.orders ORDER BY 1
SELECT id FROM ONLY orders WHERE id = 1
SELECT orders FROM orders ORDER BY orders.id
SELECT row_to_json(o) FROM orders o ORDER BY o.id
SELECT to_jsonb(c) ->> 'name', count(o) FROM customers c LEFT JOIN orders o USING (customer_id) GROUP BY c.customer_id, c ORDER BY 1
SELECT (c).name, (c).customer_id + 1 FROM customers c ORDER BY 2
SELECT note COLLATE "C" AS n FROM orders ORDER BY note COLLATE "C" DESC, id
SELECT note FROM orders ORDER BY note || 'x' COLLATE "C", id
SELECT max(note COLLATE pg_catalog."C") FROM orders
SELECT id FROM orders ORDER BY customer_id + id DESC NULLS LAST, id
SELECT id FROM orders ORDER BY (id), ((1)) LIMIT 1
SELECT id, id FROM orders ORDER BY id
SELECT count(*) AS "count", count(*) n FROM orders ORDER BY n
SELECT FROM customers
SELECT 1 AS a, 2 AS a
SELECT 1 WHERE false
SELECT name FROM rich ORDER BY name
SELECT pg_catalog.lower('X'), pg_catalog.abs(-1), upper('y')
SELECT make_interval(days => 3, hours => 1), make_interval(1, months := 2)
SELECT concat_ws('-', VARIADIC ARRAY['a', 'b']), format('%s %I', 1, 'x y')
SELECT 1 OPERATOR(pg_catalog.+) 2 * 3, 'a' OPERATOR(pg_catalog.||) 'b'
SELECT current_date = current_date, current_timestamp IS NOT NULL, localtime(0) IS NULL, CURRENT_USER = user, current_schema
SELECT id /* a ; comment /* nested */ $1 %s */ FROM orders -- the end; %
SELECT id::text || ':' || coalesce(note, 'null') FROM orders ORDER BY 1
SELECT id FROM orders WHERE total::int = 10 OR total::numeric(4,1) = 7.3 ORDER BY 1
SELECT CAST(id + 1 AS text) || 'x', cast(id = 1 as int) + 1, CAST(CASE WHEN id > 2 THEN 1 END AS int8) FROM orders ORDER BY id
SELECT placed::date, placed::timestamp(0) with time zone FROM orders ORDER BY id
SELECT sku::text, price::float4, line::smallint FROM items ORDER BY order_id, line
SELECT c.customer_id, sum(i.price) FROM customers c JOIN orders o ON c.customer_id = o.customer_id JOIN items i ON i.order_id = o.id GROUP BY c.customer_id HAVING sum(i.price) > 1 ORDER BY sum(i.price) DESC
SELECT country, array_agg(name ORDER BY name) FILTER (WHERE born IS NOT NULL) FROM customers GROUP BY country ORDER BY country
SELECT a.customer_id FROM customers a WHERE a.customer_id > ALL (SELECT b.customer_id FROM customers b WHERE b.customer_id < a.customer_id) AND a.spare = ANY (ARRAY[1, 2]) ORDER BY 1
SELECT EXISTS (SELECT 1 FROM orders WHERE id = 99), NOT EXISTS (SELECT 1), (SELECT NULL) IS NULL
SELECT 'a' IN ('a', 'b'), 1 NOT IN (2, 3), 1 IN (SELECT 1), NULL IN (1)
SELECT id, lower(note) IN (SELECT lower(note) FROM orders WHERE note IS NOT NULL) FROM orders ORDER BY id
SELECT greatest(1, 2) = 2 AND least(3, 4) = 3 OR NOT coalesce(NULL, true)
SELECT json_build_object('a', id, 'b', note) FROM orders ORDER BY id
SELECT max(id) FROM orders WHERE id BETWEEN (SELECT min(id) FROM orders) AND (SELECT max(id) - 1 FROM orders)
""".splitlines()
    if line.strip()
]

CHANGES = [
    line.strip()
    for line in r"""
INSERT INTO customers VALUES (10, 'New')
INSERT INTO customers (customer_id, name) VALUES (10, 'New'), (1, 'y') ON CONFLICT DO NOTHING
INSERT INTO customers (customer_id, name) SELECT id + 100, coalesce(note, '') FROM orders RETURNING *
MERGE INTO customers c USING (SELECT DISTINCT customer_id FROM orders WHERE customer_id > 0) o ON c.customer_id = o.customer_id AND c.name > '' WHEN MATCHED AND (c.name = 'a' OR c.name IS NULL) THEN UPDATE SET name = 'b' WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (customer_id, name) VALUES (o.customer_id, DEFAULT)
MERGE INTO ONLY customers USING (SELECT 1 AS customer_id, 'x' AS w) AS v ON v.customer_id = customers.customer_id WHEN MATCHED AND w = CASE WHEN name = 'a' THEN 'b' END THEN DO NOTHING WHEN NOT MATCHED AND w > 'a' THEN INSERT (customer_id, name) VALUES (v.customer_id, w)
INSERT INTO customers AS c (customer_id, name) VALUES (1, 'x') ON CONFLICT (customer_id) DO UPDATE SET name = excluded.name || c.name, (spare, born) = (7, NULL) WHERE c.customer_id < 3 RETURNING c.name AS n, *
INSERT INTO customers (customer_id, name) VALUES (1, 'x') ON CONFLICT ON CONSTRAINT customers_pkey DO NOTHING RETURNING customer_id
INSERT INTO countries VALUES ('XX') ON CONFLICT (code) WHERE code > 'a' DO UPDATE SET title = (SELECT max(title) FROM countries)
INSERT INTO side.notes (SELECT 1, 'x')
INSERT INTO side.notes (id, body) VALUES (DEFAULT, 'x'), (2, DEFAULT) RETURNING id
INSERT INTO side.notes DEFAULT VALUES RETURNING id
INSERT INTO side.notes (id) OVERRIDING USER VALUE VALUES (3)
WITH x AS (SELECT 9 AS id) INSERT INTO side.notes (id) SELECT id FROM x
INSERT INTO side.notes (id) WITH x AS (SELECT 9 AS id) SELECT id FROM x RETURNING id + 1
INSERT INTO "Odd name" ("Key", key, value) VALUES (1, 2, 3) RETURNING "Odd name".*
UPDATE orders SET note = 'x' WHERE id = 1 RETURNING *
UPDATE orders AS o SET note = c.name, total = total * 2 FROM customers c WHERE c.customer_id = o.customer_id RETURNING o.id, c.name
UPDATE orders SET (note, total) = ('y', 1 + 1), d = DEFAULT WHERE customer_id IN (1, 2)
UPDATE orders o SET (note, total) = (SELECT name, 3 FROM customers c WHERE c.customer_id = o.customer_id), tags = '{}'
UPDATE ONLY side.notes SET body = body || '!' WHERE id = 1
WITH x AS (SELECT 1 AS id) UPDATE side.notes n SET body = NULL FROM x WHERE x.id = n.id
UPDATE side.notes SET id = notes.id + 1 FROM customers JOIN orders USING (customer_id) WHERE notes.customer_id = orders.customer_id
DELETE FROM items WHERE order_id = 1 RETURNING line
DELETE FROM items i USING orders o WHERE o.id = i.order_id AND o.customer_id = 2
DELETE FROM items USING orders o JOIN customers c USING (customer_id), countries k WHERE o.id = items.order_id AND k.code = c.country RETURNING items.*, k.code
DELETE FROM ONLY items
WITH gone AS (DELETE FROM items WHERE order_id = 1 RETURNING *) SELECT count(*) FROM gone
WITH gone AS (DELETE FROM items RETURNING order_id), up AS (UPDATE orders SET note = 'z' FROM gone WHERE gone.order_id = id RETURNING id) INSERT INTO side.notes (id) SELECT DISTINCT id FROM up RETURNING *
""".splitlines()
    if line.strip()
]
