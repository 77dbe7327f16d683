INSERT INTO orders (order_id, customer_id, qty) VALUES (1, $1, 2), (2, $1, 3) RETURNING *;
--   write, keys
--   scan: inserts into orders as orders: customer_id = $1
--   change: each row goes to the shard of its key, the counts add up
--   change: returned rows in the order of the rows given
--   because: plan.writing: inserts into orders as orders: customer_id = $1
--   because: plan.changing: the rows given do not depend on each other

INSERT INTO orders (order_id, customer_id) VALUES (1, 1), (2, 2);
--   write, keys
--   scan: inserts into orders as orders: (customer_id = 1) or (customer_id = 2)
--   change: each row goes to the shard of its key, the counts add up
--   because: plan.writing: inserts into orders as orders: (customer_id = 1) or (customer_id = 2)
--   because: plan.changing: the rows given do not depend on each other

INSERT INTO orders VALUES (1, 7);
--   write, keys
--   scan: inserts into orders as orders: customer_id = 7
--   change: each row goes to the shard of its key, the counts add up
--   because: plan.writing: inserts into orders as orders: customer_id = 7
--   because: plan.changing: the rows given do not depend on each other

-- A key that is left out: NULL, its literal default, or unknown.
INSERT INTO orders (order_id) VALUES (1);
--   write, keys
--   scan: inserts into orders as orders: customer_id = NULL
--   change: each row goes to the shard of its key, the counts add up
--   because: plan.writing: inserts into orders as orders: customer_id = NULL
--   because: plan.changing: the rows given do not depend on each other

INSERT INTO orders DEFAULT VALUES;
--   write, keys
--   scan: inserts into orders as orders: customer_id = NULL
--   fragment: INSERT INTO orders DEFAULT VALUES
--   change: each shard changes its own rows, the counts add up
--   because: plan.writing: inserts into orders as orders: customer_id = NULL
--   because: plan.changing: the rows selected are written where they are read: the key comes from the key

INSERT INTO fixed (n) VALUES (1);
--   write, keys
--   scan: inserts into fixed as fixed: key = 7
--   change: each row goes to the shard of its key, the counts add up
--   because: plan.writing: inserts into fixed as fixed: key = 7
--   because: plan.changing: the rows given do not depend on each other

INSERT INTO fixed (key, n) VALUES (DEFAULT, 1);
--   write, keys
--   scan: inserts into fixed as fixed: key = 7
--   change: each row goes to the shard of its key, the counts add up
--   because: plan.writing: inserts into fixed as fixed: key = 7
--   because: plan.changing: the rows given do not depend on each other

INSERT INTO drawn (n) VALUES (1);
--   write, keys
--   scan: inserts into drawn as drawn: key = $1
--   draws: key from s: INSERT INTO drawn (n, key) VALUES (1, $1)
--   change: each row goes to the shard of its key, the counts add up
--   because: plan.ids: key from s is drawn for the whole fleet beforehand
--   because: plan.writing: inserts into drawn as drawn: key = $1
--   because: plan.changing: the rows given do not depend on each other

INSERT INTO drawn (key, n) VALUES (3, 1);
--   write, keys
--   scan: inserts into drawn as drawn: key = 3
--   change: each row goes to the shard of its key, the counts add up
--   because: plan.writing: inserts into drawn as drawn: key = 3
--   because: plan.changing: the rows given do not depend on each other

INSERT INTO orders (customer_id) VALUES (abs(1));
--   write, keys
--   scan: inserts into orders as orders: any key
--   change: the rows selected are read first, and then go where they belong
--   read the rows: SELECT "outgrow read".c0::text AS r0, "outgrow read".c0::int8 AS r1 FROM (SELECT abs(1) AS v0) AS "outgrow read" (c0)
--   send them to the shards of their keys, in portions
--   because: plan.writing: inserts into orders as orders: any key
--   because: plan.changing: the rows selected are read first, and then go where they belong

INSERT INTO numbered (customer_id) VALUES (1);
--   write, keys
--   scan: inserts into numbered as numbered: customer_id = 1
--   draws: id from numbered_id_seq: INSERT INTO numbered (customer_id, id) VALUES (1, $1)
--   change: each row goes to the shard of its key, the counts add up
--   because: plan.ids: id from numbered_id_seq is drawn for the whole fleet beforehand
--   because: plan.writing: inserts into numbered as numbered: customer_id = 1
--   because: plan.changing: the rows given do not depend on each other

INSERT INTO numbered (id, customer_id) VALUES (1, 1);
--   write, keys
--   scan: inserts into numbered as numbered: customer_id = 1
--   change: each row goes to the shard of its key, the counts add up
--   because: plan.writing: inserts into numbered as numbered: customer_id = 1
--   because: plan.changing: the rows given do not depend on each other

