-- Joins.
SELECT * FROM orders a JOIN orders b ON a.qty = b.qty;
--   read, keys
--   scan: reads orders as a: any key
--   scan: reads orders as b: any key
--   bring b1: SELECT a.order_id AS c1, a.customer_id AS c2, a.total AS c3, a.qty AS c4, a.status AS c5, a.day AS c6 FROM orders AS a
--   then SELECT b1.c1 AS order_id, b1.c2 AS customer_id, b1.c3 AS total, b1.c4 AS qty, b1.c5 AS status, b1.c6 AS day, b2.c1 AS order_id, b2.c2 AS customer_id, b2.c3 AS total, b2.c4 AS qty, b2.c5 AS status, b2.c6 AS day FROM unnest($1::int8[], $2::int8[], $3::"numeric"[], $4::int4[], $5::text[], $6::date[]) AS b1 (c1, c2, c3, c4, c5, c6) CROSS JOIN unnest($1::int8[], $2::int8[], $3::"numeric"[], $4::int4[], $5::text[], $6::date[]) AS b2 (c1, c2, c3, c4, c5, c6) WHERE b1.c4 = b2.c4
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

SELECT * FROM orders o CROSS JOIN items i;
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads items as i: any key
--   bring b1: SELECT o.order_id AS c1, o.customer_id AS c2, o.total AS c3, o.qty AS c4, o.status AS c5, o.day AS c6 FROM orders AS o
--   bring b2: SELECT i.customer_id AS c1, i.price AS c2, i.note AS c3 FROM items AS i
--   then SELECT b1.c1 AS order_id, b1.c2 AS customer_id, b1.c3 AS total, b1.c4 AS qty, b1.c5 AS status, b1.c6 AS day, b2.c1 AS customer_id, b2.c2 AS price, b2.c3 AS note FROM unnest($1::int8[], $2::int8[], $3::"numeric"[], $4::int4[], $5::text[], $6::date[]) AS b1 (c1, c2, c3, c4, c5, c6) CROSS JOIN unnest($7::int4[], $8::float8[], $9::text[]) AS b2 (c1, c2, c3)
--   because: plan.bringing: the rows of orders, items are brought to one server, which runs the query over them

SELECT * FROM orders o JOIN docs d ON d.title = o.status;
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads docs as d: any key
--   bring b1: SELECT o.order_id AS c1, o.customer_id AS c2, o.total AS c3, o.qty AS c4, o.status AS c5, o.day AS c6 FROM orders AS o
--     only those with o.status among b2.c2, where that is selective
--   bring b2: SELECT d.slug AS c1, d.title AS c2 FROM docs AS d
--     only those with d.title among b1.c5, where that is selective
--   then SELECT b1.c1 AS order_id, b1.c2 AS customer_id, b1.c3 AS total, b1.c4 AS qty, b1.c5 AS status, b1.c6 AS day, b2.c1 AS slug, b2.c2 AS title FROM unnest($1::int8[], $2::int8[], $3::"numeric"[], $4::int4[], $5::text[], $6::date[]) AS b1 (c1, c2, c3, c4, c5, c6) CROSS JOIN unnest($7::text[], $8::text[]) AS b2 (c1, c2) WHERE b2.c2 = b1.c5
--   because: plan.bringing: the rows of orders, docs are brought to one server, which runs the query over them

SELECT * FROM orders o JOIN items i ON i.customer_id = o.customer_id OR i.price = 1;
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads items as i: any key
--   bring b1: SELECT o.order_id AS c1, o.customer_id AS c2, o.total AS c3, o.qty AS c4, o.status AS c5, o.day AS c6 FROM orders AS o
--   bring b2: SELECT i.customer_id AS c1, i.price AS c2, i.note AS c3 FROM items AS i
--   then SELECT b1.c1 AS order_id, b1.c2 AS customer_id, b1.c3 AS total, b1.c4 AS qty, b1.c5 AS status, b1.c6 AS day, b2.c1 AS customer_id, b2.c2 AS price, b2.c3 AS note FROM unnest($1::int8[], $2::int8[], $3::"numeric"[], $4::int4[], $5::text[], $6::date[]) AS b1 (c1, c2, c3, c4, c5, c6) CROSS JOIN unnest($7::int4[], $8::float8[], $9::text[]) AS b2 (c1, c2, c3) WHERE b2.c1 = b1.c2 OR b2.c2 = 1
--   because: plan.bringing: the rows of orders, items are brought to one server, which runs the query over them

