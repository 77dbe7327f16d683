-- What is brought as one bundle: rows of one key, with all that shards can judge alone.
SELECT c.name, d.slug FROM customers c, orders o, docs d WHERE c.customer_id = o.customer_id AND o.qty > 3 AND o.status = d.title AND EXISTS (SELECT 1 FROM items i WHERE i.customer_id = o.customer_id AND i.price > 1);
--   read, keys
--   scan: reads customers as c: any key
--   scan: reads orders as o: any key
--   scan: reads docs as d: any key
--   scan: reads items as i: any key
--   bring b1: SELECT c.name AS c1, o.status AS c2 FROM customers AS c CROSS JOIN orders AS o WHERE c.customer_id = o.customer_id AND o.qty > 3 AND EXISTS (SELECT 1 FROM items AS i WHERE i.customer_id = o.customer_id AND i.price > 1)
--     only those with o.status among b2.c2, where that is selective
--   bring b2: SELECT d.slug AS c1, d.title AS c2 FROM docs AS d
--     only those with d.title among b1.c2, where that is selective
--   then SELECT b1.c1 AS name, b2.c1 AS slug FROM unnest($1::text[], $2::text[]) AS b1 (c1, c2) CROSS JOIN unnest($3::text[], $4::text[]) AS b2 (c1, c2) WHERE b1.c2 = b2.c2
--   because: plan.bringing: the rows of customers, orders, docs are brought to one server, which runs the query over them

-- Co-located by what follows only: both are equal to a third.
SELECT o.qty FROM orders o, items i, docs d, flags f WHERE o.customer_id = f.n AND f.n = i.customer_id AND d.title = o.status;
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads items as i: any key
--   scan: reads docs as d: any key
--   scan: reads flags as f: any key
--   bring b1: SELECT o.qty AS c1, o.customer_id AS c2, i.customer_id AS c3, o.status AS c4 FROM orders AS o CROSS JOIN items AS i WHERE o.customer_id = i.customer_id
--     only those with o.customer_id among b3.c1, where that is selective
--     only those with i.customer_id among b3.c1, where that is selective
--     only those with o.status among b2.c1, where that is selective
--   bring b2: SELECT d.title AS c1 FROM docs AS d
--     only those with d.title among b1.c4, where that is selective
--   bring b3: SELECT f.n AS c1 FROM flags AS f
--     only those with f.n among b1.c2, where that is selective
--     only those with f.n among b1.c3, where that is selective
--   then SELECT b1.c1 AS qty FROM unnest($1::int4[], $2::int8[], $3::int4[], $4::text[]) AS b1 (c1, c2, c3, c4) CROSS JOIN unnest($5::text[]) AS b2 (c1) CROSS JOIN unnest($6::int4[]) AS b3 (c1) WHERE b1.c2 = b3.c1 AND b3.c1 = b1.c3 AND b2.c1 = b1.c4
--   because: plan.bringing: the rows of orders, items, docs, flags are brought to one server, which runs the query over them

-- What the arms of an OR have in common is said of all; what each says of a table alone is said to its shards.
SELECT 1 FROM orders o, docs d WHERE (o.status = d.title AND o.qty = 1 AND d.slug > 'a') OR (o.status = d.title AND o.qty > 5 AND d.slug < 'm' AND o.total > 9);
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads docs as d: any key
--   bring b1: SELECT o.status AS c1, o.qty AS c2, o.total AS c3 FROM orders AS o WHERE o.qty = 1 OR o.qty > 5 AND o.total > 9
--     only those with o.status among b2.c1, where that is selective
--   bring b2: SELECT d.title AS c1, d.slug AS c2 FROM docs AS d WHERE d.slug > 'a' OR d.slug < 'm'
--     only those with d.title among b1.c1, where that is selective
--   then SELECT 1 FROM unnest($1::text[], $2::int4[], $3::"numeric"[]) AS b1 (c1, c2, c3) CROSS JOIN unnest($4::text[], $5::text[]) AS b2 (c1, c2) WHERE b1.c1 = b2.c1 AND (b1.c2 = 1 AND b2.c2 > 'a' OR b1.c2 > 5 AND b2.c2 < 'm' AND b1.c3 > 9)
--   because: plan.bringing: the rows of orders, docs are brought to one server, which runs the query over them