-- INSERT … SELECT.
INSERT INTO orders (order_id, customer_id) SELECT 1, customer_id FROM items WHERE customer_id = 4;
--   write, keys
--   scan: reads items as items: customer_id = 4
--   scan: inserts into orders as orders: customer_id = 4
--   fragment: INSERT INTO orders (order_id, customer_id) SELECT 1, items.customer_id FROM items WHERE items.customer_id = 4
--   change: each shard changes its own rows, the counts add up
--   because: plan.writing: inserts into orders as orders: customer_id = 4
--   because: plan.changing: the rows selected are written where they are read: the key comes from the key

INSERT INTO orders (customer_id, status) SELECT 4, code FROM countries;
--   write, keys
--   scan: inserts into orders as orders: customer_id = 4
--   change: the rows selected are read first, and then go where they belong
--   read the rows: SELECT "outgrow read".c0::text AS r0, "outgrow read".c1::text AS r1, "outgrow read".c0::int8 AS r2 FROM (SELECT 4, countries.code FROM countries) AS "outgrow read" (c0, c1)
--   send them to the shards of their keys, in portions
--   because: plan.placing: countries is copied to every shard
--   because: plan.writing: inserts into orders as orders: customer_id = 4
--   because: plan.changing: the rows selected are read first, and then go where they belong

INSERT INTO orders (customer_id) SELECT customer_id FROM items;
--   write, keys
--   scan: reads items as items: any key
--   scan: inserts into orders as orders: any key
--   fragment: INSERT INTO orders (customer_id) SELECT items.customer_id FROM items
--   change: each shard changes its own rows, the counts add up
--   because: plan.writing: inserts into orders as orders: any key
--   because: plan.changing: the rows selected are written where they are read: the key comes from the key

INSERT INTO orders (customer_id) SELECT qty FROM orders WHERE customer_id = 1;
--   write, keys
--   scan: reads orders as orders: customer_id = 1
--   scan: inserts into orders as orders: any key
--   change: the rows selected are read first, and then go where they belong
--   read the rows: SELECT "outgrow read".c0::text AS r0, "outgrow read".c0::int8 AS r1 FROM (SELECT orders.qty FROM orders WHERE orders.customer_id = 1) AS "outgrow read" (c0)
--   send them to the shards of their keys, in portions
--   because: plan.writing: inserts into orders as orders: any key
--   because: plan.changing: the rows selected are read first, and then go where they belong

-- ON CONFLICT.
INSERT INTO customers (customer_id, name) VALUES (1, 'x') ON CONFLICT (customer_id) DO UPDATE SET name = excluded.name;
--   write, keys
--   scan: inserts into customers as customers: customer_id = 1
--   change: each row goes to the shard of its key, the counts add up
--   because: plan.writing: inserts into customers as customers: customer_id = 1
--   because: plan.changing: the rows given do not depend on each other

INSERT INTO customers (customer_id) VALUES (1) ON CONFLICT (customer_id) DO UPDATE SET customer_id = 2;
--   error: OG-PLAN-007 the statement changes the shard key of customers, which could move rows to another shard

-- UPDATE and DELETE.
UPDATE orders SET qty = 1 WHERE customer_id = $1;
--   write, keys
--   scan: writes orders as orders: customer_id = $1
--   fragment: UPDATE orders SET qty = 1 WHERE orders.customer_id = $1 with [1]
--   change: each shard changes its own rows, the counts add up
--   because: plan.changing: each shard changes its own rows: all that decides on them shares the key (orders.customer_id)

UPDATE orders SET qty = 1;
--   write, keys
--   scan: writes orders as orders: any key
--   fragment: UPDATE orders SET qty = 1
--   change: each shard changes its own rows, the counts add up
--   because: plan.changing: each shard changes its own rows: all that decides on them shares the key (orders.customer_id)

UPDATE orders SET customer_id = $1 WHERE customer_id = $2;
--   write, keys
--   scan: writes orders as orders: customer_id = $2
--   fragment: SELECT "outgrow read".o AS c0, "outgrow read".c AS c1, "outgrow read".own AS c2, (current_setting('extra_float_digits')::int > 0 AND current_setting('datestyle') LIKE 'ISO%' AND current_setting('intervalstyle') IN ('postgres', 'iso_8601')) AS c3, "outgrow read".v3::int8 AS c4, "outgrow read".v4 AS c5 FROM (SELECT orders.tableoid::text AS o, orders.ctid::text AS c, (orders.tableoid = 'public.orders'::pg_catalog.regclass) AS own, $1::int8 AS v3, orders.customer_id AS v4 FROM orders WHERE orders.customer_id = $2 FOR UPDATE OF orders) AS "outgrow read" with [1, 2]
--   change: rows that get the key of another shard go there
--   because: plan.writing: the key of orders is assigned
--   because: plan.changing: the rows are read where they are, and go to where their new keys belong

UPDATE orders SET customer_id = customer_id, qty = 2 WHERE customer_id = 1;
--   write, keys
--   scan: writes orders as orders: customer_id = 1
--   fragment: UPDATE orders SET customer_id = orders.customer_id, qty = 2 WHERE orders.customer_id = 1
--   change: each shard changes its own rows, the counts add up
--   because: plan.changing: each shard changes its own rows: all that decides on them shares the key (orders.customer_id)