SELECT * FROM countries c LEFT JOIN orders o ON o.status = c.code;
--   read, keys
--   scan: reads orders as o: any key
--   bring orders as o (order_id, customer_id, total, qty, status, day)
--   then SELECT c.code, c.name, c.eu, o.order_id, o.customer_id, o.total, o.qty, o.status, o.day FROM countries AS c LEFT JOIN unnest($1::int8[], $2::int8[], $3::"numeric"[], $4::int4[], $5::text[], $6::date[]) AS o (order_id, customer_id, total, qty, status, day) ON o.status = c.code
--   because: plan.placing: countries is copied to every shard
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

SELECT * FROM orders o FULL JOIN countries c ON o.status = c.code;
--   read, keys
--   scan: reads orders as o: any key
--   bring orders as o (order_id, customer_id, total, qty, status, day)
--   then SELECT o.order_id, o.customer_id, o.total, o.qty, o.status, o.day, c.code, c.name, c.eu FROM unnest($1::int8[], $2::int8[], $3::"numeric"[], $4::int4[], $5::text[], $6::date[]) AS o (order_id, customer_id, total, qty, status, day) FULL JOIN countries AS c ON o.status = c.code
--   because: plan.placing: countries is copied to every shard
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

SELECT * FROM orders o JOIN settings s ON s.name = o.status;
--   read, keys
--   scan: reads orders as o: any key
--   single: s2
--   bring b1: SELECT o.order_id AS c1, o.customer_id AS c2, o.total AS c3, o.qty AS c4, o.status AS c5, o.day AS c6 FROM orders AS o
--   then SELECT b1.c1 AS order_id, b1.c2 AS customer_id, b1.c3 AS total, b1.c4 AS qty, b1.c5 AS status, b1.c6 AS day, s.name, s.value FROM unnest($1::int8[], $2::int8[], $3::"numeric"[], $4::int4[], $5::text[], $6::date[]) AS b1 (c1, c2, c3, c4, c5, c6) CROSS JOIN settings AS s WHERE s.name = b1.c5
--   because: plan.placing: settings lives on s2 only
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

-- The weak side of an outer join proves nothing about the other.
SELECT * FROM orders a LEFT JOIN orders b ON a.customer_id = b.customer_id JOIN items i ON i.customer_id = b.qty;
--   read, keys
--   scan: reads orders as a: any key
--   scan: reads orders as b: any key
--   scan: reads items as i: any key
--   bring b1: SELECT a.order_id AS c1, a.customer_id AS c2, a.total AS c3, a.qty AS c4, a.status AS c5, a.day AS c6, b.order_id AS c7, b.customer_id AS c8, b.total AS c9, b.qty AS c10, b.status AS c11, b.day AS c12 FROM orders AS a LEFT JOIN orders AS b ON a.customer_id = b.customer_id
--     only those with b.qty among b2.c1, where that is selective
--   bring b2: SELECT i.customer_id AS c1, i.price AS c2, i.note AS c3 FROM items AS i
--     only those with i.customer_id among b1.c10, where that is selective
--   then SELECT b1.c1 AS order_id, b1.c2 AS customer_id, b1.c3 AS total, b1.c4 AS qty, b1.c5 AS status, b1.c6 AS day, b1.c7 AS order_id, b1.c8 AS customer_id, b1.c9 AS total, b1.c10 AS qty, b1.c11 AS status, b1.c12 AS day, b2.c1 AS customer_id, b2.c2 AS price, b2.c3 AS note FROM unnest($1::int8[], $2::int8[], $3::"numeric"[], $4::int4[], $5::text[], $6::date[], $7::int8[], $8::int8[], $9::"numeric"[], $10::int4[], $11::text[], $12::date[]) AS b1 (c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12) CROSS JOIN unnest($13::int4[], $14::float8[], $15::text[]) AS b2 (c1, c2, c3) WHERE b2.c1 = b1.c10
--   because: plan.bringing: the rows of orders, items are brought to one server, which runs the query over them

