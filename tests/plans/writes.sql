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
--   error: OG-PLAN-005 the INSERT leaves the shard key column key of drawn to its default nextval('s'::regclass), so its shard is unknown

INSERT INTO drawn (key, n) VALUES (3, 1);
--   write, keys
--   scan: inserts into drawn as drawn: key = 3
--   change: each row goes to the shard of its key, the counts add up
--   because: plan.writing: inserts into drawn as drawn: key = 3
--   because: plan.changing: the rows given do not depend on each other

INSERT INTO orders (customer_id) VALUES (abs(1));
--   error: OG-PLAN-025 the shard key of orders (customer_id) in the INSERT is only known to the server

INSERT INTO numbered (customer_id) VALUES (1);
--   error: OG-PLAN-006 column id of numbered draws from a sequence of each shard, so its numbers would repeat between shards

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
--   refused over several: OG-PLAN-008 the INSERT … SELECT into orders is not proved to stay on one shard: the value of customer_id is not a constant
--   because: plan.placing: countries is copied to every shard
--   because: plan.writing: inserts into orders as orders: customer_id = 4

INSERT INTO orders (customer_id) SELECT customer_id FROM items;
--   write, keys
--   scan: reads items as items: any key
--   scan: inserts into orders as orders: any key
--   fragment: INSERT INTO orders (customer_id) SELECT items.customer_id FROM items
--   change: each shard changes its own rows, the counts add up
--   because: plan.writing: inserts into orders as orders: any key
--   because: plan.changing: the rows selected are written where they are read: the key comes from the key

INSERT INTO orders (customer_id) SELECT qty FROM orders WHERE customer_id = 1;
--   error: OG-PLAN-008 the INSERT … SELECT into orders is not proved to stay on one shard: the value of customer_id is not a constant

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
--   fragment: SELECT orders.tableoid::text AS c0, orders.ctid::text AS c1, (orders.tableoid = 'public.orders'::pg_catalog.regclass) AS c2, (current_setting('extra_float_digits')::int > 0 AND current_setting('datestyle') LIKE 'ISO%' AND current_setting('intervalstyle') IN ('postgres', 'iso_8601')) AS c3, $1::int8 AS c4, orders.customer_id AS c5 FROM orders WHERE orders.customer_id = $2 FOR UPDATE OF orders with [1, 2]
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
--   fragment: SELECT orders.tableoid::text AS c0, orders.ctid::text AS c1, (orders.tableoid = 'public.orders'::pg_catalog.regclass) AS c2, (current_setting('extra_float_digits')::int > 0 AND current_setting('datestyle') LIKE 'ISO%' AND current_setting('intervalstyle') IN ('postgres', 'iso_8601')) AS c3, orders.qty::int8 AS c4, orders.customer_id AS c5, orders.qty::text AS c6, pg_catalog.pg_typeof(orders.qty)::text AS c7 FROM orders WHERE orders.customer_id = 1 FOR UPDATE OF orders
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
--   refused over several: OG-PLAN-003 INSERT writes in several places, and over several shards it is not proved that they belong together
--   because: plan.writing: inserts into items as items: customer_id = 1

-- Copied and single tables.
INSERT INTO countries VALUES ('x', 'X');
--   error: OG-PLAN-004 the statement changes the copied table countries, which every shard must do together

UPDATE countries SET eu = true;
--   error: OG-PLAN-004 the statement changes the copied table countries, which every shard must do together

INSERT INTO settings VALUES ('a', 'b');
--   write, keys
--   single: s2
--   refused over several: OG-PLAN-009 settings lives on one shard only (s2), but the statement needs others too
--   because: plan.placing: settings lives on s2 only

INSERT INTO settings SELECT name, code FROM countries;
--   write, keys
--   single: s2
--   refused over several: OG-PLAN-009 settings lives on one shard only (s2), but the statement needs others too
--   because: plan.placing: countries is copied to every shard
--   because: plan.placing: settings lives on s2 only

SELECT * FROM orders WHERE customer_id = 1 FOR UPDATE;
--   write, keys
--   scan: reads orders as orders: customer_id = 1
--   refused over several: OG-PLAN-020 FOR UPDATE or another locking clause over several shards could deadlock between them