SELECT 1 FROM orders o, docs d WHERE (o.qty = 1 AND d.slug > 'a') OR (o.total = 5 AND d.title = 'x');
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads docs as d: any key
--   bring b1: SELECT o.qty AS c1, o.total AS c2 FROM orders AS o WHERE o.qty = 1 OR o.total = 5
--   bring b2: SELECT d.slug AS c1, d.title AS c2 FROM docs AS d WHERE d.slug > 'a' OR d.title = 'x'
--   then SELECT 1 FROM unnest($1::int4[], $2::"numeric"[]) AS b1 (c1, c2) CROSS JOIN unnest($3::text[], $4::text[]) AS b2 (c1, c2) WHERE b1.c1 = 1 AND b2.c1 > 'a' OR b1.c2 = 5 AND b2.c2 = 'x'
--   because: plan.bringing: the rows of orders, docs are brought to one server, which runs the query over them

-- An arm that says nothing of a table leaves all of its rows.
SELECT 1 FROM orders o, docs d WHERE (o.qty = 1 AND d.slug > 'a') OR d.title = 'x';
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads docs as d: any key
--   bring b1: SELECT o.qty AS c1 FROM orders AS o
--   bring b2: SELECT d.slug AS c1, d.title AS c2 FROM docs AS d WHERE d.slug > 'a' OR d.title = 'x'
--   then SELECT 1 FROM unnest($1::int4[]) AS b1 (c1) CROSS JOIN unnest($2::text[], $3::text[]) AS b2 (c1, c2) WHERE b1.c1 = 1 AND b2.c1 > 'a' OR b2.c2 = 'x'
--   because: plan.bringing: the rows of orders, docs are brought to one server, which runs the query over them

-- Moments are one server's; a subquery off the key is no shard's.
SELECT 1 FROM orders o, docs d WHERE d.title = o.status AND o.day < current_date AND o.qty > (SELECT max(n) FROM flags);
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads docs as d: any key
--   scan: reads flags as flags: any key
--   bring b1: SELECT o.status AS c1, o.day AS c2, o.qty AS c3 FROM orders AS o
--     only those with o.status among b2.c1, where that is selective
--   bring b2: SELECT d.title AS c1 FROM docs AS d
--     only those with d.title among b1.c1, where that is selective
--   bring b3: SELECT max(flags.n) AS c1 FROM flags
--   then SELECT 1 FROM unnest($1::text[], $2::date[], $3::int4[]) AS b1 (c1, c2, c3) CROSS JOIN unnest($4::text[]) AS b2 (c1) WHERE b2.c1 = b1.c1 AND b1.c2 < CURRENT_DATE AND b1.c3 > (SELECT max(b3.c1) AS max FROM unnest($5::int4[]) AS b3 (c1))
--   because: plan.bringing: the rows of orders, docs, flags are brought to one server, which runs the query over them

-- Inside, rows matter for those outside; outside, each row may count without a partner.
SELECT o.qty FROM orders o WHERE NOT EXISTS (SELECT 1 FROM docs d WHERE d.title = o.status);
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads docs as d: any key
--   bring b1: SELECT o.qty AS c1, o.status AS c2 FROM orders AS o
--   bring b2: SELECT DISTINCT d.title AS c1 FROM docs AS d
--     only those with d.title among b1.c2, where that is selective
--   then SELECT b1.c1 AS qty FROM unnest($1::int4[], $2::text[]) AS b1 (c1, c2) WHERE NOT EXISTS (SELECT 1 FROM unnest($3::text[]) AS b2 (c1) WHERE b2.c1 = b1.c2)
--   because: plan.bringing: the rows of orders, docs are brought to one server, which runs the query over them

SELECT o.qty, (SELECT min(d.slug) FROM docs d WHERE d.title = o.status) FROM orders o;
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads docs as d: any key
--   bring b1: SELECT o.qty AS c1, o.status AS c2 FROM orders AS o
--   bring b2: SELECT d.slug AS c1, d.title AS c2 FROM docs AS d
--     only those with d.title among b1.c2, where that is selective
--   then SELECT b1.c1 AS qty, (SELECT min(b2.c1) AS min FROM unnest($3::text[], $4::text[]) AS b2 (c1, c2) WHERE b2.c2 = b1.c2) AS min FROM unnest($1::int4[], $2::text[]) AS b1 (c1, c2)
--   because: plan.bringing: the rows of orders, docs are brought to one server, which runs the query over them

-- IN tells both, unless the subquery counts rows; NOT IN tells nobody.
SELECT o.qty FROM orders o WHERE o.status IN (SELECT d.title FROM docs d);
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads docs as d: any key
--   bring b1: SELECT o.qty AS c1, o.status AS c2 FROM orders AS o
--     only those with o.status among b2.c1, where that is selective
--   bring b2: SELECT DISTINCT d.title AS c1 FROM docs AS d
--     only those with d.title among b1.c2, where that is selective
--   then SELECT b1.c1 AS qty FROM unnest($1::int4[], $2::text[]) AS b1 (c1, c2) WHERE b1.c2 = ANY (SELECT b2.c1 AS title FROM unnest($3::text[]) AS b2 (c1))
--   because: plan.bringing: the rows of orders, docs are brought to one server, which runs the query over them

