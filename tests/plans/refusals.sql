-- Joins.
SELECT * FROM orders a JOIN orders b ON a.qty = b.qty;
--   read, keys
--   scan: reads orders as a: any key
--   scan: reads orders as b: any key
--   refused over several: OG-PLAN-010 orders and orders are not joined on their shard keys

SELECT * FROM orders o CROSS JOIN items i;
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads items as i: any key
--   refused over several: OG-PLAN-010 orders and items are not joined on their shard keys

SELECT * FROM orders o JOIN docs d ON d.title = o.status;
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads docs as d: any key
--   refused over several: OG-PLAN-010 orders and docs are not joined on their shard keys

SELECT * FROM orders o JOIN items i ON i.customer_id = o.customer_id OR i.price = 1;
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads items as i: any key
--   refused over several: OG-PLAN-010 orders and items are not joined on their shard keys

SELECT * FROM countries c LEFT JOIN orders o ON o.status = c.code;
--   read, keys
--   scan: reads orders as o: any key
--   refused over several: OG-PLAN-011 a copied table is on the preserved side of an outer join with the sharded orders
--   because: plan.placing: countries is copied to every shard

SELECT * FROM orders o FULL JOIN countries c ON o.status = c.code;
--   read, keys
--   scan: reads orders as o: any key
--   refused over several: OG-PLAN-011 a copied table is on the preserved side of an outer join with the sharded orders
--   because: plan.placing: countries is copied to every shard

SELECT * FROM orders o JOIN settings s ON s.name = o.status;
--   read, keys
--   scan: reads orders as o: any key
--   single: s2
--   refused over several: OG-PLAN-009 settings lives on one shard only (s2), but the statement needs others too
--   because: plan.placing: settings lives on s2 only

-- The weak side of an outer join proves nothing about the other.
SELECT * FROM orders a LEFT JOIN orders b ON a.customer_id = b.customer_id JOIN items i ON i.customer_id = b.qty;
--   read, keys
--   scan: reads orders as a: any key
--   scan: reads orders as b: any key
--   scan: reads items as i: any key
--   refused over several: OG-PLAN-010 orders and items are not joined on their shard keys

SELECT * FROM (customers x CROSS JOIN countries y) LEFT JOIN orders m ON m.customer_id = x.customer_id JOIN items r ON r.price = m.qty;
--   read, keys
--   scan: reads customers as x: any key
--   scan: reads orders as m: any key
--   scan: reads items as r: any key
--   refused over several: OG-PLAN-010 customers and items are not joined on their shard keys
--   because: plan.placing: countries is copied to every shard

SELECT b.customer_id, string_agg(a.status, '') FROM orders a LEFT JOIN orders b ON a.customer_id = b.customer_id GROUP BY b.customer_id;
--   read, keys
--   scan: reads orders as a: any key
--   scan: reads orders as b: any key
--   refused over several: OG-PLAN-014 the aggregate string_agg(…) cannot be combined from the shards' partial results

SELECT d.k, string_agg(d.s, '') FROM (SELECT b.customer_id AS k, a.status AS s FROM orders a LEFT JOIN items b ON a.customer_id = b.customer_id) d GROUP BY d.k;
--   read, keys
--   scan: reads orders as a: any key
--   scan: reads items as b: any key
--   refused over several: OG-PLAN-014 the aggregate string_agg(…) cannot be combined from the shards' partial results

-- Subqueries.
SELECT * FROM orders WHERE qty > (SELECT avg(qty) FROM orders);
--   read, keys
--   scan: reads orders as orders: any key
--   scan: reads orders as orders: any key
--   refused over several: OG-PLAN-012 the subquery over orders cannot be computed by each shard alone: it is not tied to the shard key of orders

SELECT * FROM orders WHERE qty IN (SELECT price FROM items);
--   read, keys
--   scan: reads orders as orders: any key
--   scan: reads items as items: any key
--   refused over several: OG-PLAN-012 the subquery over items cannot be computed by each shard alone: it is not tied to the shard key of orders

