-- Views are their SELECT; where each shard can be asked for its part they keep their name.
SELECT * FROM big WHERE customer_id = 4;
--   read, keys
--   scan: reads orders as o: customer_id = 4
--   fragment: SELECT big.customer_id, big.amount FROM public.big WHERE big.customer_id = 4
--   finish: concatenate
--   because: plan.views: the view big is its SELECT over orders
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (o.customer_id)
SELECT sum(amount) FROM big;
--   read, keys
--   scan: reads orders as o: any key
--   fragment: SELECT sum(big.amount) AS c1 FROM public.big
--   finish: combine groups: sum sum(…)
--   because: plan.views: the view big is its SELECT over orders
--   because: plan.scatter: groups span shards: each shard computes partial results, which are combined
SELECT b.name, count(*) FROM bigger b WHERE b.name > 'x' GROUP BY b.name;
--   read, keys
--   scan: reads customers as c: any key
--   scan: reads orders as o: any key
--   fragment: SELECT b.name AS c1, count(*) AS c2 FROM public.bigger AS b WHERE b.name > 'x' GROUP BY b.name
--   finish: combine groups by column 1: count count(…)
--   because: plan.views: the view big is its SELECT over orders
--   because: plan.views: the view bigger is its SELECT over orders, customers
--   because: plan.scatter: groups span shards: each shard computes partial results, which are combined
SELECT x.id FROM bigger AS x (id) JOIN orders o ON o.customer_id = x.id WHERE o.qty = 3;
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads customers as c: any key
--   scan: reads orders as o: any key
--   fragment: SELECT x.id FROM public.bigger AS x (id) JOIN orders AS o ON o.customer_id = x.id WHERE o.qty = 3
--   finish: concatenate
--   because: plan.views: the view big is its SELECT over orders
--   because: plan.views: the view bigger is its SELECT over orders, customers
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (o.customer_id)
SELECT id FROM all_ids WHERE id IN (4, 5);
--   read, keys
--   scan: reads orders as orders: customer_id in (4, 5)
--   scan: reads items as items: customer_id in (4, 5)
--   fragment: SELECT all_ids.id FROM public.all_ids WHERE all_ids.id IN (4, 5)
--   finish: concatenate
--   because: plan.views: the view all_ids is its SELECT over orders, items
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (orders.customer_id)
SELECT * FROM by_qty;
--   read, keys
--   scan: reads orders as orders: any key
--   bring b1: SELECT orders.qty AS c1, count(*) AS c2 FROM public.orders GROUP BY orders.qty
--   then SELECT by_qty.qty, by_qty.n FROM (SELECT b1.c1 AS qty, coalesce(sum(b1.c2), 0)::int8 AS n FROM unnest($1::int4[], $2::int8[]) AS b1 (c1, c2) GROUP BY b1.c1) AS by_qty
--   because: plan.views: the view by_qty is its SELECT over orders
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them
SELECT q.n, b.name FROM by_qty q JOIN bigger b ON b.customer_id = q.n;
--   read, keys
--   scan: reads orders as orders: any key
--   scan: reads customers as c: any key
--   scan: reads orders as o: any key
--   bring b1: SELECT orders.qty AS c1, count(*) AS c2 FROM public.orders GROUP BY orders.qty
--   bring b2: SELECT o.customer_id AS c1, o.total AS c2 FROM public.orders AS o WHERE o.qty > 1
--   bring customers as c (customer_id, name)
--   then SELECT q.n, b.name FROM (SELECT b1.c1 AS qty, coalesce(sum(b1.c2), 0)::int8 AS n FROM unnest($1::int4[], $2::int8[]) AS b1 (c1, c2) GROUP BY b1.c1) AS q JOIN (SELECT big.customer_id, c.name FROM (SELECT b2.c1 AS customer_id, b2.c2 AS amount FROM unnest($3::int8[], $4::"numeric"[]) AS b2 (c1, c2)) AS big JOIN unnest($5::int8[], $6::text[]) AS c (customer_id, name) USING (customer_id)) AS b ON b.customer_id = q.n
--   because: plan.views: the view by_qty is its SELECT over orders
--   because: plan.views: the view big is its SELECT over orders
--   because: plan.views: the view bigger is its SELECT over orders, customers
--   because: plan.bringing: the rows of orders, customers are brought to one server, which runs the query over them
-- The same view twice are two occurrences: what is said of one is not said of the other.
SELECT a.qty, b.n FROM by_qty a JOIN by_qty b ON a.n = b.qty WHERE b.n = 2;
--   read, keys
--   scan: reads orders as orders: any key
--   scan: reads orders as orders: any key
--   bring b1: SELECT orders.qty AS c1, count(*) AS c2 FROM public.orders GROUP BY orders.qty
--   then SELECT a.qty, b.n FROM (SELECT b1.c1 AS qty, coalesce(sum(b1.c2), 0)::int8 AS n FROM unnest($1::int4[], $2::int8[]) AS b1 (c1, c2) GROUP BY b1.c1) AS a JOIN (SELECT b2.c1 AS qty, coalesce(sum(b2.c2), 0)::int8 AS n FROM unnest($1::int4[], $2::int8[]) AS b2 (c1, c2) GROUP BY b2.c1) AS b ON a.n = b.qty WHERE b.n = 2
--   because: plan.views: the view by_qty is its SELECT over orders
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them
SELECT c.customer_id FROM customers c WHERE c.city IN (SELECT code FROM eu);
--   read, keys
--   scan: reads customers as c: any key
--   fragment: SELECT c.customer_id FROM customers AS c WHERE c.city = ANY (SELECT eu.code FROM public.eu)
--   finish: concatenate
--   because: plan.views: the view eu is its SELECT over countries
--   because: plan.placing: countries is copied to every shard
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (c.customer_id)
SELECT * FROM eu;
--   read, any
--   because: plan.views: the view eu is its SELECT over countries
--   because: plan.placing: countries is copied to every shard
--   because: plan.builder: any shard has what it reads
SELECT * FROM setting_names;
--   read, keys
--   single: s2
--   then SELECT setting_names.name FROM (SELECT settings.name FROM public.settings) AS setting_names
--   because: plan.views: the view setting_names is its SELECT over settings
--   because: plan.placing: settings lives on s2 only
--   because: plan.bringing: the rows of  are brought to one server, which runs the query over them
SELECT s.name, b.amount FROM setting_names s JOIN big b ON b.amount = length(s.name);
--   read, keys
--   scan: reads orders as o: any key
--   single: s2
--   bring b1: SELECT o.customer_id AS c1, o.total AS c2 FROM public.orders AS o WHERE o.qty > 1
--   then SELECT s.name, b.amount FROM (SELECT settings.name FROM public.settings) AS s JOIN (SELECT b1.c1 AS customer_id, b1.c2 AS amount FROM unnest($1::int8[], $2::"numeric"[]) AS b1 (c1, c2)) AS b ON b.amount = length(s.name)
--   because: plan.views: the view setting_names is its SELECT over settings
--   because: plan.views: the view big is its SELECT over orders
--   because: plan.placing: settings lives on s2 only
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them
SELECT sum(mine) FROM mine_of;
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT sum(mine_of.mine) AS c1 FROM public.mine_of
--   finish: combine groups: sum sum(…)
--   because: plan.views: the view mine_of is its SELECT over orders
--   because: plan.scatter: groups span shards: each shard computes partial results, which are combined
-- A WITH of the statement's does not catch the view's table.
WITH orders AS (SELECT 1 AS one) SELECT * FROM big, orders;
--   read, keys
--   scan: reads orders as o: any key
--   fragment: WITH orders AS (SELECT 1 AS one) SELECT big.customer_id, big.amount, orders.one FROM public.big CROSS JOIN orders
--   finish: concatenate
--   because: plan.views: the view big is its SELECT over orders
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (o.customer_id)
SELECT * FROM big WHERE customer_id = 4 FOR UPDATE;
--   write, keys
--   scan: reads orders as o: customer_id = 4
--   fragment: SELECT big.customer_id, big.amount FROM public.big WHERE big.customer_id = 4 FOR UPDATE
--   finish: concatenate
--   change: one shard after another, in their order
--   because: plan.views: the view big is its SELECT over orders
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (o.customer_id)
--   because: plan.locking: locks are taken on one shard after another, in their order
SELECT amount FROM big FOR UPDATE;
--   write, keys
--   scan: reads orders as o: any key
--   fragment: SELECT big.amount FROM public.big FOR UPDATE
--   finish: concatenate
--   change: one shard after another, in their order
--   because: plan.views: the view big is its SELECT over orders
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (o.customer_id)
--   because: plan.locking: locks are taken on one shard after another, in their order
-- Writes that read views.
INSERT INTO docs SELECT name, 'x' FROM bigger;
--   write, keys
--   scan: reads customers as c: any key
--   scan: reads orders as o: any key
--   scan: inserts into docs as docs: any key
--   change: the rows selected are read first, and then go where they belong
--   read the rows: SELECT "outgrow read".c0::text AS r0, "outgrow read".c1::text AS r1, "outgrow read".c0::text AS r2 FROM (SELECT bigger.name, 'x'::text AS "?column?" FROM (SELECT big.customer_id, c.name FROM (SELECT o.customer_id, o.total AS amount FROM public.orders AS o WHERE o.qty > 1) AS big JOIN public.customers AS c USING (customer_id)) AS bigger) AS "outgrow read" (c0, c1)
--   send them to the shards of their keys, in portions
--   because: plan.views: the view big is its SELECT over orders
--   because: plan.views: the view bigger is its SELECT over orders, customers
--   because: plan.writing: inserts into docs as docs: any key
--   because: plan.changing: the rows selected are read first, and then go where they belong
INSERT INTO items (customer_id, price) SELECT customer_id, amount FROM big;
--   write, keys
--   scan: reads orders as o: any key
--   scan: inserts into items as items: any key
--   fragment: INSERT INTO items (customer_id, price) SELECT big.customer_id, big.amount FROM (SELECT o.customer_id, o.total AS amount FROM public.orders AS o WHERE o.qty > 1) AS big
--   change: each shard changes its own rows, the counts add up
--   because: plan.views: the view big is its SELECT over orders
--   because: plan.writing: inserts into items as items: any key
--   because: plan.changing: the rows selected are written where they are read: the key comes from the key
UPDATE orders SET qty = 1 FROM by_qty q WHERE q.n = orders.total;
--   write, keys
--   scan: writes orders as orders: any key
--   scan: reads orders as orders: any key
--   fragment: UPDATE orders SET qty = 1 FROM (SELECT "outgrow answer".c0::"outgrow type 0.0" AS qty, "outgrow answer".c1::"outgrow type 0.1" AS n FROM unnest($1::text[], $2::text[]) AS "outgrow answer" (c0, c1)) AS q WHERE q.n = orders.total with [1, 2]
--   change: each shard changes its own rows, the counts add up
--   answered before: bring b1: SELECT orders.qty AS c1, count(*) AS c2 FROM public.orders GROUP BY orders.qty
--   answered before: then SELECT "outgrow read".c0::text AS r0, "outgrow read".c1::text AS r1 FROM (SELECT b1.c1 AS qty, coalesce(sum(b1.c2), 0)::int8 AS n FROM unnest($1::int4[], $2::int8[]) AS b1 (c1, c2) GROUP BY b1.c1) AS "outgrow read" (c0, c1)
--   then UPDATE orders SET qty = 1 FROM (SELECT "outgrow answer".c0::"outgrow type 0.0" AS qty, "outgrow answer".c1::"outgrow type 0.1" AS n FROM unnest($1::text[], $2::text[]) AS "outgrow answer" (c0, c1)) AS q WHERE q.n = orders.total
--   because: plan.views: the view by_qty is its SELECT over orders
--   because: plan.changing: what its subqueries answer come to every shard that has rows of orders to change
DELETE FROM orders WHERE customer_id IN (SELECT customer_id FROM bigger WHERE name = 'x');
--   write, keys
--   scan: writes orders as orders: any key
--   scan: reads customers as c: any key
--   scan: reads orders as o: any key
--   fragment: DELETE FROM orders WHERE orders.customer_id = ANY (SELECT bigger.customer_id FROM (SELECT big.customer_id, c.name FROM (SELECT o.customer_id, o.total AS amount FROM public.orders AS o WHERE o.qty > 1) AS big JOIN public.customers AS c USING (customer_id)) AS bigger WHERE bigger.name = 'x')
--   change: each shard changes its own rows, the counts add up
--   because: plan.views: the view big is its SELECT over orders
--   because: plan.views: the view bigger is its SELECT over orders, customers
--   because: plan.changing: each shard changes its own rows: all that decides on them shares the key (orders.customer_id)
MERGE INTO orders o USING big ON o.customer_id = big.customer_id WHEN MATCHED THEN DELETE;
--   write, all
--   fragment: MERGE INTO orders AS o USING (SELECT "outgrow read".c0::"outgrow type 0.0" AS customer_id, "outgrow read".c1::"outgrow type 0.1" AS amount FROM unnest($1::text[], $2::text[]) AS "outgrow read" (c0, c1)) AS big ON o.customer_id = big.customer_id WHEN MATCHED THEN DELETE with [1, 2]
--   change: the source's rows are read first, and merged where their keys lie
--   read the rows: SELECT "outgrow read".c0::text AS r0, "outgrow read".c1::text AS r1, "outgrow read".c0::int8 AS r2 FROM (SELECT o.customer_id, o.total AS amount FROM public.orders AS o WHERE o.qty > 1) AS "outgrow read" (c0, c1)
--   merge them on the shards of their keys
--   because: plan.changing: the source's rows are read first, and merged where orders has their keys
-- What their SELECT does not stand for, and what only one shard could know.
SELECT qty FROM dice;
--   write, keys
--   scan: reads orders as orders: any key
--   refused over several: OG-PLAN-100 the view dice is not answered over several shards: random() is computed by each shard for itself
--   because: plan.views: the view dice is its SELECT over orders
SELECT peek FROM peeking WHERE customer_id = 4;
--   read, keys
--   scan: reads orders as orders: customer_id = 4
--   refused over several: OG-PLAN-100 the view peeking is not answered over several shards: the function peek is STABLE: it may read tables, of which each shard has its part only
--   because: plan.views: the view peeking is its SELECT over orders
SELECT qty FROM shut;
--   read, keys
--   scan: reads orders as orders: any key
--   refused over several: OG-PLAN-100 the view shut is not answered over several shards: it is a security barrier
--   because: plan.views: the view shut is its SELECT over orders
SELECT big FROM big;
--   read, keys
--   scan: reads orders as o: any key
--   refused over several: OG-PLAN-100 the view big is not answered over several shards: its rows are used as one value
--   because: plan.views: the view big is its SELECT over orders
SELECT x FROM odd_view;
--   error: OG-PLAN-100 the view odd_view is not answered over several shards: outgrow does not understand XMLELEMENT()
SELECT id FROM stray;
--   error: OG-PLAN-001 table unlisted (of the view stray) has no placement in domain d
INSERT INTO docs SELECT 'a', peek::text FROM peeking;
--   write, keys
--   scan: reads orders as orders: any key
--   scan: inserts into docs as docs: slug = 'a'
--   refused over several: OG-PLAN-100 the view peeking is not answered over several shards: the function peek is STABLE: it may read tables, of which each shard has its part only
--   because: plan.views: the view peeking is its SELECT over orders
--   because: plan.writing: inserts into docs as docs: slug = 'a'
MERGE INTO orders o USING peeking p ON o.customer_id = p.customer_id WHEN MATCHED THEN DELETE;
--   error: OG-PLAN-100 the view peeking is not answered over several shards: the function peek is STABLE: it may read tables, of which each shard has its part only
-- Views with a place of their own.
SELECT x FROM placed_odd WHERE customer_id = 4;
--   read, keys
--   scan: reads placed_odd as placed_odd: customer_id = 4
--   refused over several: OG-PLAN-019 the view placed_odd may read or do what only one shard knows
SELECT qty FROM on_s2;
--   read, keys
--   single: s2
--   refused over several: OG-PLAN-009 on_s2 lives on one shard only (s2), but the statement needs others too
--   because: plan.placing: on_s2 lives on s2 only
-- Writing through views.
DELETE FROM big WHERE customer_id = 4;
--   error: OG-PLAN-101 big is a view: over several shards nothing is written through one
INSERT INTO big VALUES (4, 1);
--   error: OG-PLAN-101 big is a view: over several shards nothing is written through one
UPDATE big SET amount = 1 WHERE customer_id = 4;
--   error: OG-PLAN-101 big is a view: over several shards nothing is written through one