SELECT o.qty FROM orders o WHERE o.status IN (SELECT d.title FROM docs d ORDER BY d.slug LIMIT 3);
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads docs as d: any key
--   bring b1: SELECT o.qty AS c1, o.status AS c2 FROM orders AS o
--   bring b2: SELECT d.title AS c1, d.slug AS c2 FROM docs AS d
--   then SELECT b1.c1 AS qty FROM unnest($1::int4[], $2::text[]) AS b1 (c1, c2) WHERE b1.c2 = ANY (SELECT b2.c1 AS title FROM unnest($3::text[], $4::text[]) AS b2 (c1, c2) ORDER BY b2.c2 LIMIT 3)
--   because: plan.bringing: the rows of orders, docs are brought to one server, which runs the query over them

SELECT o.qty FROM orders o WHERE o.status IN (SELECT max(d.title) FROM docs d GROUP BY d.slug);
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads docs as d: any key
--   bring b1: SELECT o.qty AS c1, o.status AS c2 FROM orders AS o
--   bring b2: SELECT d.slug AS c1, max(d.title) AS c2 FROM docs AS d GROUP BY d.slug
--   then SELECT b1.c1 AS qty FROM unnest($1::int4[], $2::text[]) AS b1 (c1, c2) WHERE b1.c2 = ANY (SELECT max(b2.c2) AS max FROM unnest($3::text[], $4::text[]) AS b2 (c1, c2) GROUP BY b2.c1)
--   because: plan.bringing: the rows of orders, docs are brought to one server, which runs the query over them

SELECT o.qty FROM orders o WHERE o.status IN (SELECT d.title FROM docs d GROUP BY d.title);
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads docs as d: any key
--   bring b1: SELECT o.qty AS c1, o.status AS c2 FROM orders AS o
--     only those with o.status among b2.c1, where that is selective
--   bring b2: SELECT d.title AS c1 FROM docs AS d GROUP BY d.title
--     only those with d.title among b1.c2, where that is selective
--   then SELECT b1.c1 AS qty FROM unnest($1::int4[], $2::text[]) AS b1 (c1, c2) WHERE b1.c2 = ANY (SELECT b2.c1 AS title FROM unnest($3::text[]) AS b2 (c1) GROUP BY b2.c1)
--   because: plan.bringing: the rows of orders, docs are brought to one server, which runs the query over them

SELECT o.qty FROM orders o WHERE o.status NOT IN (SELECT d.title FROM docs d);
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads docs as d: any key
--   bring b1: SELECT o.qty AS c1, o.status AS c2 FROM orders AS o
--   bring b2: SELECT DISTINCT d.title AS c1 FROM docs AS d
--   then SELECT b1.c1 AS qty FROM unnest($1::int4[], $2::text[]) AS b1 (c1, c2) WHERE b1.c2 <> ALL (SELECT b2.c1 AS title FROM unnest($3::text[]) AS b2 (c1))
--   because: plan.bringing: the rows of orders, docs are brought to one server, which runs the query over them

-- The padded side of an outer join tells nobody and is told nothing.
SELECT o.qty FROM orders o LEFT JOIN docs d ON d.title = o.status;
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads docs as d: any key
--   bring docs as d (title)
--   bring orders as o (qty, status)
--   then SELECT o.qty FROM unnest($2::int4[], $3::text[]) AS o (qty, status) LEFT JOIN unnest($1::text[]) AS d (title) ON d.title = o.status
--   because: plan.bringing: the rows of docs, orders are brought to one server, which runs the query over them

SELECT 1 FROM flags f, orders o LEFT JOIN docs d ON d.title = o.status WHERE f.n = o.qty;
--   read, keys
--   scan: reads flags as f: any key
--   scan: reads orders as o: any key
--   scan: reads docs as d: any key
--   bring b1: SELECT f.n AS c1 FROM flags AS f
--   bring docs as d (title)
--   bring orders as o (qty, status)
--   then SELECT 1 FROM unnest($1::int4[]) AS b1 (c1) CROSS JOIN (unnest($3::int4[], $4::text[]) AS o (qty, status) LEFT JOIN unnest($2::text[]) AS d (title) ON d.title = o.status) WHERE b1.c1 = o.qty
--   because: plan.bringing: the rows of flags, docs, orders are brought to one server, which runs the query over them