SELECT * FROM orders WHERE customer_id NOT IN (SELECT customer_id FROM items);
--   read, keys
--   scan: reads orders as orders: any key
--   scan: reads items as items: any key
--   refused over several: OG-PLAN-012 the subquery over items cannot be computed by each shard alone: it is not tied to the shard key of orders

SELECT count(*) FROM (SELECT DISTINCT status FROM orders) d;
--   read, keys
--   scan: reads orders as orders: any key
--   refused over several: OG-PLAN-012 the subquery d cannot be computed by each shard alone: DISTINCT compares rows of different shards

SELECT * FROM (SELECT * FROM orders LIMIT 5) d;
--   read, keys
--   scan: reads orders as orders: any key
--   refused over several: OG-PLAN-012 the subquery d cannot be computed by each shard alone: LIMIT counts rows of all shards

SELECT * FROM countries WHERE EXISTS (SELECT 1 FROM orders WHERE status = code);
--   read, keys
--   scan: reads orders as orders: any key
--   refused over several: OG-PLAN-012 the subquery cannot be computed by each shard alone: it reads a sharded table for rows that every shard has
--   because: plan.placing: countries is copied to every shard

SELECT * FROM orders, (SELECT * FROM countries LIMIT 1) c;
--   read, keys
--   scan: reads orders as orders: any key
--   refused over several: OG-PLAN-012 the subquery with LIMIT cannot be computed by each shard alone: each shard could choose other rows
--   because: plan.placing: countries is copied to every shard

WITH RECURSIVE r AS (SELECT customer_id FROM orders UNION ALL SELECT customer_id FROM r) SELECT * FROM r;
--   read, keys
--   scan: reads orders as orders: any key
--   refused over several: OG-PLAN-012 WITH r cannot be computed by each shard alone: it refers to itself

-- Set operations.
SELECT status FROM orders INTERSECT SELECT note FROM items;
--   read, keys
--   scan: reads orders as orders: any key
--   scan: reads items as items: any key
--   refused over several: OG-PLAN-013 INTERSECT over several shards compares rows of different shards

SELECT status FROM orders UNION ALL SELECT name FROM countries;
--   read, keys
--   scan: reads orders as orders: any key
--   refused over several: OG-PLAN-013 UNION of sharded rows with rows that every shard has over several shards compares rows of different shards
--   because: plan.placing: countries is copied to every shard

SELECT status FROM orders UNION ALL (SELECT note FROM items LIMIT 1);
--   read, keys
--   scan: reads orders as orders: any key
--   scan: reads items as items: any key
--   refused over several: OG-PLAN-012 the subquery in the set operation cannot be computed by each shard alone: LIMIT counts rows of all shards

-- Aggregates, windows, groups.
SELECT stddev(qty) FROM orders;
--   read, keys
--   scan: reads orders as orders: any key
--   refused over several: OG-PLAN-014 the aggregate stddev(…) cannot be combined from the shards' partial results

SELECT median(qty) FROM orders;
--   read, keys
--   scan: reads orders as orders: any key
--   refused over several: OG-PLAN-014 the aggregate median(…) cannot be combined from the shards' partial results

SELECT string_agg(status, ',') FROM orders;
--   read, keys
--   scan: reads orders as orders: any key
--   refused over several: OG-PLAN-014 the aggregate string_agg(…) cannot be combined from the shards' partial results

SELECT status, count(*) FROM orders GROUP BY ROLLUP (status);
--   read, keys
--   scan: reads orders as orders: any key
--   refused over several: OG-PLAN-016 GROUPING SETS, ROLLUP and CUBE are not combined over several shards

SELECT rank() OVER (ORDER BY qty) FROM orders;
--   read, keys
--   scan: reads orders as orders: any key
--   refused over several: OG-PLAN-015 the window function rank needs rows of several shards together