UPDATE orders SET customer_id = qty WHERE customer_id = 1;
--   write, keys
--   scan: writes orders as orders: customer_id = 1
--   fragment: SELECT "outgrow read".o AS c0, "outgrow read".c AS c1, "outgrow read".own AS c2, (current_setting('extra_float_digits')::int > 0 AND current_setting('datestyle') LIKE 'ISO%' AND current_setting('intervalstyle') IN ('postgres', 'iso_8601')) AS c3, "outgrow read".v3::int8 AS c4, "outgrow read".v4 AS c5, "outgrow read".v3::text AS c6, pg_catalog.pg_typeof("outgrow read".v3)::text AS c7 FROM (SELECT orders.tableoid::text AS o, orders.ctid::text AS c, (orders.tableoid = 'public.orders'::pg_catalog.regclass) AS own, orders.qty AS v3, orders.customer_id AS v4 FROM orders WHERE orders.customer_id = 1 FOR UPDATE OF orders) AS "outgrow read"
--   change: rows that get the key of another shard go there
--   because: plan.writing: the key of orders is assigned
--   because: plan.changing: the rows are read where they are, and go to where their new keys belong

UPDATE orders o SET qty = i.price FROM items i WHERE i.customer_id = o.customer_id AND o.customer_id = 5;
--   write, keys
--   scan: writes orders as o: customer_id = 5
--   scan: reads items as i: customer_id = 5
--   fragment: UPDATE orders AS o SET qty = i.price FROM items AS i WHERE i.customer_id = o.customer_id AND o.customer_id = 5
--   change: each shard changes its own rows, the counts add up
--   because: plan.changing: each shard changes its own rows: all that decides on them shares the key (o.customer_id)

DELETE FROM orders WHERE customer_id = 1 OR customer_id = 4;
--   write, keys
--   scan: writes orders as orders: (customer_id = 1) or (customer_id = 4)
--   fragment: DELETE FROM orders WHERE orders.customer_id = 1 OR orders.customer_id = 4
--   change: each shard changes its own rows, the counts add up
--   because: plan.changing: each shard changes its own rows: all that decides on them shares the key (orders.customer_id)

DELETE FROM orders USING items i WHERE i.customer_id = orders.customer_id AND i.customer_id = 3;
--   write, keys
--   scan: writes orders as orders: customer_id = 3
--   scan: reads items as i: customer_id = 3
--   fragment: DELETE FROM orders USING items AS i WHERE i.customer_id = orders.customer_id AND i.customer_id = 3
--   change: each shard changes its own rows, the counts add up
--   because: plan.changing: each shard changes its own rows: all that decides on them shares the key (orders.customer_id)

WITH gone AS (DELETE FROM orders WHERE customer_id = 1 RETURNING *) INSERT INTO items (customer_id, note) SELECT 1, status FROM gone;
--   write, keys
--   scan: writes orders as orders: customer_id = 1
--   scan: inserts into items as items: customer_id = 1
--   change: the parts run one after another, and hand on what they return
--   gone: DELETE orders
--   then INSERT INTO items (customer_id, note) SELECT 1, gone.status FROM gone
--   because: plan.writing: inserts into items as items: customer_id = 1
--   because: plan.relay: no part needs what another one writes but by what it returns: one after another

-- Copied and single tables.
INSERT INTO countries VALUES ('x', 'X');
--   write, all
--   fragment: INSERT INTO countries VALUES ('x', 'X')
--   change: every shard changes its copy, the home shard first, and the counts must agree
--   because: plan.placing: countries is copied to every shard
--   because: plan.changing: every shard has a copy of countries, and all of them change alike

UPDATE countries SET eu = true;
--   write, all
--   fragment: UPDATE countries SET eu = true
--   change: every shard changes its copy, the home shard first, and the counts must agree
--   because: plan.placing: countries is copied to every shard
--   because: plan.changing: every shard has a copy of countries, and all of them change alike

INSERT INTO settings VALUES ('a', 'b');
--   write, keys
--   single: s2
--   change: the rows selected are read first, and then go where they belong
--   read the rows: SELECT "outgrow read".c0::text AS r0, "outgrow read".c1::text AS r1 FROM (SELECT 'a'::text AS v0, 'b'::text AS v1) AS "outgrow read" (c0, c1)
--   send them to s2, in portions
--   because: plan.placing: settings lives on s2 only
--   because: plan.changing: the rows selected are read first, and then go where they belong

INSERT INTO settings SELECT name, code FROM countries;
--   write, keys
--   single: s2
--   change: the rows selected are read first, and then go where they belong
--   read the rows: SELECT "outgrow read".c0::text AS r0, "outgrow read".c1::text AS r1 FROM (SELECT countries.name, countries.code FROM countries) AS "outgrow read" (c0, c1)
--   send them to s2, in portions
--   because: plan.placing: countries is copied to every shard
--   because: plan.placing: settings lives on s2 only
--   because: plan.changing: the rows selected are read first, and then go where they belong