-- An outer join on the key is a bundle.
SELECT f.flag FROM flags f, customers c LEFT JOIN orders o ON o.customer_id = c.customer_id AND o.qty > 1 WHERE f.n = c.customer_id;
--   read, keys
--   scan: reads flags as f: any key
--   scan: reads customers as c: any key
--   scan: reads orders as o: any key
--   bring b1: SELECT f.flag AS c1, f.n AS c2 FROM flags AS f
--     only those with f.n among b2.c1, where that is selective
--   bring b2: SELECT c.customer_id AS c1 FROM customers AS c LEFT JOIN orders AS o ON o.customer_id = c.customer_id AND o.qty > 1
--     only those with c.customer_id among b1.c2, where that is selective
--   then SELECT b1.c1 AS flag FROM unnest($1::bool[], $2::int4[]) AS b1 (c1, c2) CROSS JOIN unnest($3::int8[]) AS b2 (c1) WHERE b1.c2 = b2.c1
--   because: plan.bringing: the rows of flags, customers, orders are brought to one server, which runs the query over them

-- A derived table hands on what its groups are told, and nothing where it counts rows.
SELECT o.qty FROM orders o, (SELECT d.title, count(*) AS n FROM docs d GROUP BY d.title) x WHERE x.title = o.status;
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads docs as d: any key
--   bring b1: SELECT o.qty AS c1, o.status AS c2 FROM orders AS o
--     only those with o.status among b2.c1, where that is selective
--   bring b2: SELECT d.title AS c1, count(*) AS c2 FROM docs AS d GROUP BY d.title
--     only those with d.title among b1.c2, where that is selective
--   then SELECT b1.c1 AS qty FROM unnest($1::int4[], $2::text[]) AS b1 (c1, c2) CROSS JOIN (SELECT b2.c1 AS title, coalesce(sum(b2.c2), 0)::int8 AS n FROM unnest($3::text[], $4::int8[]) AS b2 (c1, c2) GROUP BY b2.c1) AS x WHERE x.title = b1.c2
--   because: plan.bringing: the rows of orders, docs are brought to one server, which runs the query over them

SELECT o.qty FROM orders o, (SELECT d.title, rank() OVER (ORDER BY d.slug) AS n FROM docs d) x WHERE x.title = o.status;
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads docs as d: any key
--   bring b1: SELECT o.qty AS c1, o.status AS c2 FROM orders AS o
--   bring b2: SELECT d.title AS c1, d.slug AS c2 FROM docs AS d
--   then SELECT b1.c1 AS qty FROM unnest($1::int4[], $2::text[]) AS b1 (c1, c2) CROSS JOIN (SELECT b2.c1 AS title, rank() OVER (ORDER BY b2.c2) AS n FROM unnest($3::text[], $4::text[]) AS b2 (c1, c2)) AS x WHERE x.title = b1.c2
--   because: plan.bringing: the rows of orders, docs are brought to one server, which runs the query over them

-- Values of unlike types tell nothing: equal by way of a third need not be equal.
SELECT 1 FROM orders o, items i, flags f WHERE o.total = i.price AND f.n = i.price;
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads items as i: any key
--   scan: reads flags as f: any key
--   bring b1: SELECT o.total AS c1 FROM orders AS o
--   bring b2: SELECT i.price AS c1 FROM items AS i
--   bring b3: SELECT f.n AS c1 FROM flags AS f
--   then SELECT 1 FROM unnest($1::"numeric"[]) AS b1 (c1) CROSS JOIN unnest($2::float8[]) AS b2 (c1) CROSS JOIN unnest($3::int4[]) AS b3 (c1) WHERE b1.c1 = b2.c1 AND b3.c1 = b2.c1
--   because: plan.bringing: the rows of orders, items, flags are brought to one server, which runs the query over them

-- Groups in halves: exact sums, counts, averages; all rows where that would not be the same.
SELECT x.status FROM (SELECT status, count(*) AS n, sum(qty) AS s, avg(total) AS a, min(day) AS f, bool_or(qty > 2) AS b FROM orders WHERE qty > $1 GROUP BY status) x, docs d WHERE d.title = x.status;
--   read, keys
--   scan: reads docs as d: any key
--   scan: reads orders as orders: any key
--   bring b1: SELECT d.title AS c1 FROM docs AS d
--     only those with d.title among b2.c1, where that is selective
--   bring b2: SELECT orders.status AS c1, count(*) AS c2, sum(orders.qty) AS c3, sum(orders.total) AS c4, count(orders.total) AS c5, min(orders.day) AS c6, bool_or(orders.qty > 2) AS c7 FROM orders WHERE orders.qty > $1 GROUP BY orders.status
--     only those with orders.status among b1.c1, where that is selective
--   then SELECT x.status FROM unnest($1::text[]) AS b1 (c1) CROSS JOIN (SELECT b2.c1 AS status, coalesce(sum(b2.c2), 0)::int8 AS n, sum(b2.c3)::int8 AS s, sum(b2.c4) / nullif(sum(b2.c5), 0) AS a, min(b2.c6) AS f, bool_or(b2.c7) AS b FROM unnest($2::text[], $3::int8[], $4::int8[], $5::"numeric"[], $6::int8[], $7::date[], $8::bool[]) AS b2 (c1, c2, c3, c4, c5, c6, c7) GROUP BY b2.c1) AS x WHERE b1.c1 = x.status
--   because: plan.bringing: the rows of docs, orders are brought to one server, which runs the query over them