SELECT * FROM (customers x CROSS JOIN countries y) LEFT JOIN orders m ON m.customer_id = x.customer_id JOIN items r ON r.price = m.qty;
--   read, keys
--   scan: reads customers as x: any key
--   scan: reads orders as m: any key
--   scan: reads items as r: any key
--   bring b1: SELECT x.customer_id AS c1, x.name AS c2, x.city AS c3, x.nick AS c4, x.vip AS c5, x.score AS c6, x.seen AS c7, x.weight AS c8, x.wait AS c9, y.code AS c10, y.name AS c11, y.eu AS c12, m.order_id AS c13, m.customer_id AS c14, m.total AS c15, m.qty AS c16, m.status AS c17, m.day AS c18 FROM customers AS x CROSS JOIN countries AS y LEFT JOIN orders AS m ON m.customer_id = x.customer_id
--   bring b2: SELECT r.customer_id AS c1, r.price AS c2, r.note AS c3 FROM items AS r
--   then SELECT b1.c1 AS customer_id, b1.c2 AS name, b1.c3 AS city, b1.c4 AS nick, b1.c5 AS vip, b1.c6 AS score, b1.c7 AS seen, b1.c8 AS weight, b1.c9 AS wait, b1.c10 AS code, b1.c11 AS name, b1.c12 AS eu, b1.c13 AS order_id, b1.c14 AS customer_id, b1.c15 AS total, b1.c16 AS qty, b1.c17 AS status, b1.c18 AS day, b2.c1 AS customer_id, b2.c2 AS price, b2.c3 AS note FROM unnest($1::int8[], $2::text[], $3::text[], $4::text[], $5::bool[], $6::"numeric"[], $7::timestamptz[], $8::float4[], $9::"interval"[], $10::text[], $11::text[], $12::bool[], $13::int8[], $14::int8[], $15::"numeric"[], $16::int4[], $17::text[], $18::date[]) AS b1 (c1, c2, c3, c4, c5, c6, c7, c8, c9, c10, c11, c12, c13, c14, c15, c16, c17, c18) CROSS JOIN unnest($19::int4[], $20::float8[], $21::text[]) AS b2 (c1, c2, c3) WHERE b2.c2 = b1.c16
--   because: plan.placing: countries is copied to every shard
--   because: plan.bringing: the rows of customers, orders, items are brought to one server, which runs the query over them

SELECT b.customer_id, string_agg(a.status, '') FROM orders a LEFT JOIN orders b ON a.customer_id = b.customer_id GROUP BY b.customer_id;
--   read, keys
--   scan: reads orders as a: any key
--   scan: reads orders as b: any key
--   bring b1: SELECT b.customer_id AS c1, a.status AS c2 FROM orders AS a LEFT JOIN orders AS b ON a.customer_id = b.customer_id
--   then SELECT b1.c1 AS customer_id, string_agg(b1.c2, '') AS string_agg FROM unnest($1::int8[], $2::text[]) AS b1 (c1, c2) GROUP BY b1.c1
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

SELECT d.k, string_agg(d.s, '') FROM (SELECT b.customer_id AS k, a.status AS s FROM orders a LEFT JOIN items b ON a.customer_id = b.customer_id) d GROUP BY d.k;
--   read, keys
--   scan: reads orders as a: any key
--   scan: reads items as b: any key
--   bring b1: SELECT b.customer_id AS c1, a.status AS c2 FROM orders AS a LEFT JOIN items AS b ON a.customer_id = b.customer_id
--   then SELECT d.k, string_agg(d.s, '') FROM (SELECT b1.c1 AS k, b1.c2 AS s FROM unnest($1::int4[], $2::text[]) AS b1 (c1, c2)) AS d GROUP BY d.k
--   because: plan.bringing: the rows of orders, items are brought to one server, which runs the query over them

-- Subqueries.
SELECT * FROM orders WHERE qty > (SELECT avg(qty) FROM orders);
--   read, keys
--   scan: reads orders as orders: any key
--   scan: reads orders as orders: any key
--   bring b1: SELECT orders.order_id AS c1, orders.customer_id AS c2, orders.total AS c3, orders.qty AS c4, orders.status AS c5, orders.day AS c6 FROM orders
--   bring b2: SELECT sum(orders.qty) AS c1, count(orders.qty) AS c2 FROM orders
--   then SELECT b1.c1 AS order_id, b1.c2 AS customer_id, b1.c3 AS total, b1.c4 AS qty, b1.c5 AS status, b1.c6 AS day FROM unnest($1::int8[], $2::int8[], $3::"numeric"[], $4::int4[], $5::text[], $6::date[]) AS b1 (c1, c2, c3, c4, c5, c6) WHERE b1.c4 > (SELECT sum(b2.c1) / nullif(sum(b2.c2), 0) AS avg FROM unnest($7::int8[], $8::int8[]) AS b2 (c1, c2))
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

