-- Keys by range: below 10 on s1, below 20 on s2, below 30 on s3, the rest on s1 again; days by year.
SELECT * FROM orders WHERE customer_id BETWEEN 10 AND 19;
--   read, keys
--   scan: reads orders as orders: customer_id >= 10 and customer_id <= 19
--   on: s2
--   fragment: SELECT orders.order_id, orders.customer_id, orders.total, orders.qty, orders.status, orders.day FROM orders WHERE orders.customer_id BETWEEN 10 AND 19
--   finish: concatenate
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (orders.customer_id)

SELECT count(*) FROM orders WHERE customer_id >= 20;
--   read, keys
--   scan: reads orders as orders: customer_id >= 20
--   on: s1, s3
--   fragment: SELECT count(*) AS c1 FROM orders WHERE orders.customer_id >= 20
--   finish: combine groups: count count(…)
--   because: plan.scatter: groups span shards: each shard computes partial results, which are combined

SELECT count(*) FROM orders WHERE customer_id >= $1 AND customer_id < $2;
--   read, keys
--   scan: reads orders as orders: customer_id >= $1 and customer_id < $2
--   fragment: SELECT count(*) AS c1 FROM orders WHERE orders.customer_id >= $1 AND orders.customer_id < $2 with [1, 2]
--   finish: combine groups: count count(…)
--   because: plan.scatter: groups span shards: each shard computes partial results, which are combined

SELECT sum(n) FROM days WHERE day >= '2024-01-01' AND day < '2025-01-01';
--   read, keys
--   scan: reads days as days: day >= '2024-01-01' and day < '2025-01-01'
--   on: s2
--   fragment: SELECT sum(days.n) AS c1 FROM days WHERE days.day >= '2024-01-01' AND days.day < '2025-01-01'
--   finish: combine groups: sum sum(…)
--   because: plan.scatter: groups span shards: each shard computes partial results, which are combined

SELECT n FROM days WHERE day > '2024-06-01' OR day IS NULL ORDER BY n LIMIT 3;
--   read, keys
--   scan: reads days as days: (day > '2024-06-01') or (day = NULL)
--   on: s1, s2, s3
--   fragment: SELECT days.n FROM days WHERE days.day > '2024-06-01' OR days.day IS NULL ORDER BY days.n LIMIT 3
--   finish: merge by column 1; stop after LIMIT rows
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (days.day)
--   because: plan.scatter: no shard needs to return more than LIMIT + OFFSET rows

SELECT n FROM days WHERE day BETWEEN '-infinity' AND 'infinity' AND day = '2024-05-05';
--   read, keys
--   scan: reads days as days: day >= '-infinity' and day <= 'infinity' and day = '2024-05-05'
--   on: s2
--   fragment: SELECT days.n FROM days WHERE days.day BETWEEN '-infinity' AND 'infinity' AND days.day = '2024-05-05'
--   finish: concatenate
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (days.day)

-- What must not narrow.
SELECT count(*) FROM orders WHERE NOT (customer_id < 10);
--   read, keys
--   scan: reads orders as orders: any key
--   on: s1, s2, s3
--   fragment: SELECT count(*) AS c1 FROM orders WHERE NOT orders.customer_id < 10
--   finish: combine groups: count count(…)
--   because: plan.scatter: groups span shards: each shard computes partial results, which are combined

SELECT count(*) FROM orders WHERE CASE WHEN customer_id < 10 THEN qty > 1 ELSE true END;
--   read, keys
--   scan: reads orders as orders: any key
--   on: s1, s2, s3
--   fragment: SELECT count(*) AS c1 FROM orders WHERE CASE WHEN orders.customer_id < 10 THEN orders.qty > 1 ELSE true END
--   finish: combine groups: count count(…)
--   because: plan.scatter: groups span shards: each shard computes partial results, which are combined

SELECT count(*) FROM orders WHERE customer_id < 10 OR qty = 1;
--   read, keys
--   scan: reads orders as orders: any key
--   on: s1, s2, s3
--   fragment: SELECT count(*) AS c1 FROM orders WHERE orders.customer_id < 10 OR orders.qty = 1
--   finish: combine groups: count count(…)
--   because: plan.scatter: groups span shards: each shard computes partial results, which are combined