SELECT * FROM orders WHERE customer_id = 1 FOR UPDATE;
--   write, keys
--   scan: reads orders as orders: customer_id = 1
--   fragment: SELECT orders.order_id, orders.customer_id, orders.total, orders.qty, orders.status, orders.day FROM orders WHERE orders.customer_id = 1 FOR UPDATE
--   finish: concatenate
--   change: one shard after another, in their order
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (orders.customer_id)
--   because: plan.locking: locks are taken on one shard after another, in their order

-- Copied tables: whatever a shard could compute differently is evaluated once or refused.
INSERT INTO countries (code, name) VALUES (now()::text, $1), ('b', current_date::text) ON CONFLICT DO NOTHING RETURNING *;
--   write, all
--   fragment: INSERT INTO countries (code, name) VALUES ($2::timestamptz::text, $1), ('b', $3::date::text) ON CONFLICT DO NOTHING RETURNING countries.code, countries.name, countries.eu with [1, 2, 3]
--   change: now(), CURRENT_DATE: evaluated once, the same for all shards
--   change: every shard changes its copy, the home shard first, and the counts must agree
--   change: returned rows as the home shard has them
--   because: plan.placing: countries is copied to every shard
--   because: plan.changing: every shard has a copy of countries, and all of them change alike

UPDATE countries SET name = random()::text;
--   write, all
--   refused over several: OG-PLAN-018 random() is computed by each shard for itself
--   because: plan.placing: countries is copied to every shard

INSERT INTO countries (code) VALUES (random()::text), (random()::text);
--   write, all
--   fragment: INSERT INTO countries (code) VALUES ($1::float8::text), ($2::float8::text) with [1, 2]
--   change: random(), random(): evaluated once, the same for all shards
--   change: every shard changes its copy, the home shard first, and the counts must agree
--   because: plan.placing: countries is copied to every shard
--   because: plan.changing: every shard has a copy of countries, and all of them change alike

UPDATE countries SET name = o.status FROM orders o;
--   write, all
--   scan: reads orders as o: any key
--   refused over several: OG-PLAN-004 every shard must change its copy of countries alike, but it reads orders, of which a shard has its own rows only
--   because: plan.placing: countries is copied to every shard

UPDATE countries SET name = s.value FROM settings s;
--   write, all
--   single: s2
--   refused over several: OG-PLAN-004 every shard must change its copy of countries alike, but it reads settings, of which a shard has its own rows only
--   because: plan.placing: countries is copied to every shard
--   because: plan.placing: settings lives on s2 only

UPDATE countries SET name = n.name FROM countries n WHERE n.name = countries.name;
--   write, all
--   refused over several: OG-PLAN-004 every shard must change its copy of countries alike, but more than one row of n could belong to a row changed: join on a unique key
--   because: plan.placing: countries is copied to every shard

INSERT INTO countries SELECT name, code FROM countries ORDER BY 1 LIMIT 1;
--   write, all
--   change: the rows selected are read first, and then go where they belong
--   read the rows: SELECT "outgrow read".c0::text AS r0, "outgrow read".c1::text AS r1 FROM (SELECT countries.name, countries.code FROM countries ORDER BY countries.name LIMIT 1) AS "outgrow read" (c0, c1)
--   send them to every shard, in portions
--   because: plan.placing: countries is copied to every shard
--   because: plan.changing: the rows selected are read first, and then go where they belong

INSERT INTO countries SELECT name, code FROM countries ON CONFLICT DO NOTHING;
--   write, all
--   change: the rows selected are read first, and then go where they belong
--   read the rows: SELECT "outgrow read".c0::text AS r0, "outgrow read".c1::text AS r1 FROM (SELECT countries.name, countries.code FROM countries) AS "outgrow read" (c0, c1)
--   send them to every shard, in portions
--   because: plan.placing: countries is copied to every shard
--   because: plan.changing: the rows selected are read first, and then go where they belong

DELETE FROM countries USING countries c WHERE c.name = countries.code;
--   write, all
--   fragment: DELETE FROM countries USING countries AS c WHERE c.name = countries.code
--   change: every shard changes its copy, the home shard first, and the counts must agree
--   because: plan.placing: countries is copied to every shard
--   because: plan.changing: every shard has a copy of countries, and all of them change alike

-- Rows that go to several shards.
INSERT INTO orders (order_id, customer_id, day) VALUES (1, $1, now()), (2, 5, DEFAULT) ON CONFLICT DO NOTHING RETURNING order_id;
--   write, keys
--   scan: inserts into orders as orders: (customer_id = $1) or (customer_id = 5)
--   change: now(): evaluated once, the same for all shards
--   change: each row goes to the shard of its key, the counts add up
--   change: rows that follow each other on one shard go together
--   change: returned rows in the order of the rows given
--   because: plan.writing: inserts into orders as orders: (customer_id = $1) or (customer_id = 5)
--   because: plan.changing: the rows given do not depend on each other