SELECT * FROM orders WHERE qty IN (SELECT price FROM items);
--   read, keys
--   scan: reads orders as orders: any key
--   scan: reads items as items: any key
--   bring b1: SELECT orders.order_id AS c1, orders.customer_id AS c2, orders.total AS c3, orders.qty AS c4, orders.status AS c5, orders.day AS c6 FROM orders
--   bring b2: SELECT items.price AS c1 FROM items
--   then SELECT b1.c1 AS order_id, b1.c2 AS customer_id, b1.c3 AS total, b1.c4 AS qty, b1.c5 AS status, b1.c6 AS day FROM unnest($1::int8[], $2::int8[], $3::"numeric"[], $4::int4[], $5::text[], $6::date[]) AS b1 (c1, c2, c3, c4, c5, c6) WHERE b1.c4 = ANY (SELECT b2.c1 AS price FROM unnest($7::float8[]) AS b2 (c1))
--   because: plan.bringing: the rows of orders, items are brought to one server, which runs the query over them

SELECT * FROM orders WHERE customer_id NOT IN (SELECT customer_id FROM items);
--   read, keys
--   scan: reads orders as orders: any key
--   scan: reads items as items: any key
--   bring b1: SELECT orders.order_id AS c1, orders.customer_id AS c2, orders.total AS c3, orders.qty AS c4, orders.status AS c5, orders.day AS c6 FROM orders
--   bring b2: SELECT DISTINCT items.customer_id AS c1 FROM items
--   then SELECT b1.c1 AS order_id, b1.c2 AS customer_id, b1.c3 AS total, b1.c4 AS qty, b1.c5 AS status, b1.c6 AS day FROM unnest($1::int8[], $2::int8[], $3::"numeric"[], $4::int4[], $5::text[], $6::date[]) AS b1 (c1, c2, c3, c4, c5, c6) WHERE b1.c2 <> ALL (SELECT b2.c1 AS customer_id FROM unnest($7::int4[]) AS b2 (c1))
--   because: plan.bringing: the rows of orders, items are brought to one server, which runs the query over them

SELECT count(*) FROM (SELECT DISTINCT status FROM orders) d;
--   read, keys
--   scan: reads orders as orders: any key
--   bring b1: SELECT orders.status AS c1 FROM orders
--   then SELECT count(*) FROM (SELECT DISTINCT b1.c1 AS status FROM unnest($1::text[]) AS b1 (c1)) AS d
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

SELECT * FROM (SELECT * FROM orders LIMIT 5) d;
--   read, keys
--   scan: reads orders as orders: any key
--   bring b1: SELECT orders.order_id AS c1, orders.customer_id AS c2, orders.total AS c3, orders.qty AS c4, orders.status AS c5, orders.day AS c6 FROM orders
--   then SELECT d.order_id, d.customer_id, d.total, d.qty, d.status, d.day FROM (SELECT b1.c1 AS order_id, b1.c2 AS customer_id, b1.c3 AS total, b1.c4 AS qty, b1.c5 AS status, b1.c6 AS day FROM unnest($1::int8[], $2::int8[], $3::"numeric"[], $4::int4[], $5::text[], $6::date[]) AS b1 (c1, c2, c3, c4, c5, c6) LIMIT 5) AS d
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

SELECT * FROM countries WHERE EXISTS (SELECT 1 FROM orders WHERE status = code);
--   read, keys
--   scan: reads orders as orders: any key
--   bring b1: SELECT DISTINCT orders.status AS c1 FROM orders
--   then SELECT countries.code, countries.name, countries.eu FROM countries WHERE EXISTS (SELECT 1 FROM unnest($1::text[]) AS b1 (c1) WHERE b1.c1 = countries.code)
--   because: plan.placing: countries is copied to every shard
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

SELECT * FROM orders, (SELECT * FROM countries LIMIT 1) c;
--   read, keys
--   scan: reads orders as orders: any key
--   bring b1: SELECT orders.order_id AS c1, orders.customer_id AS c2, orders.total AS c3, orders.qty AS c4, orders.status AS c5, orders.day AS c6 FROM orders
--   then SELECT b1.c1 AS order_id, b1.c2 AS customer_id, b1.c3 AS total, b1.c4 AS qty, b1.c5 AS status, b1.c6 AS day, c.code, c.name, c.eu FROM unnest($1::int8[], $2::int8[], $3::"numeric"[], $4::int4[], $5::text[], $6::date[]) AS b1 (c1, c2, c3, c4, c5, c6) CROSS JOIN (SELECT countries.code, countries.name, countries.eu FROM countries LIMIT 1) AS c
--   because: plan.placing: countries is copied to every shard
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