SELECT device, rank() OVER (PARTITION BY device ORDER BY n) FROM events;
--   read, keys
--   scan: reads events as events: any key
--   refused over several: OG-PLAN-015 the window function rank needs rows of several shards together

SELECT sum(weight) FROM customers;
--   read, keys
--   scan: reads customers as customers: any key
--   refused over several: OG-PLAN-014 sum(…) of real, whose additions round, cannot be combined from the shards' partial results

SELECT date_trunc('day', max(seen)) FROM customers;
--   read, keys
--   scan: reads customers as customers: any key
--   refused over several: OG-PLAN-023 the function date_trunc over combined results is not vetted to mean the same as on one server

-- Text whose order only a server knows, and types whose order Python gets wrong.
SELECT name FROM customers ORDER BY city;
--   read, keys
--   scan: reads customers as customers: any key
--   refused over several: OG-PLAN-022 the column city orders text by a language's rules, which only a server knows

SELECT max(city) FROM customers;
--   read, keys
--   scan: reads customers as customers: any key
--   refused over several: OG-PLAN-022 the column city orders text by a language's rules, which only a server knows

SELECT name FROM customers ORDER BY upper(city);
--   read, keys
--   scan: reads customers as customers: any key
--   fragment: SELECT customers.name, upper(customers.city) AS _sort2 FROM customers ORDER BY 2
--   finish: merge by column 2; cut 1 hidden column(s)
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (customers.customer_id)

SELECT customer_id FROM customers ORDER BY wait;
--   read, keys
--   scan: reads customers as customers: any key
--   refused over several: OG-PLAN-023 the order of type interval over combined results is not vetted to mean the same as on one server

SELECT nick, count(*) FROM customers GROUP BY nick;
--   read, keys
--   scan: reads customers as customers: any key
--   refused over several: OG-PLAN-022 the nondeterministic collation of nick orders text by a language's rules, which only a server knows

SELECT DISTINCT nick FROM customers;
--   read, keys
--   scan: reads customers as customers: any key
--   refused over several: OG-PLAN-022 the nondeterministic collation of nick orders text by a language's rules, which only a server knows

-- Functions and moments.
SELECT random() FROM orders;
--   write, keys
--   scan: reads orders as orders: any key
--   refused over several: OG-PLAN-018 random() is computed by each shard for itself

SELECT * FROM orders WHERE day < now();
--   read, keys
--   scan: reads orders as orders: any key
--   refused over several: OG-PLAN-017 now() differs from shard to shard

SELECT * FROM orders WHERE day = 'today';
--   read, keys
--   scan: reads orders as orders: any key
--   refused over several: OG-PLAN-017 a literal such as 'now' or 'today' differs from shard to shard

SELECT * FROM orders WHERE day = current_date;
--   read, keys
--   scan: reads orders as orders: any key
--   refused over several: OG-PLAN-017 CURRENT_DATE differs from shard to shard

SELECT mine(qty) FROM orders;
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT mine(orders.qty) FROM orders
--   finish: concatenate
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (orders.customer_id)

SELECT peek() FROM orders;
--   read, keys
--   scan: reads orders as orders: any key
--   refused over several: OG-PLAN-019 the function peek may read or do what only one shard knows

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
--   write, chosen
--   because: plan.builder: SELECT is not understood: only a chosen shard may run it

SELECT ctid FROM orders;
--   read, keys
--   scan: reads orders as orders: any key
--   refused over several: OG-PLAN-018 the statement reads the system column ctid, which belongs to one server: that is computed by each shard for itself

SELECT * FROM ONLY orders;
--   read, keys
--   scan: reads orders as orders: any key
--   refused over several: OG-PLAN-021 ONLY on orders is not answered over several shards

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
--   refused over several: OG-PLAN-024 FETCH … WITH TIES is not answered over several shards
