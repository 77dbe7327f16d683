-- What is brought to one server, and what is said of it beforehand.
SELECT o.order_id FROM orders o JOIN docs d ON d.title = o.status WHERE o.qty > $1 AND d.slug IN ('a', $2) AND o.total > o.qty;
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads docs as d: slug in ('a', $2)
--   bring b1: SELECT o.order_id AS c1, o.status AS c2 FROM orders AS o WHERE o.qty > $1 AND o.total > o.qty
--     only those with o.status among b2.c1, where that is selective
--   bring b2: SELECT d.title AS c1 FROM docs AS d WHERE d.slug IN ('a', $2)
--     only those with d.title among b1.c2, where that is selective
--   then SELECT b1.c1 AS order_id FROM unnest($1::int8[], $2::text[]) AS b1 (c1, c2) CROSS JOIN unnest($3::text[]) AS b2 (c1) WHERE b2.c1 = b1.c2
--   because: plan.bringing: the rows of orders, docs are brought to one server, which runs the query over them

-- Both sides of an outer join may be narrowed by what is asked of rows that are there, not of rows that are filled up.
SELECT 1 FROM orders o LEFT JOIN docs d ON d.title = o.status AND d.slug > 'm' AND o.qty = 1 WHERE o.total > 5 AND d.slug < 'z';
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads docs as d: any key
--   bring docs as d (slug, title) where d.slug > 'm'
--   bring orders as o (qty, status) where o.total > 5
--   then SELECT 1 FROM unnest($3::int4[], $4::text[]) AS o (qty, status) LEFT JOIN unnest($1::text[], $2::text[]) AS d (slug, title) ON d.title = o.status AND o.qty = 1 WHERE d.slug < 'z'
--   because: plan.bringing: the rows of docs, orders are brought to one server, which runs the query over them

SELECT 1 FROM orders o FULL JOIN docs d ON d.title = o.status AND d.slug > 'm' WHERE o.total > 5;
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads docs as d: any key
--   bring docs as d (slug, title)
--   bring orders as o (total, status)
--   then SELECT 1 FROM unnest($3::"numeric"[], $4::text[]) AS o (total, status) FULL JOIN unnest($1::text[], $2::text[]) AS d (slug, title) ON d.title = o.status AND d.slug > 'm' WHERE o.total > 5
--   because: plan.bringing: the rows of docs, orders are brought to one server, which runs the query over them

SELECT 1 FROM (orders o RIGHT JOIN docs d ON d.title = o.status) JOIN items i ON i.note = d.title WHERE o.qty = 1 AND d.slug = 'x' AND i.price > 0;
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads docs as d: slug = 'x'
--   scan: reads items as i: any key
--   bring b1: SELECT i.note AS c1 FROM items AS i WHERE i.price > 0
--   bring docs as d (title) where d.slug = 'x'
--   bring orders as o (qty, status)
--   then SELECT 1 FROM unnest($1::text[]) AS b1 (c1) CROSS JOIN (unnest($3::int4[], $4::text[]) AS o (qty, status) RIGHT JOIN unnest($2::text[]) AS d (title) ON d.title = o.status) WHERE b1.c1 = d.title AND o.qty = 1
--   because: plan.bringing: the rows of items, docs, orders are brought to one server, which runs the query over them

-- A moment is one server's; so is what depends on other rows.
SELECT 1 FROM orders o JOIN docs d ON d.title = o.status WHERE o.day < current_date AND o.qty > (SELECT 3) AND o.qty > 1;
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads docs as d: any key
--   bring b1: SELECT o.status AS c1, o.day AS c2 FROM orders AS o WHERE o.qty > (SELECT 3) AND o.qty > 1
--     only those with o.status among b2.c1, where that is selective
--   bring b2: SELECT d.title AS c1 FROM docs AS d
--     only those with d.title among b1.c1, where that is selective
--   then SELECT 1 FROM unnest($1::text[], $2::date[]) AS b1 (c1, c2) CROSS JOIN unnest($3::text[]) AS b2 (c1) WHERE b2.c1 = b1.c1 AND b1.c2 < CURRENT_DATE
--   because: plan.bringing: the rows of orders, docs are brought to one server, which runs the query over them

-- The same rows are brought once, but not those of other conditions.
SELECT a.qty FROM orders a JOIN orders b ON a.qty = b.qty;
--   read, keys
--   scan: reads orders as a: any key
--   scan: reads orders as b: any key
--   bring b1: SELECT a.qty AS c1 FROM orders AS a
--   then SELECT b1.c1 AS qty FROM unnest($1::int4[]) AS b1 (c1) CROSS JOIN unnest($1::int4[]) AS b2 (c1) WHERE b1.c1 = b2.c1
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