WITH RECURSIVE r AS (SELECT customer_id FROM orders UNION ALL SELECT customer_id FROM r) SELECT * FROM r;
--   read, keys
--   scan: reads orders as orders: any key
--   bring b1: SELECT orders.customer_id AS c1 FROM orders
--   then WITH RECURSIVE r AS ((SELECT b1.c1 AS customer_id FROM unnest($1::int8[]) AS b1 (c1)) UNION ALL (SELECT r.customer_id FROM r)) SELECT r.customer_id FROM r
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

-- Set operations.
SELECT status FROM orders INTERSECT SELECT note FROM items;
--   read, keys
--   scan: reads orders as orders: any key
--   scan: reads items as items: any key
--   bring b1: SELECT orders.status AS c1 FROM orders
--   bring b2: SELECT items.note AS c1 FROM items
--   then (SELECT b1.c1 AS status FROM unnest($1::text[]) AS b1 (c1)) INTERSECT (SELECT b2.c1 AS note FROM unnest($2::text[]) AS b2 (c1))
--   because: plan.bringing: the rows of orders, items are brought to one server, which runs the query over them

SELECT status FROM orders UNION ALL SELECT name FROM countries;
--   read, keys
--   scan: reads orders as orders: any key
--   bring b1: SELECT orders.status AS c1 FROM orders
--   then (SELECT b1.c1 AS status FROM unnest($1::text[]) AS b1 (c1)) UNION ALL (SELECT countries.name FROM countries)
--   because: plan.placing: countries is copied to every shard
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

SELECT status FROM orders UNION ALL (SELECT note FROM items LIMIT 1);
--   read, keys
--   scan: reads orders as orders: any key
--   scan: reads items as items: any key
--   bring b1: SELECT orders.status AS c1 FROM orders
--   bring b2: SELECT items.note AS c1 FROM items
--   then (SELECT b1.c1 AS status FROM unnest($1::text[]) AS b1 (c1)) UNION ALL (SELECT b2.c1 AS note FROM unnest($2::text[]) AS b2 (c1) LIMIT 1)
--   because: plan.bringing: the rows of orders, items are brought to one server, which runs the query over them

-- Aggregates, windows, groups.
SELECT stddev(qty) FROM orders;
--   read, keys
--   scan: reads orders as orders: any key
--   bring b1: SELECT orders.qty AS c1 FROM orders
--   then SELECT stddev(b1.c1) AS stddev FROM unnest($1::int4[]) AS b1 (c1)
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

SELECT median(qty) FROM orders;
--   read, keys
--   scan: reads orders as orders: any key
--   bring b1: SELECT orders.qty AS c1 FROM orders
--   then SELECT median(b1.c1) AS median FROM unnest($1::int4[]) AS b1 (c1)
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

SELECT string_agg(status, ',') FROM orders;
--   read, keys
--   scan: reads orders as orders: any key
--   bring b1: SELECT orders.status AS c1 FROM orders
--   then SELECT string_agg(b1.c1, ',') AS string_agg FROM unnest($1::text[]) AS b1 (c1)
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

SELECT status, count(*) FROM orders GROUP BY ROLLUP (status);
--   read, keys
--   scan: reads orders as orders: any key
--   bring b1: SELECT orders.status AS c1 FROM orders
--   then SELECT b1.c1 AS status, count(*) FROM unnest($1::text[]) AS b1 (c1) GROUP BY ROLLUP (b1.c1)
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

SELECT rank() OVER (ORDER BY qty) FROM orders;
--   read, keys
--   scan: reads orders as orders: any key
--   bring b1: SELECT orders.qty AS c1 FROM orders
--   then SELECT rank() OVER (ORDER BY b1.c1) AS rank FROM unnest($1::int4[]) AS b1 (c1)
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

SELECT device, rank() OVER (PARTITION BY device ORDER BY n) FROM events;
--   read, keys
--   scan: reads events as events: any key
--   bring b1: SELECT events.device AS c1, events.n AS c2 FROM events
--   then SELECT b1.c1 AS device, rank() OVER (PARTITION BY b1.c1 ORDER BY b1.c2) AS rank FROM unnest($1::int8[], $2::int4[]) AS b1 (c1, c2)
--   because: plan.bringing: the rows of events are brought to one server, which runs the query over them