INSERT INTO orders (order_id, customer_id) VALUES (1, $1), ((SELECT count(*) FROM countries), 5);
--   write, keys
--   scan: inserts into orders as orders: (customer_id = $1) or (customer_id = 5)
--   change: each row goes to the shard of its key, the counts add up
--   because: plan.placing: countries is copied to every shard
--   because: plan.writing: inserts into orders as orders: (customer_id = $1) or (customer_id = 5)
--   because: plan.changing: the rows given do not depend on each other

INSERT INTO orders (order_id, customer_id) VALUES (1, $1), ((SELECT count(*) FROM items), 5);
--   write, keys
--   scan: reads items as items: any key
--   scan: inserts into orders as orders: (customer_id = $1) or (customer_id = 5)
--   change: the rows selected are read first, and then go where they belong
--   bring b1: SELECT count(*) AS c1 FROM items
--   then SELECT "outgrow read".c0::text AS r0, "outgrow read".c1::text AS r1, "outgrow read".c1::int8 AS r2 FROM (VALUES (1, $1::int8), ((SELECT coalesce(sum(b1.c1), 0)::int8 AS count FROM unnest($2::int8[]) AS b1 (c1)), 5)) AS "outgrow read" (c0, c1)
--   send them to the shards of their keys, in portions
--   because: plan.writing: inserts into orders as orders: (customer_id = $1) or (customer_id = 5)
--   because: plan.changing: the rows selected are read first, and then go where they belong

INSERT INTO orders (order_id, customer_id) VALUES (1, $1), (generate_series(1, 2), 5);
--   write, keys
--   scan: inserts into orders as orders: (customer_id = $1) or (customer_id = 5)
--   change: the rows selected are read first, and then go where they belong
--   read the rows: SELECT "outgrow read".c0::text AS r0, "outgrow read".c1::text AS r1, "outgrow read".c1::int8 AS r2 FROM (VALUES (1, $1::int8), (generate_series(1, 2), 5)) AS "outgrow read" (c0, c1)
--   send them to the shards of their keys, in portions
--   because: plan.writing: inserts into orders as orders: (customer_id = $1) or (customer_id = 5)
--   because: plan.changing: the rows selected are read first, and then go where they belong

INSERT INTO orders (order_id, customer_id) VALUES (1, 1), (2, 2) ON CONFLICT (customer_id, order_id) DO UPDATE SET qty = (SELECT max(price) FROM items i WHERE i.customer_id = orders.customer_id);
--   write, keys
--   scan: reads items as i: any key
--   scan: inserts into orders as orders: (customer_id = 1) or (customer_id = 2)
--   change: each row goes to the shard of its key, the counts add up
--   because: plan.writing: inserts into orders as orders: (customer_id = 1) or (customer_id = 2)
--   because: plan.changing: the rows given do not depend on each other

INSERT INTO orders (order_id, customer_id) VALUES (1, 1), (2, 2) ON CONFLICT (customer_id, order_id) DO UPDATE SET qty = (SELECT max(price) FROM items);
--   write, keys
--   scan: reads items as items: any key
--   scan: inserts into orders as orders: (customer_id = 1) or (customer_id = 2)
--   refused over several: OG-PLAN-012 the subquery over items cannot be computed by each shard alone: it is not tied to the shard key of orders
--   because: plan.writing: inserts into orders as orders: (customer_id = 1) or (customer_id = 2)

INSERT INTO orders (customer_id, order_id) SELECT customer_id, 1 FROM items UNION ALL SELECT customer_id, order_id FROM orders;
--   write, keys
--   scan: reads items as items: any key
--   scan: reads orders as orders: any key
--   scan: inserts into orders as orders: any key
--   fragment: INSERT INTO orders (customer_id, order_id) (SELECT items.customer_id, 1 FROM items) UNION ALL (SELECT orders.customer_id, orders.order_id FROM orders)
--   change: each shard changes its own rows, the counts add up
--   because: plan.writing: inserts into orders as orders: any key
--   because: plan.changing: the rows selected are written where they are read: the key comes from the key

INSERT INTO orders (customer_id, order_id) SELECT customer_id, count(*) FROM items GROUP BY customer_id;
--   write, keys
--   scan: reads items as items: any key
--   scan: inserts into orders as orders: any key
--   fragment: INSERT INTO orders (customer_id, order_id) SELECT items.customer_id, count(*) FROM items GROUP BY items.customer_id
--   change: each shard changes its own rows, the counts add up
--   because: plan.writing: inserts into orders as orders: any key
--   because: plan.changing: the rows selected are written where they are read: the key comes from the key