SELECT x.note FROM (SELECT note, sum(price) AS s FROM items GROUP BY note) x, docs d WHERE d.title = x.note;
--   read, keys
--   scan: reads docs as d: any key
--   scan: reads items as items: any key
--   bring b1: SELECT d.title AS c1 FROM docs AS d
--     only those with d.title among b2.c1, where that is selective
--   bring b2: SELECT items.note AS c1, items.price AS c2 FROM items
--     only those with items.note among b1.c1, where that is selective
--   then SELECT x.note FROM unnest($1::text[]) AS b1 (c1) CROSS JOIN (SELECT b2.c1 AS note, sum(b2.c2) AS s FROM unnest($2::text[], $3::float8[]) AS b2 (c1, c2) GROUP BY b2.c1) AS x WHERE b1.c1 = x.note
--   because: plan.bringing: the rows of docs, items are brought to one server, which runs the query over them

SELECT x.status FROM (SELECT status, count(DISTINCT qty) AS n FROM orders GROUP BY status) x, docs d WHERE d.title = x.status;
--   read, keys
--   scan: reads docs as d: any key
--   scan: reads orders as orders: any key
--   bring b1: SELECT d.title AS c1 FROM docs AS d
--     only those with d.title among b2.c1, where that is selective
--   bring b2: SELECT orders.status AS c1, orders.qty AS c2 FROM orders
--     only those with orders.status among b1.c1, where that is selective
--   then SELECT x.status FROM unnest($1::text[]) AS b1 (c1) CROSS JOIN (SELECT b2.c1 AS status, count(DISTINCT b2.c2) AS n FROM unnest($2::text[], $3::int4[]) AS b2 (c1, c2) GROUP BY b2.c1) AS x WHERE b1.c1 = x.status
--   because: plan.bringing: the rows of docs, orders are brought to one server, which runs the query over them

SELECT x.status FROM (SELECT status, string_agg(status, '') AS n FROM orders GROUP BY status) x, docs d WHERE d.title = x.status;
--   read, keys
--   scan: reads docs as d: any key
--   scan: reads orders as orders: any key
--   bring b1: SELECT d.title AS c1 FROM docs AS d
--     only those with d.title among b2.c1, where that is selective
--   bring b2: SELECT orders.status AS c1 FROM orders
--     only those with orders.status among b1.c1, where that is selective
--   then SELECT x.status FROM unnest($1::text[]) AS b1 (c1) CROSS JOIN (SELECT b2.c1 AS status, string_agg(b2.c1, '') AS n FROM unnest($2::text[]) AS b2 (c1) GROUP BY b2.c1) AS x WHERE b1.c1 = x.status
--   because: plan.bringing: the rows of docs, orders are brought to one server, which runs the query over them

SELECT x.status FROM (SELECT status, (SELECT max(d.slug) FROM docs d WHERE d.title = orders.status) AS m, count(*) FILTER (WHERE qty = 1) AS n FROM orders GROUP BY status) x;
--   read, keys
--   scan: reads orders as orders: any key
--   scan: reads docs as d: any key
--   bring b1: SELECT orders.status AS c1, orders.qty AS c2 FROM orders
--   bring b2: SELECT d.slug AS c1, d.title AS c2 FROM docs AS d
--     only those with d.title among b1.c1, where that is selective
--   then SELECT x.status FROM (SELECT b1.c1 AS status, (SELECT max(b2.c1) AS max FROM unnest($3::text[], $4::text[]) AS b2 (c1, c2) WHERE b2.c2 = b1.c1) AS m, count(*) FILTER (WHERE b1.c2 = 1) AS n FROM unnest($1::text[], $2::int4[]) AS b1 (c1, c2) GROUP BY b1.c1) AS x
--   because: plan.bringing: the rows of orders, docs are brought to one server, which runs the query over them