SELECT sum(weight) FROM customers;
--   read, keys
--   scan: reads customers as customers: any key
--   refused over several: OG-PLAN-014 sum(…) of real, whose additions round, cannot be combined from the shards' partial results

SELECT date_trunc('day', max(seen)) FROM customers;
--   read, keys
--   scan: reads customers as customers: any key
--   bring b1: SELECT max(customers.seen) AS c1 FROM customers
--   then SELECT date_trunc('day', max(b1.c1)) AS date_trunc FROM unnest($1::timestamptz[]) AS b1 (c1)
--   because: plan.bringing: the rows of customers are brought to one server, which runs the query over them

-- Text whose order only a server knows, and types whose order Python gets wrong.
SELECT name FROM customers ORDER BY city;
--   read, keys
--   scan: reads customers as customers: any key
--   bring b1: SELECT customers.name AS c1, customers.city AS c2 FROM customers
--   then SELECT b1.c1 AS name FROM unnest($1::text[], $2::text[]) AS b1 (c1, c2) ORDER BY b1.c2
--   because: plan.bringing: the rows of customers are brought to one server, which runs the query over them

SELECT max(city) FROM customers;
--   read, keys
--   scan: reads customers as customers: any key
--   bring b1: SELECT max(customers.city) AS c1 FROM customers
--   then SELECT max(b1.c1) AS max FROM unnest($1::text[]) AS b1 (c1)
--   because: plan.bringing: the rows of customers are brought to one server, which runs the query over them

SELECT name FROM customers ORDER BY upper(city);
--   read, keys
--   scan: reads customers as customers: any key
--   fragment: SELECT customers.name, upper(customers.city) AS _sort2 FROM customers ORDER BY 2
--   finish: merge by column 2; cut 1 hidden column(s)
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (customers.customer_id)

SELECT customer_id FROM customers ORDER BY wait;
--   read, keys
--   scan: reads customers as customers: any key
--   bring b1: SELECT customers.customer_id AS c1, customers.wait AS c2 FROM customers
--   then SELECT b1.c1 AS customer_id FROM unnest($1::int8[], $2::"interval"[]) AS b1 (c1, c2) ORDER BY b1.c2
--   because: plan.bringing: the rows of customers are brought to one server, which runs the query over them

SELECT nick, count(*) FROM customers GROUP BY nick;
--   read, keys
--   scan: reads customers as customers: any key
--   bring b1: SELECT customers.nick AS c1 FROM customers
--   then SELECT b1.c1 AS nick, count(*) FROM unnest($1::text[]) AS b1 (c1) GROUP BY b1.c1
--   because: plan.bringing: the rows of customers are brought to one server, which runs the query over them

SELECT DISTINCT nick FROM customers;
--   read, keys
--   scan: reads customers as customers: any key
--   bring b1: SELECT customers.nick AS c1 FROM customers
--   then SELECT DISTINCT b1.c1 AS nick FROM unnest($1::text[]) AS b1 (c1)
--   because: plan.bringing: the rows of customers are brought to one server, which runs the query over them

-- Functions and moments.
SELECT random() FROM orders;
--   write, keys
--   scan: reads orders as orders: any key
--   refused over several: OG-PLAN-018 random() is computed by each shard for itself

SELECT * FROM orders WHERE day < now();
--   read, keys
--   scan: reads orders as orders: any key
--   bring b1: SELECT orders.order_id AS c1, orders.customer_id AS c2, orders.total AS c3, orders.qty AS c4, orders.status AS c5, orders.day AS c6 FROM orders
--   then SELECT b1.c1 AS order_id, b1.c2 AS customer_id, b1.c3 AS total, b1.c4 AS qty, b1.c5 AS status, b1.c6 AS day FROM unnest($1::int8[], $2::int8[], $3::"numeric"[], $4::int4[], $5::text[], $6::date[]) AS b1 (c1, c2, c3, c4, c5, c6) WHERE b1.c6 < now()
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

