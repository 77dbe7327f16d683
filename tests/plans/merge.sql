-- The source's rows go where their keys lie; whoever inserts writes the key that ON compares.
MERGE INTO orders AS o USING items i ON i.customer_id = o.customer_id AND o.qty > $1 WHEN MATCHED THEN UPDATE SET qty = o.qty + 1, status = i.note WHEN NOT MATCHED AND i.price > 0 THEN INSERT (customer_id, status) VALUES (i.customer_id, i.note);
--   write, all
--   fragment: MERGE INTO orders AS o USING (SELECT "outgrow read".c0::"outgrow type 0.0" AS customer_id, "outgrow read".c1::"outgrow type 0.1" AS note, "outgrow read".c2::"outgrow type 0.2" AS price FROM unnest($2::text[], $3::text[], $4::text[]) AS "outgrow read" (c0, c1, c2)) AS i ON i.customer_id = o.customer_id AND o.qty > $1 WHEN MATCHED THEN UPDATE SET qty = o.qty + 1, status = i.note WHEN NOT MATCHED AND i.price > 0 THEN INSERT (customer_id, status) VALUES (i.customer_id, i.note) with [1, 2, 3, 4]
--   change: the source's rows are read first, and merged where their keys lie
--   read the rows: SELECT "outgrow read".c0::text AS r0, "outgrow read".c1::text AS r1, "outgrow read".c2::text AS r2, "outgrow read".c0::int8 AS r3 FROM (SELECT i.customer_id AS customer_id, i.note AS note, i.price AS price FROM items AS i) AS "outgrow read" (c0, c1, c2)
--   merge them on the shards of their keys
--   because: plan.changing: the source's rows are read first, and merged where orders has their keys

MERGE INTO events USING (SELECT device, sort, count(*) AS n FROM events GROUP BY 1, 2) e (d, s, n) ON device = d AND events.sort = e.s WHEN MATCHED AND e.n > 1 THEN DELETE WHEN NOT MATCHED THEN DO NOTHING;
--   write, all
--   fragment: MERGE INTO events USING (SELECT "outgrow read".c0::"outgrow type 0.0" AS d, "outgrow read".c1::"outgrow type 0.1" AS s, "outgrow read".c2::"outgrow type 0.2" AS n FROM unnest($1::text[], $2::text[], $3::text[]) AS "outgrow read" (c0, c1, c2)) AS e ON events.device = e.d AND events.sort = e.s WHEN MATCHED AND e.n > 1 THEN DELETE WHEN NOT MATCHED THEN DO NOTHING with [1, 2, 3]
--   change: the source's rows are read first, and merged where their keys lie
--   read the rows: SELECT "outgrow read".c0::text AS r0, "outgrow read".c1::text AS r1, "outgrow read".c2::text AS r2, "outgrow read".c0::int8 AS r3, "outgrow read".c1::text AS r4 FROM (SELECT events.device, events.sort, count(*) AS n FROM events GROUP BY events.device, events.sort) AS "outgrow read" (c0, c1, c2)
--   merge them on the shards of their keys
--   because: plan.changing: the source's rows are read first, and merged where events has their keys

-- All of the source is given to every shard where only rows that are there change.
MERGE INTO docs USING orders o ON o.status = docs.title WHEN MATCHED THEN UPDATE SET title = o.day::text;
--   write, all
--   fragment: MERGE INTO docs USING (SELECT "outgrow read".c0::"outgrow type 0.0" AS day, "outgrow read".c1::"outgrow type 0.1" AS status FROM unnest($1::text[], $2::text[]) AS "outgrow read" (c0, c1)) AS o ON o.status = docs.title WHEN MATCHED THEN UPDATE SET title = o.day::text with [1, 2]
--   change: the source's rows are read first, and merged where their keys lie
--   read the rows: SELECT "outgrow read".c0::text AS r0, "outgrow read".c1::text AS r1 FROM (SELECT o.day AS day, o.status AS status FROM orders AS o) AS "outgrow read" (c0, c1)
--   merge them on every shard
--   because: plan.changing: the source's rows are read first, and merged where docs has their keys