SELECT sum(count(*)) OVER (ORDER BY status), status FROM orders GROUP BY status ORDER BY 1;
--   read, keys
--   scan: reads orders as orders: any key
--   bring b1: SELECT orders.status AS c1, count(*) AS c2 FROM orders GROUP BY orders.status
--   then SELECT sum(coalesce(sum(b1.c2), 0)::int8) OVER (ORDER BY b1.c1) AS sum, b1.c1 AS status FROM unnest($1::text[], $2::int8[]) AS b1 (c1, c2) GROUP BY b1.c1 ORDER BY 1
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

-- Of an outer join the ON tells nobody, whatever its sides are.
SELECT y.status FROM (SELECT o.status FROM orders o) y LEFT JOIN (SELECT d.title FROM docs d) x ON x.title = y.status;
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads docs as d: any key
--   bring b1: SELECT o.status AS c1 FROM orders AS o
--   bring b2: SELECT d.title AS c1 FROM docs AS d
--   then SELECT y.status FROM (SELECT b1.c1 AS status FROM unnest($1::text[]) AS b1 (c1)) AS y LEFT JOIN (SELECT b2.c1 AS title FROM unnest($2::text[]) AS b2 (c1)) AS x ON x.title = y.status
--   because: plan.bringing: the rows of orders, docs are brought to one server, which runs the query over them

-- What is equal under a collation of its own is not equal elsewhere.
SELECT 1 FROM docs d, loud l, orders o WHERE d.title = l.word AND l.word = o.status;
--   read, keys
--   scan: reads docs as d: any key
--   scan: reads loud as l: any key
--   scan: reads orders as o: any key
--   bring b1: SELECT d.title AS c1 FROM docs AS d
--   bring b2: SELECT l.word AS c1 FROM loud AS l
--   bring b3: SELECT o.status AS c1 FROM orders AS o
--   then SELECT 1 FROM unnest($1::text[]) AS b1 (c1) CROSS JOIN (SELECT brought.c1 COLLATE public.blind AS c1 FROM unnest($2::text[]) AS brought (c1)) AS b2 CROSS JOIN unnest($3::text[]) AS b3 (c1) WHERE b1.c1 = b2.c1 AND b2.c1 = b3.c1
--   because: plan.bringing: the rows of docs, loud, orders are brought to one server, which runs the query over them

-- A comparison with what is computed for each row outside is a join with all groups, where NULL and errors allow it.
SELECT o.qty FROM orders o WHERE o.total < (SELECT 0.2 * avg(p.total) FROM orders p WHERE p.status = o.status AND p.qty > 2);
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads orders as p: any key
--   bring b2: SELECT o.qty AS c1, o.status AS c2, o.total AS c3 FROM orders AS o
--     only those with o.status among b3.c1, where that is selective
--   bring b3: SELECT p.status AS c1, sum(p.total) AS c2, count(p.total) AS c3 FROM orders AS p WHERE p.qty > 2 GROUP BY p.status
--     only those with p.status among b2.c2, where that is selective
--   then SELECT b2.c1 AS qty FROM unnest($1::int4[], $2::text[], $3::"numeric"[]) AS b2 (c1, c2, c3) CROSS JOIN (SELECT b3.c1 AS k1, 0.2 * (sum(b3.c2) / nullif(sum(b3.c3), 0)) AS v FROM unnest($4::text[], $5::"numeric"[], $6::int8[]) AS b3 (c1, c2, c3) GROUP BY b3.c1) AS b1 WHERE b1.k1 = b2.c2 AND b2.c3 < b1.v
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

SELECT d.slug FROM docs d WHERE (SELECT sum(o.qty) FROM orders o, items i WHERE o.customer_id = i.customer_id AND i.note = d.slug AND d.title = o.status) = 3;
--   read, keys
--   scan: reads docs as d: any key
--   scan: reads orders as o: any key
--   scan: reads items as i: any key
--   bring b2: SELECT d.slug AS c1, d.title AS c2 FROM docs AS d
--     only those with d.slug among b3.c1, where that is selective
--     only those with d.title among b3.c2, where that is selective
--   bring b3: SELECT i.note AS c1, o.status AS c2, sum(o.qty) AS c3 FROM orders AS o CROSS JOIN items AS i WHERE o.customer_id = i.customer_id GROUP BY i.note, o.status
--     only those with i.note among b2.c1, where that is selective
--     only those with o.status among b2.c2, where that is selective
--   then SELECT b2.c1 AS slug FROM unnest($1::text[], $2::text[]) AS b2 (c1, c2) CROSS JOIN (SELECT b3.c1 AS k1, b3.c2 AS k2, sum(b3.c3)::int8 AS v FROM unnest($3::text[], $4::text[], $5::int8[]) AS b3 (c1, c2, c3) GROUP BY b3.c1, b3.c2) AS b1 WHERE b1.k1 = b2.c1 AND b1.k2 = b2.c2 AND b1.v = 3
--   because: plan.bringing: the rows of docs, orders, items are brought to one server, which runs the query over them