INSERT INTO orders (customer_id, order_id) SELECT customer_id, 1 FROM items ORDER BY price LIMIT 3;
--   write, keys
--   scan: reads items as items: any key
--   scan: inserts into orders as orders: any key
--   change: the rows selected are read first, and then go where they belong
--   bring b1: SELECT items.customer_id AS c1, items.price AS c2 FROM items
--   then SELECT "outgrow read".c0::text AS r0, "outgrow read".c1::text AS r1, "outgrow read".c0::int8 AS r2 FROM (SELECT b1.c1 AS customer_id, 1 FROM unnest($1::int4[], $2::float8[]) AS b1 (c1, c2) ORDER BY b1.c2 LIMIT 3) AS "outgrow read" (c0, c1)
--   send them to the shards of their keys, in portions
--   because: plan.writing: inserts into orders as orders: any key
--   because: plan.changing: the rows selected are read first, and then go where they belong

INSERT INTO tags (slug) SELECT slug FROM docs WHERE title = 'x';
--   write, keys
--   scan: reads docs as docs: any key
--   scan: inserts into tags as tags: any key
--   fragment: INSERT INTO tags (slug) SELECT docs.slug FROM docs WHERE docs.title = 'x'
--   change: each shard changes its own rows, the counts add up
--   because: plan.writing: inserts into tags as tags: any key
--   because: plan.changing: the rows selected are written where they are read: the key comes from the key

INSERT INTO events (device, sort) SELECT device, sort FROM events;
--   write, keys
--   scan: reads events as events: any key
--   scan: inserts into events as events: any key
--   fragment: INSERT INTO events (device, sort) SELECT events.device, events.sort FROM events
--   change: each shard changes its own rows, the counts add up
--   because: plan.writing: inserts into events as events: any key
--   because: plan.changing: the rows selected are written where they are read: the key comes from the key

INSERT INTO events (device, sort) SELECT device, 'x' FROM events;
--   write, keys
--   scan: reads events as events: any key
--   scan: inserts into events as events: any key
--   change: the rows selected are read first, and then go where they belong
--   read the rows: SELECT "outgrow read".c0::text AS r0, "outgrow read".c1::text AS r1, "outgrow read".c0::int8 AS r2, "outgrow read".c1::text AS r3 FROM (SELECT events.device, 'x'::text AS "?column?" FROM events) AS "outgrow read" (c0, c1)
--   send them to the shards of their keys, in portions
--   because: plan.writing: inserts into events as events: any key
--   because: plan.changing: the rows selected are read first, and then go where they belong

UPDATE orders SET qty = qty + 1 WHERE day < current_date AND EXISTS (SELECT 1 FROM items i WHERE i.customer_id = orders.customer_id) RETURNING order_id, now();
--   write, keys
--   scan: writes orders as orders: any key
--   scan: reads items as i: any key
--   fragment: UPDATE orders SET qty = orders.qty + 1 WHERE orders.day < $1::date AND EXISTS (SELECT 1 FROM items AS i WHERE i.customer_id = orders.customer_id) RETURNING orders.order_id, $2::timestamptz AS now with [1, 2]
--   change: CURRENT_DATE, now(): evaluated once, the same for all shards
--   change: each shard changes its own rows, the counts add up
--   change: returned rows shard by shard
--   because: plan.changing: each shard changes its own rows: all that decides on them shares the key (orders.customer_id)

UPDATE orders SET qty = (SELECT count(*) FROM items);
--   write, keys
--   scan: writes orders as orders: any key
--   scan: reads items as items: any key
--   fragment: UPDATE orders SET qty = (SELECT "outgrow answer".c0::"outgrow type 0.0" AS count FROM unnest($1::text[]) AS "outgrow answer" (c0)) with [1]
--   change: each shard changes its own rows, the counts add up
--   answered before: bring b1: SELECT count(*) AS c1 FROM items
--   answered before: then SELECT "outgrow read".c0::text AS r0 FROM (SELECT coalesce(sum(b1.c1), 0)::int8 AS count FROM unnest($1::int8[]) AS b1 (c1)) AS "outgrow read" (c0)
--   then UPDATE orders SET qty = (SELECT "outgrow answer".c0::"outgrow type 0.0" AS count FROM unnest($1::text[]) AS "outgrow answer" (c0))
--   because: plan.changing: what its subqueries answer come to every shard that has rows of orders to change

UPDATE orders SET status = c.code FROM countries c WHERE c.name = status;
--   write, keys
--   scan: writes orders as orders: any key
--   fragment: UPDATE orders SET status = c.code FROM countries AS c WHERE c.name = orders.status
--   change: each shard changes its own rows, the counts add up
--   because: plan.placing: countries is copied to every shard
--   because: plan.changing: each shard changes its own rows: all that decides on them shares the key (orders.customer_id)

UPDATE orders SET status = mine(qty)::text WHERE random() < 0.5;
--   write, keys
--   scan: writes orders as orders: any key
--   fragment: UPDATE orders SET status = mine(orders.qty)::text WHERE random() < 0.5
--   change: each shard changes its own rows, the counts add up
--   because: plan.changing: each shard changes its own rows: all that decides on them shares the key (orders.customer_id)