SELECT o.qty, i.note FROM orders o LEFT JOIN items i ON i.customer_id = o.customer_id AND i.customer_id < 10;
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads items as i: customer_id < 10
--   on: s1, s2, s3
--   fragment: SELECT o.qty, i.note FROM orders AS o LEFT JOIN items AS i ON i.customer_id = o.customer_id AND i.customer_id < 10
--   finish: concatenate
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (o.customer_id)

-- A linguistic collation compares otherwise than keys of text are cut.
SELECT count(*) FROM words WHERE word < 'f';
--   read, keys
--   scan: reads words as words: any key
--   on: s1, s2, s3
--   fragment: SELECT count(*) AS c1 FROM words WHERE words.word < 'f'
--   finish: combine groups: count count(…)
--   because: plan.scatter: groups span shards: each shard computes partial results, which are combined

SELECT count(*) FROM docs WHERE slug < 'f';
--   read, keys
--   scan: reads docs as docs: slug < 'f'
--   on: s1
--   fragment: SELECT count(*) AS c1 FROM docs WHERE docs.slug < 'f'
--   finish: combine groups: count count(…)
--   because: plan.scatter: groups span shards: each shard computes partial results, which are combined

-- A compound key lies where its first column says.
SELECT n FROM events WHERE device BETWEEN 10 AND 15 AND sort = 'x';
--   read, keys
--   scan: reads events as events: device >= 10 and device <= 15 and sort = 'x'
--   on: s2
--   fragment: SELECT events.n FROM events WHERE events.device BETWEEN 10 AND 15 AND events.sort = 'x'
--   finish: concatenate
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (events.device, events.sort)

-- Writes.
UPDATE orders SET qty = qty + 1 WHERE customer_id BETWEEN 5 AND 15;
--   write, keys
--   scan: writes orders as orders: customer_id >= 5 and customer_id <= 15
--   on: s1, s2
--   fragment: UPDATE orders SET qty = orders.qty + 1 WHERE orders.customer_id BETWEEN 5 AND 15
--   change: each shard changes its own rows, the counts add up
--   because: plan.changing: each shard changes its own rows: all that decides on them shares the key (orders.customer_id)

DELETE FROM orders WHERE customer_id > 29;
--   write, keys
--   scan: writes orders as orders: customer_id > 29
--   on: s1
--   fragment: DELETE FROM orders WHERE orders.customer_id > 29
--   change: each shard changes its own rows, the counts add up
--   because: plan.changing: each shard changes its own rows: all that decides on them shares the key (orders.customer_id)

INSERT INTO orders (customer_id, qty) VALUES (5, 1), (15, 2), (NULL, 3);
--   write, keys
--   scan: inserts into orders as orders: (customer_id = 5) or (customer_id = 15) or (customer_id = NULL)
--   on: s1, s2
--   change: each row goes to the shard of its key, the counts add up
--   because: plan.writing: inserts into orders as orders: (customer_id = 5) or (customer_id = 15) or (customer_id = NULL)
--   because: plan.changing: the rows given do not depend on each other

UPDATE orders SET customer_id = customer_id + 10 WHERE customer_id < 10;
--   write, keys
--   scan: writes orders as orders: customer_id < 10
--   on: s1
--   fragment: SELECT "outgrow read".o AS c0, "outgrow read".c AS c1, "outgrow read".own AS c2, (current_setting('extra_float_digits')::int > 0 AND current_setting('datestyle') LIKE 'ISO%' AND current_setting('intervalstyle') IN ('postgres', 'iso_8601')) AS c3, "outgrow read".v3::int8 AS c4, "outgrow read".v4 AS c5, "outgrow read".v3::text AS c6, pg_catalog.pg_typeof("outgrow read".v3)::text AS c7 FROM (SELECT orders.tableoid::text AS o, orders.ctid::text AS c, (orders.tableoid = 'public.orders'::pg_catalog.regclass) AS own, orders.customer_id + 10 AS v3, orders.customer_id AS v4 FROM orders WHERE orders.customer_id < 10 FOR UPDATE OF orders) AS "outgrow read"
--   change: rows that get the key of another shard go there
--   because: plan.writing: the key of orders is assigned
--   because: plan.changing: the rows are read where they are, and go to where their new keys belong