-- Not of counts, which are 0 and not NULL; not where NULL counts; not where it may fail; not of other comparisons.
SELECT o.qty FROM orders o WHERE o.qty > (SELECT count(*) FROM orders p WHERE p.status = o.status);
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads orders as p: any key
--   bring b1: SELECT o.qty AS c1, o.status AS c2 FROM orders AS o
--   bring b2: SELECT p.status AS c1 FROM orders AS p
--     only those with p.status among b1.c2, where that is selective
--   then SELECT b1.c1 AS qty FROM unnest($1::int4[], $2::text[]) AS b1 (c1, c2) WHERE b1.c1 > (SELECT count(*) FROM unnest($3::text[]) AS b2 (c1) WHERE b2.c1 = b1.c2)
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

SELECT o.qty FROM orders o WHERE o.qty > (SELECT coalesce(sum(p.qty), 0) FROM orders p WHERE p.status = o.status);
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads orders as p: any key
--   bring b1: SELECT o.qty AS c1, o.status AS c2 FROM orders AS o
--   bring b2: SELECT p.qty AS c1, p.status AS c2 FROM orders AS p
--     only those with p.status among b1.c2, where that is selective
--   then SELECT b1.c1 AS qty FROM unnest($1::int4[], $2::text[]) AS b1 (c1, c2) WHERE b1.c1 > (SELECT coalesce(sum(b2.c1), 0) AS "coalesce" FROM unnest($3::int4[], $4::text[]) AS b2 (c1, c2) WHERE b2.c2 = b1.c2)
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

SELECT o.qty FROM orders o WHERE o.qty > (SELECT max(p.qty) FROM orders p WHERE p.status = o.status) OR o.qty = 3;
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads orders as p: any key
--   bring b1: SELECT o.qty AS c1, o.status AS c2 FROM orders AS o
--   bring b2: SELECT p.qty AS c1, p.status AS c2 FROM orders AS p
--     only those with p.status among b1.c2, where that is selective
--   then SELECT b1.c1 AS qty FROM unnest($1::int4[], $2::text[]) AS b1 (c1, c2) WHERE b1.c1 > (SELECT max(b2.c1) AS max FROM unnest($3::int4[], $4::text[]) AS b2 (c1, c2) WHERE b2.c2 = b1.c2) OR b1.c1 = 3
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

SELECT o.qty FROM orders o WHERE o.total > (SELECT 1 / min(p.total) FROM orders p WHERE p.status = o.status);
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads orders as p: any key
--   bring b1: SELECT o.qty AS c1, o.total AS c2, o.status AS c3 FROM orders AS o
--   bring b2: SELECT p.total AS c1, p.status AS c2 FROM orders AS p
--     only those with p.status among b1.c3, where that is selective
--   then SELECT b1.c1 AS qty FROM unnest($1::int4[], $2::"numeric"[], $3::text[]) AS b1 (c1, c2, c3) WHERE b1.c2 > (SELECT 1 / min(b2.c1) AS "?column?" FROM unnest($4::"numeric"[], $5::text[]) AS b2 (c1, c2) WHERE b2.c2 = b1.c3)
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

SELECT o.qty FROM orders o WHERE o.total > (SELECT sum(p.price) FROM items p WHERE p.note = o.status);
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads items as p: any key
--   bring b1: SELECT o.qty AS c1, o.total AS c2, o.status AS c3 FROM orders AS o
--   bring b2: SELECT p.price AS c1, p.note AS c2 FROM items AS p
--     only those with p.note among b1.c3, where that is selective
--   then SELECT b1.c1 AS qty FROM unnest($1::int4[], $2::"numeric"[], $3::text[]) AS b1 (c1, c2, c3) WHERE b1.c2 > (SELECT sum(b2.c1) AS sum FROM unnest($4::float8[], $5::text[]) AS b2 (c1, c2) WHERE b2.c2 = b1.c3)
--   because: plan.bringing: the rows of orders, items are brought to one server, which runs the query over them