UPDATE orders SET status = peek();
--   write, keys
--   scan: writes orders as orders: any key
--   refused over several: OG-PLAN-019 the statement calls peek, which may read other tables: that may read or do what only one shard knows

UPDATE orders SET qty = nextval('s');
--   error: OG-PLAN-043 nextval(s) stands where nobody knows how often it is computed, and each shard has a sequence of its own

DELETE FROM orders WHERE customer_id IN ($1, $2, $3);
--   write, keys
--   scan: writes orders as orders: customer_id in ($1, $2, $3)
--   fragment: DELETE FROM orders WHERE orders.customer_id IN ($1, $2, $3) with [1, 2, 3]
--   change: each shard changes its own rows, the counts add up
--   because: plan.changing: each shard changes its own rows: all that decides on them shares the key (orders.customer_id)

DELETE FROM orders USING docs d WHERE d.title = status;
--   write, keys
--   scan: writes orders as orders: any key
--   scan: reads docs as d: any key
--   fragment: DELETE FROM orders USING unnest($1::text[]) AS d (title) WHERE d.title = orders.status with [1]
--   change: each shard changes its own rows, the counts add up
--   bring docs as d (title)
--   then DELETE FROM orders USING unnest($1::text[]) AS d (title) WHERE d.title = orders.status
--   because: plan.changing: the rows of docs come to every shard that has rows of orders to change

DELETE FROM view_of_orders;
--   write, keys
--   scan: writes view_of_orders as view_of_orders: any key
--   refused over several: OG-PLAN-019 the view view_of_orders may read or do what only one shard knows

DELETE FROM guarded;
--   write, keys
--   scan: writes guarded as guarded: any key
--   refused over several: OG-PLAN-021 row security on guarded is not answered over several shards

-- Locks.
SELECT * FROM orders WHERE qty = $1 AND day < current_date ORDER BY order_id FOR UPDATE OF orders SKIP LOCKED;
--   write, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT orders.order_id, orders.customer_id, orders.total, orders.qty, orders.status, orders.day FROM orders WHERE orders.qty = $1 AND orders.day < $2::date ORDER BY orders.order_id FOR UPDATE OF orders SKIP LOCKED with [1, 2]
--   finish: sort by column 1
--   change: CURRENT_DATE: evaluated once, the same for all shards
--   change: one shard after another, in their order
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (orders.customer_id)
--   because: plan.locking: locks are taken on one shard after another, in their order

SELECT * FROM orders ORDER BY order_id LIMIT 1 FOR UPDATE;
--   write, keys
--   scan: reads orders as orders: any key
--   refused over several: OG-PLAN-020 FOR UPDATE with LIMIT over several shards would lock other rows than on one server

SELECT * FROM (SELECT * FROM orders FOR UPDATE) o;
--   write, keys
--   scan: reads orders as orders: any key
--   refused over several: OG-PLAN-020 a locking clause inside of the statement over several shards would lock other rows than on one server

-- TRUNCATE.
TRUNCATE orders, countries;
--   write, all
--   fragment: TRUNCATE orders, countries;
--   finish: concatenate
--   change: one shard after another, in their order
--   because: plan.truncating: every shard empties its own: one after another, because it waits for readers

TRUNCATE numbered RESTART IDENTITY;
--   write, all
--   refused over several: OG-PLAN-034 RESTART IDENTITY of numbered would set back the sequences of each shard, and not the fleet's

TRUNCATE settings;
--   write, keys
--   single: s2
--   because: plan.truncating: the tables live on s2 only

TRUNCATE settings, orders;
--   write, all
--   refused over several: OG-PLAN-009 settings lives on one shard only (s2), but the statement needs others too

TRUNCATE unlisted;
--   error: OG-PLAN-001 table unlisted has no placement in domain d

-- Several writing parts: each stays with its shard, or is refused by name.
WITH gone AS (DELETE FROM orders RETURNING customer_id, status) INSERT INTO items (customer_id, note) SELECT customer_id, status FROM gone RETURNING note;
--   write, keys
--   scan: writes orders as orders: any key
--   scan: inserts into items as items: any key
--   fragment: WITH gone AS (DELETE FROM orders RETURNING orders.customer_id, orders.status) INSERT INTO items (customer_id, note) SELECT gone.customer_id, gone.status FROM gone RETURNING items.note
--   change: each shard changes its own rows, the counts add up
--   change: returned rows shard by shard
--   because: plan.writing: inserts into items as items: any key
--   because: plan.changing: each part stays with its shard, and so do the rows that it hands on