MERGE INTO orders USING (VALUES (1), ($1)) v (k) ON customer_id = k WHEN NOT MATCHED BY SOURCE THEN DELETE;
--   write, all
--   fragment: MERGE INTO orders USING (SELECT "outgrow read".c0::"outgrow type 0.0" AS k FROM unnest($1::text[]) AS "outgrow read" (c0)) AS v ON orders.customer_id = v.k WHEN NOT MATCHED BY SOURCE THEN DELETE with [2]
--   change: the source's rows are read first, and merged where their keys lie
--   read the rows: SELECT "outgrow read".c0::text AS r0 FROM (VALUES (1), ($1)) AS "outgrow read" (c0)
--   merge them on every shard
--   because: plan.changing: the source's rows are read first, and merged where orders has their keys

-- Single and copied tables.
MERGE INTO settings s USING orders o ON s.name = o.status WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT VALUES (o.status, now()::text);
--   write, all
--   fragment: MERGE INTO settings AS s USING (SELECT "outgrow read".c0::"outgrow type 0.0" AS status FROM unnest($2::text[]) AS "outgrow read" (c0)) AS o ON s.name = o.status WHEN MATCHED THEN DELETE WHEN NOT MATCHED THEN INSERT (name, value) VALUES (o.status, $1::timestamptz::text) with [1, 2]
--   change: now(): evaluated once, the same for all shards
--   change: the source's rows are read first, and merged where their keys lie
--   read the rows: SELECT "outgrow read".c0::text AS r0 FROM (SELECT o.status AS status FROM orders AS o) AS "outgrow read" (c0)
--   merge them on s2
--   because: plan.changing: the source's rows are read first, and merged where settings has their keys

WITH few AS (SELECT * FROM orders WHERE qty > 3) MERGE INTO countries c USING few ON few.status = c.code WHEN NOT MATCHED THEN INSERT (code) VALUES (few.status);
--   write, all
--   fragment: MERGE INTO countries AS c USING (SELECT "outgrow read".c0::"outgrow type 0.0" AS status FROM unnest($1::text[]) AS "outgrow read" (c0)) AS few ON few.status = c.code WHEN NOT MATCHED THEN INSERT (code) VALUES (few.status) with [1]
--   change: the source's rows are read first, and merged where their keys lie
--   read the rows: WITH few AS (SELECT orders.order_id, orders.customer_id, orders.total, orders.qty, orders.status, orders.day FROM orders WHERE orders.qty > 3) SELECT "outgrow read".c0::text AS r0 FROM (SELECT few.status AS status FROM few) AS "outgrow read" (c0)
--   merge them on every shard
--   because: plan.changing: the source's rows are read first, and merged where countries has their keys

-- Numbers are drawn for each row of the source, whether one is inserted for it or not.
MERGE INTO tickets t USING orders o ON t.customer_id = o.customer_id WHEN NOT MATCHED THEN INSERT (customer_id, label) VALUES (o.customer_id, 'x');
--   write, all
--   fragment: MERGE INTO tickets AS t USING (SELECT "outgrow read".c0::"outgrow type 0.0" AS customer_id, "outgrow read".c1::int8 AS "outgrow drawn 0" FROM unnest($1::text[], $2::text[]) AS "outgrow read" (c0, c1)) AS o ON t.customer_id = o.customer_id WHEN NOT MATCHED THEN INSERT (customer_id, label, id) OVERRIDING SYSTEM VALUE VALUES (o.customer_id, 'x', o."outgrow drawn 0") with [1, 2]
--   change: the source's rows are read first, and merged where their keys lie
--   read the rows: SELECT "outgrow read".c0::text AS r0, "outgrow read".c0::int8 AS r1 FROM (SELECT o.customer_id AS customer_id FROM orders AS o) AS "outgrow read" (c0)
--   draw id from tickets_id_seq for each of them
--   merge them on the shards of their keys
--   because: plan.changing: the source's rows are read first, and merged where tickets has their keys