SELECT o.qty FROM orders o WHERE o.total > (SELECT sum(p.total) FROM orders p WHERE p.qty < o.qty);
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads orders as p: any key
--   bring b1: SELECT o.qty AS c1, o.total AS c2 FROM orders AS o
--   bring b2: SELECT p.total AS c1, p.qty AS c2 FROM orders AS p
--   then SELECT b1.c1 AS qty FROM unnest($1::int4[], $2::"numeric"[]) AS b1 (c1, c2) WHERE b1.c2 > (SELECT sum(b2.c1) AS sum FROM unnest($3::"numeric"[], $4::int4[]) AS b2 (c1, c2) WHERE b2.c2 < b1.c1)
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

SELECT o.qty FROM orders o WHERE o.total IS DISTINCT FROM (SELECT sum(p.total) FROM orders p WHERE p.qty = o.qty);
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads orders as p: any key
--   bring b1: SELECT o.qty AS c1, o.total AS c2 FROM orders AS o
--   bring b2: SELECT p.total AS c1, p.qty AS c2 FROM orders AS p
--     only those with p.qty among b1.c1, where that is selective
--   then SELECT b1.c1 AS qty FROM unnest($1::int4[], $2::"numeric"[]) AS b1 (c1, c2) WHERE b1.c2 IS DISTINCT FROM (SELECT sum(b2.c1) AS sum FROM unnest($3::"numeric"[], $4::int4[]) AS b2 (c1, c2) WHERE b2.c2 = b1.c1)
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

-- Two uses of one join, of which one is narrowed: each has rows of its own.
SELECT (SELECT sum(total) FROM (SELECT o.total, e.n FROM orders o JOIN events e ON o.qty = e.device) v WHERE n IN (SELECT n FROM flags)) AS some, (SELECT sum(total) FROM (SELECT o.total, e.n FROM orders o JOIN events e ON o.qty = e.device) v) AS every;
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads events as e: any key
--   scan: reads orders as o: any key
--   scan: reads events as e: any key
--   scan: reads flags as flags: any key
--   bring b1: SELECT o.total AS c1, o.qty AS c2 FROM orders AS o
--     only those with o.qty among b2.c2, where that is selective
--   bring b2: SELECT e.n AS c1, e.device AS c2 FROM events AS e
--     only those with e.n among b3.c1, where that is selective
--     only those with e.device among b1.c2, where that is selective
--   bring b3: SELECT DISTINCT flags.n AS c1 FROM flags
--     only those with flags.n among b2.c1, where that is selective
--   bring b4: SELECT o.total AS c1, o.qty AS c2 FROM orders AS o
--     only those with o.qty among b5.c2, where that is selective
--   bring b5: SELECT e.n AS c1, e.device AS c2 FROM events AS e
--     only those with e.device among b4.c2, where that is selective
--   then SELECT (SELECT sum(v.total) FROM (SELECT b1.c1 AS total, b2.c1 AS n FROM unnest($1::"numeric"[], $2::int4[]) AS b1 (c1, c2) CROSS JOIN unnest($3::int4[], $4::int8[]) AS b2 (c1, c2) WHERE b1.c2 = b2.c2) AS v WHERE v.n = ANY (SELECT b3.c1 AS n FROM unnest($5::int4[]) AS b3 (c1))) AS "some", (SELECT sum(v.total) FROM (SELECT b4.c1 AS total, b5.c1 AS n FROM unnest($6::"numeric"[], $7::int4[]) AS b4 (c1, c2) CROSS JOIN unnest($8::int4[], $9::int8[]) AS b5 (c1, c2) WHERE b4.c2 = b5.c2) AS v) AS every
--   because: plan.bringing: the rows of orders, events, flags are brought to one server, which runs the query over them

-- The ON of an outer join names what shards do not have: its tables come one by one.
WITH f AS (SELECT n FROM flags WHERE flag) SELECT c.name, o.qty FROM customers c LEFT JOIN orders o ON o.customer_id = c.customer_id AND o.qty IN (SELECT n FROM f);
--   read, keys
--   scan: reads customers as c: any key
--   scan: reads orders as o: any key
--   scan: reads flags as flags: flag = true
--   bring b1: SELECT flags.n AS c1 FROM flags WHERE flags.flag
--   bring customers as c (customer_id, name)
--   bring orders as o (customer_id, qty)
--   then WITH f AS (SELECT b1.c1 AS n FROM unnest($1::int4[]) AS b1 (c1)) SELECT c.name, o.qty FROM unnest($2::int8[], $3::text[]) AS c (customer_id, name) LEFT JOIN unnest($4::int8[], $5::int4[]) AS o (customer_id, qty) ON o.customer_id = c.customer_id AND o.qty = ANY (SELECT f.n FROM f)
--   because: plan.bringing: the rows of flags, customers, orders are brought to one server, which runs the query over them