SELECT * FROM orders WHERE day = 'today';
--   read, keys
--   scan: reads orders as orders: any key
--   bring b1: SELECT orders.order_id AS c1, orders.customer_id AS c2, orders.total AS c3, orders.qty AS c4, orders.status AS c5, orders.day AS c6 FROM orders
--   then SELECT b1.c1 AS order_id, b1.c2 AS customer_id, b1.c3 AS total, b1.c4 AS qty, b1.c5 AS status, b1.c6 AS day FROM unnest($1::int8[], $2::int8[], $3::"numeric"[], $4::int4[], $5::text[], $6::date[]) AS b1 (c1, c2, c3, c4, c5, c6) WHERE b1.c6 = 'today'
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

SELECT * FROM orders WHERE day = current_date;
--   read, keys
--   scan: reads orders as orders: any key
--   bring b1: SELECT orders.order_id AS c1, orders.customer_id AS c2, orders.total AS c3, orders.qty AS c4, orders.status AS c5, orders.day AS c6 FROM orders
--   then SELECT b1.c1 AS order_id, b1.c2 AS customer_id, b1.c3 AS total, b1.c4 AS qty, b1.c5 AS status, b1.c6 AS day FROM unnest($1::int8[], $2::int8[], $3::"numeric"[], $4::int4[], $5::text[], $6::date[]) AS b1 (c1, c2, c3, c4, c5, c6) WHERE b1.c6 = CURRENT_DATE
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

SELECT mine(qty) FROM orders;
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT mine(orders.qty) FROM orders
--   finish: concatenate
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (orders.customer_id)

SELECT peek() FROM orders;
--   read, keys
--   scan: reads orders as orders: any key
--   refused over several: OG-PLAN-102 the function peek is STABLE: it may read tables, of which each shard has its part only

SELECT unknown_function(qty) FROM orders;
--   write, keys
--   scan: reads orders as orders: any key
--   refused over several: OG-PLAN-019 the function unknown_function may read or do what only one shard knows

SELECT 'orders'::regclass FROM orders;
--   read, keys
--   scan: reads orders as orders: any key
--   refused over several: OG-PLAN-019 a cast to regclass may read or do what only one shard knows

-- Forms of tables and queries.
SELECT * FROM orders FOR UPDATE;
--   write, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT orders.order_id, orders.customer_id, orders.total, orders.qty, orders.status, orders.day FROM orders FOR UPDATE
--   finish: concatenate
--   change: one shard after another, in their order
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (orders.customer_id)
--   because: plan.locking: locks are taken on one shard after another, in their order

SELECT * FROM orders TABLESAMPLE SYSTEM (10);
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT orders.order_id, orders.customer_id, orders.total, orders.qty, orders.status, orders.day FROM orders TABLESAMPLE SYSTEM (10)
--   finish: concatenate
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (orders.customer_id)

SELECT ctid FROM orders;
--   read, keys
--   scan: reads orders as orders: any key
--   refused over several: OG-PLAN-018 the statement reads the system column ctid, which belongs to one server: that is computed by each shard for itself

SELECT * FROM ONLY orders;
--   read, keys
--   scan: reads orders as orders: any key
--   bring orders as orders (order_id, customer_id, total, qty, status, day)
--   then SELECT orders.order_id, orders.customer_id, orders.total, orders.qty, orders.status, orders.day FROM unnest($1::int8[], $2::int8[], $3::"numeric"[], $4::int4[], $5::text[], $6::date[]) AS orders (order_id, customer_id, total, qty, status, day)
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

SELECT * FROM view_of_orders;
--   read, keys
--   scan: reads view_of_orders as view_of_orders: any key
--   refused over several: OG-PLAN-019 the view view_of_orders may read or do what only one shard knows

SELECT * FROM guarded;
--   read, keys
--   scan: reads guarded as guarded: any key
--   refused over several: OG-PLAN-021 row security on guarded is not answered over several shards

SELECT * FROM orders o, pg_catalog.pg_class;
--   read, keys
--   scan: reads orders as o: any key
--   refused over several: OG-PLAN-028 pg_catalog.pg_class is a catalogue of each shard, and the statement needs several
--   because: plan.placing: pg_catalog.pg_class is each server's own catalogue

SELECT qty FROM orders ORDER BY qty FETCH FIRST 3 ROWS WITH TIES;
--   read, keys
--   scan: reads orders as orders: any key
--   bring b1: SELECT orders.qty AS c1 FROM orders
--   then SELECT b1.c1 AS qty FROM unnest($1::int4[]) AS b1 (c1) ORDER BY b1.c1 FETCH FIRST 3 ROWS WITH TIES
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them