WITH gone AS (DELETE FROM orders WHERE qty > 3 RETURNING *) SELECT count(*), max(order_id) FROM gone;
--   write, keys
--   scan: writes orders as orders: any key
--   fragment: WITH gone AS (DELETE FROM orders WHERE orders.qty > 3 RETURNING orders.order_id, orders.customer_id, orders.total, orders.qty, orders.status, orders.day) SELECT count(*) AS c1, max(gone.order_id) AS c2 FROM gone
--   change: each shard changes its own rows, and what it selects is finished
--   because: plan.changing: each part stays with its shard, and so do the rows that it hands on
--   because: plan.scatter: groups span shards: each shard computes partial results, which are combined

WITH gone AS (UPDATE orders SET qty = 1 RETURNING *) DELETE FROM items USING gone WHERE gone.customer_id = items.customer_id;
--   write, keys
--   scan: writes orders as orders: any key
--   scan: writes items as items: any key
--   fragment: WITH gone AS (UPDATE orders SET qty = 1 RETURNING orders.order_id, orders.customer_id, orders.total, orders.qty, orders.status, orders.day) DELETE FROM items USING gone WHERE gone.customer_id = items.customer_id
--   change: each shard changes its own rows, the counts add up
--   because: plan.changing: each part stays with its shard, and so do the rows that it hands on

WITH gone AS (DELETE FROM orders RETURNING customer_id, qty) INSERT INTO items (customer_id) SELECT qty FROM gone;
--   write, keys
--   scan: writes orders as orders: any key
--   scan: inserts into items as items: any key
--   change: the parts run one after another, and hand on what they return
--   gone: DELETE orders
--   then INSERT INTO items (customer_id) SELECT gone.qty FROM gone
--   because: plan.writing: inserts into items as items: any key
--   because: plan.relay: no part needs what another one writes but by what it returns: one after another

WITH gone AS (UPDATE orders SET qty = 5 WHERE customer_id = qty RETURNING customer_id, qty) DELETE FROM items USING gone WHERE gone.qty = items.customer_id;
--   write, keys
--   scan: writes orders as orders: any key
--   scan: writes items as items: any key
--   change: the parts run one after another, and hand on what they return
--   gone: UPDATE orders
--   then DELETE FROM items USING gone WHERE gone.qty = items.customer_id
--   because: plan.relay: no part needs what another one writes but by what it returns: one after another

WITH born AS (INSERT INTO orders (order_id, customer_id) VALUES (1, $1), (2, $2) RETURNING customer_id) INSERT INTO items (customer_id) SELECT customer_id FROM born;
--   write, keys
--   scan: inserts into orders as orders: (customer_id = $1) or (customer_id = $2)
--   scan: inserts into items as items: any key
--   fragment: WITH born AS (INSERT INTO orders (order_id, customer_id) VALUES (1, $1), (2, $2) RETURNING orders.customer_id) INSERT INTO items (customer_id) SELECT born.customer_id FROM born with [1, 2]
--   change: each shard changes its own rows, the counts add up
--   because: plan.writing: inserts into orders as orders: (customer_id = $1) or (customer_id = $2)
--   because: plan.writing: inserts into items as items: any key
--   because: plan.changing: each part stays with its shard, and so do the rows that it hands on

WITH born AS (INSERT INTO orders (order_id, customer_id) VALUES (1, 1), (2, 2) RETURNING customer_id) DELETE FROM items WHERE note = 'x';
--   write, keys
--   scan: writes items as items: any key
--   scan: inserts into orders as orders: (customer_id = 1) or (customer_id = 2)
--   fragment: WITH born AS (INSERT INTO orders (order_id, customer_id) VALUES (1, 1), (2, 2) RETURNING orders.customer_id) DELETE FROM items WHERE items.note = 'x'
--   change: each shard changes its own rows, the counts add up
--   because: plan.writing: inserts into orders as orders: (customer_id = 1) or (customer_id = 2)
--   because: plan.changing: each part stays with its shard, and so do the rows that it hands on

WITH upped AS (UPDATE countries SET name = 'x' RETURNING code) SELECT count(*) FROM upped;
--   write, all
--   fragment: WITH upped AS (UPDATE countries SET name = 'x' RETURNING countries.code) SELECT count(*) FROM upped
--   change: every shard changes its copy, the home shard first, and the counts must agree
--   change: returned rows as the home shard has them
--   because: plan.placing: countries is copied to every shard
--   because: plan.changing: every shard has copies of all the tables, and all of them change alike

WITH upped AS (UPDATE countries SET name = 'x' RETURNING code) DELETE FROM orders USING upped WHERE status = upped.code;
--   write, all
--   scan: writes orders as orders: any key
--   change: the parts run one after another, and hand on what they return
--   upped: UPDATE countries
--   then DELETE FROM orders USING upped WHERE orders.status = upped.code
--   because: plan.placing: countries is copied to every shard
--   because: plan.relay: no part needs what another one writes but by what it returns: one after another

WITH gone AS (DELETE FROM orders RETURNING *) DELETE FROM settings;
--   write, keys
--   scan: writes orders as orders: any key
--   single: s2
--   refused over several: OG-PLAN-009 settings lives on one shard only (s2), but the statement needs others too
--   because: plan.placing: settings lives on s2 only