SELECT a.qty FROM orders a JOIN orders b ON a.qty = b.qty WHERE a.status = 'x' AND b.status = 'y';
--   read, keys
--   scan: reads orders as a: any key
--   scan: reads orders as b: any key
--   bring b1: SELECT a.qty AS c1 FROM orders AS a WHERE a.status = 'x'
--     only those with a.qty among b2.c1, where that is selective
--   bring b2: SELECT b.qty AS c1 FROM orders AS b WHERE b.status = 'y'
--     only those with b.qty among b1.c1, where that is selective
--   then SELECT b1.c1 AS qty FROM unnest($1::int4[]) AS b1 (c1) CROSS JOIN unnest($2::int4[]) AS b2 (c1) WHERE b1.c1 = b2.c1
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

-- Samples: of a sharded table those of its shards together, each drawn where its rows lie; of a copied one on one server.
SELECT count(*) FROM orders TABLESAMPLE BERNOULLI (10);
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT count(*) AS c1 FROM orders TABLESAMPLE BERNOULLI (10)
--   finish: combine groups: count count(…)
--   because: plan.scatter: groups span shards: each shard computes partial results, which are combined
SELECT o.total, c.name FROM orders AS o TABLESAMPLE SYSTEM (5.5) REPEATABLE (3) JOIN customers c USING (customer_id);
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads customers as c: any key
--   fragment: SELECT o.total, c.name FROM orders AS o TABLESAMPLE SYSTEM (5.5) REPEATABLE (3) JOIN customers AS c USING (customer_id)
--   finish: concatenate
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (o.customer_id)
SELECT a.qty FROM orders a TABLESAMPLE BERNOULLI (50) JOIN orders b TABLESAMPLE BERNOULLI (50) ON a.qty = b.total;
--   read, keys
--   scan: reads orders as a: any key
--   scan: reads orders as b: any key
--   bring orders as a (qty) TABLESAMPLE BERNOULLI (50)
--   bring orders as b (total) TABLESAMPLE BERNOULLI (50)
--   then SELECT a.qty FROM unnest($1::int4[]) AS a (qty) JOIN unnest($2::"numeric"[]) AS b (total) ON a.qty = b.total
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them
SELECT d.slug FROM docs d TABLESAMPLE SYSTEM (1) JOIN countries k TABLESAMPLE SYSTEM (2) ON k.code = d.title;
--   read, keys
--   scan: reads docs as d: any key
--   bring docs as d (slug, title) TABLESAMPLE SYSTEM (1)
--   then SELECT d.slug FROM unnest($1::text[], $2::text[]) AS d (slug, title) JOIN countries AS k TABLESAMPLE SYSTEM (2) ON k.code = d.title
--   because: plan.placing: countries is copied to every shard
--   because: plan.bringing: the rows of docs are brought to one server, which runs the query over them
SELECT c.name, k.name FROM customers c JOIN countries k TABLESAMPLE SYSTEM (2) ON k.code = c.name;
--   read, keys
--   scan: reads customers as c: any key
--   bring b1: SELECT c.name AS c1 FROM customers AS c
--   then SELECT b1.c1 AS name, k.name FROM unnest($1::text[]) AS b1 (c1) CROSS JOIN countries AS k TABLESAMPLE SYSTEM (2) WHERE k.code = b1.c1
--   because: plan.placing: countries is copied to every shard
--   because: plan.bringing: the rows of customers are brought to one server, which runs the query over them
SELECT count(*) FROM orders TABLESAMPLE BERNOULLI (qty);
--   write, chosen
--   because: plan.builder: SELECT is not understood: only a chosen shard may run it
SELECT count(*) FROM orders TABLESAMPLE other (1);
--   write, chosen
--   because: plan.builder: SELECT is not understood: only a chosen shard may run it
DELETE FROM orders WHERE customer_id IN (SELECT customer_id FROM customers TABLESAMPLE SYSTEM (1));
--   write, keys
--   scan: writes orders as orders: any key
--   scan: reads customers as customers: any key
--   refused over several: OG-PLAN-021 TABLESAMPLE on customers in a statement that writes is not answered over several shards
INSERT INTO docs SELECT status, 'x' FROM orders TABLESAMPLE SYSTEM (1);
--   write, keys
--   scan: reads orders as orders: any key
--   scan: inserts into docs as docs: any key
--   change: the rows selected are read first, and then go where they belong
--   read the rows: SELECT "outgrow read".c0::text AS r0, "outgrow read".c1::text AS r1, "outgrow read".c0::text AS r2 FROM (SELECT orders.status, 'x'::text AS "?column?" FROM orders TABLESAMPLE SYSTEM (1)) AS "outgrow read" (c0, c1)
--   send them to the shards of their keys, in portions
--   because: plan.writing: inserts into docs as docs: any key
--   because: plan.changing: the rows selected are read first, and then go where they belong