MERGE INTO stamps s USING orders o ON s.stamp = o.status WHEN NOT MATCHED THEN INSERT (id, stamp) VALUES (DEFAULT, o.status);
--   write, all
--   fragment: MERGE INTO stamps AS s USING (SELECT "outgrow read".c0::"outgrow type 0.0" AS status, "outgrow read".c1::int4 AS "outgrow drawn 0" FROM unnest($1::text[], $2::text[]) AS "outgrow read" (c0, c1)) AS o ON s.stamp = o.status WHEN NOT MATCHED THEN INSERT (id, stamp) VALUES (o."outgrow drawn 0", o.status) with [1, 2]
--   change: the source's rows are read first, and merged where their keys lie
--   read the rows: SELECT "outgrow read".c0::text AS r0 FROM (SELECT o.status AS status FROM orders AS o) AS "outgrow read" (c0)
--   draw id from stamps_id_seq for each of them
--   merge them on every shard
--   because: plan.changing: the source's rows are read first, and merged where stamps has their keys

-- What cannot be placed, or would differ, is refused.
MERGE INTO orders USING items i ON i.note = orders.status WHEN NOT MATCHED THEN INSERT (customer_id) VALUES (i.customer_id);
--   error: OG-PLAN-052 the MERGE into orders is not done over several shards: ON does not say customer_id = …

MERGE INTO orders USING items i ON i.customer_id = orders.customer_id WHEN NOT MATCHED THEN INSERT (customer_id) VALUES (i.customer_id + 1);
--   error: OG-PLAN-052 the MERGE into orders is not done over several shards: inserts another key than ON compares

MERGE INTO orders USING items i ON i.customer_id = orders.customer_id WHEN NOT MATCHED THEN INSERT (qty) VALUES (1);
--   error: OG-PLAN-052 the MERGE into orders is not done over several shards: a row that is inserted leaves customer_id out

MERGE INTO orders USING items i ON i.price = orders.customer_id WHEN NOT MATCHED THEN INSERT (customer_id) VALUES (i.price);
--   error: OG-PLAN-052 the MERGE into orders is not done over several shards: ON does not say customer_id = …

MERGE INTO orders USING items i ON i.customer_id = orders.customer_id WHEN MATCHED THEN UPDATE SET customer_id = 5;
--   error: OG-PLAN-007 the statement changes the shard key of orders, which could move rows to another shard

MERGE INTO orders USING items i ON i.customer_id = orders.customer_id WHEN MATCHED AND EXISTS (SELECT FROM docs WHERE title = i.note) THEN DELETE;
--   error: OG-PLAN-052 the MERGE into orders is not done over several shards: a subquery beside its source reads rows of other shards

MERGE INTO orders USING items i ON i.customer_id = orders.customer_id WHEN MATCHED THEN UPDATE SET day = 'today';
--   error: OG-PLAN-017 'today' for day differs from shard to shard

MERGE INTO countries c USING orders o ON o.status = c.code WHEN MATCHED THEN UPDATE SET name = random()::text;
--   error: OG-PLAN-018 random() is computed by each shard for itself

MERGE INTO guarded g USING orders o ON o.customer_id = g.customer_id WHEN MATCHED THEN DELETE;
--   error: OG-PLAN-052 the MERGE into guarded is not done over several shards: it is a view, has row security, or stands behind ONLY

MERGE INTO odd USING orders o ON o.customer_id = odd.customer_id WHEN NOT MATCHED THEN INSERT (customer_id) VALUES (o.customer_id);
--   error: OG-PLAN-041 the INSERT … SELECT into odd leaves column id to a sequence of each shard, whose numbers would repeat

MERGE INTO unlisted USING orders o ON o.customer_id = id WHEN MATCHED THEN DELETE;
--   error: OG-PLAN-001 table unlisted has no placement in domain d
