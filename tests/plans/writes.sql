INSERT INTO orders (order_id, customer_id, qty) VALUES (1, $1, 2), (2, $1, 3) RETURNING *;
--   write, keys
--   scan: inserts into orders as orders: customer_id = $1
--   refused over several: OG-PLAN-030 the rows of the INSERT into orders belong to several shards, which would have to commit together
--   because: plan.writing: inserts into orders as orders: customer_id = $1

INSERT INTO orders (order_id, customer_id) VALUES (1, 1), (2, 2);
--   write, keys
--   scan: inserts into orders as orders: (customer_id = 1) or (customer_id = 2)
--   refused over several: OG-PLAN-030 the rows of the INSERT into orders belong to several shards, which would have to commit together
--   because: plan.writing: inserts into orders as orders: (customer_id = 1) or (customer_id = 2)

INSERT INTO orders VALUES (1, 7);
--   write, keys
--   scan: inserts into orders as orders: customer_id = 7
--   refused over several: OG-PLAN-030 the rows of the INSERT into orders belong to several shards, which would have to commit together
--   because: plan.writing: inserts into orders as orders: customer_id = 7

-- A key that is left out: NULL, its literal default, or unknown.
INSERT INTO orders (order_id) VALUES (1);
--   write, keys
--   scan: inserts into orders as orders: customer_id = NULL
--   refused over several: OG-PLAN-030 the rows of the INSERT into orders belong to several shards, which would have to commit together
--   because: plan.writing: inserts into orders as orders: customer_id = NULL

INSERT INTO orders DEFAULT VALUES;
--   write, keys
--   scan: inserts into orders as orders: customer_id = NULL
--   refused over several: OG-PLAN-030 the rows of the INSERT into orders belong to several shards, which would have to commit together
--   because: plan.writing: inserts into orders as orders: customer_id = NULL

INSERT INTO fixed (n) VALUES (1);
--   write, keys
--   scan: inserts into fixed as fixed: key = 7
--   refused over several: OG-PLAN-030 the rows of the INSERT into fixed belong to several shards, which would have to commit together
--   because: plan.writing: inserts into fixed as fixed: key = 7

INSERT INTO fixed (key, n) VALUES (DEFAULT, 1);
--   write, keys
--   scan: inserts into fixed as fixed: key = 7
--   refused over several: OG-PLAN-030 the rows of the INSERT into fixed belong to several shards, which would have to commit together
--   because: plan.writing: inserts into fixed as fixed: key = 7

INSERT INTO drawn (n) VALUES (1);
--   write, keys
--   scan: inserts into drawn as drawn: key = $1
--   draws: key from s: INSERT INTO drawn (n, key) VALUES (1, $1)
--   refused over several: OG-PLAN-030 the rows of the INSERT into drawn belong to several shards, which would have to commit together
--   because: plan.ids: key from s is drawn for the whole fleet beforehand
--   because: plan.writing: inserts into drawn as drawn: key = $1

INSERT INTO drawn (key, n) VALUES (3, 1);
--   write, keys
--   scan: inserts into drawn as drawn: key = 3
--   refused over several: OG-PLAN-030 the rows of the INSERT into drawn belong to several shards, which would have to commit together
--   because: plan.writing: inserts into drawn as drawn: key = 3

INSERT INTO orders (customer_id) VALUES (abs(1));
--   error: OG-PLAN-025 the shard key of orders (customer_id) in the INSERT is only known to the server

INSERT INTO numbered (customer_id) VALUES (1);
--   write, keys
--   scan: inserts into numbered as numbered: customer_id = 1
--   draws: id from numbered_id_seq: INSERT INTO numbered (customer_id, id) VALUES (1, $1)
--   refused over several: OG-PLAN-030 the rows of the INSERT into numbered belong to several shards, which would have to commit together
--   because: plan.ids: id from numbered_id_seq is drawn for the whole fleet beforehand
--   because: plan.writing: inserts into numbered as numbered: customer_id = 1

INSERT INTO numbered (id, customer_id) VALUES (1, 1);
--   write, keys
--   scan: inserts into numbered as numbered: customer_id = 1
--   refused over several: OG-PLAN-030 the rows of the INSERT into numbered belong to several shards, which would have to commit together
--   because: plan.writing: inserts into numbered as numbered: customer_id = 1

-- INSERT … SELECT.
INSERT INTO orders (order_id, customer_id) SELECT 1, customer_id FROM items WHERE customer_id = 4;
--   write, keys
--   scan: reads items as items: customer_id = 4
--   scan: inserts into orders as orders: customer_id = 4
--   refused over several: OG-PLAN-003 INSERT would have to change several shards together
--   because: plan.writing: inserts into orders as orders: customer_id = 4

INSERT INTO orders (customer_id, status) SELECT 4, code FROM countries;
--   write, keys
--   scan: inserts into orders as orders: customer_id = 4
--   refused over several: OG-PLAN-030 the rows of the INSERT into orders belong to several shards, which would have to commit together
--   because: plan.placing: countries is copied to every shard
--   because: plan.writing: inserts into orders as orders: customer_id = 4

INSERT INTO orders (customer_id) SELECT customer_id FROM items;
--   error: OG-PLAN-008 the INSERT … SELECT into orders is not proved to stay on one shard: the value of customer_id is not a constant

INSERT INTO orders (customer_id) SELECT qty FROM orders WHERE customer_id = 1;
--   error: OG-PLAN-008 the INSERT … SELECT into orders is not proved to stay on one shard: the value of customer_id is not a constant

-- ON CONFLICT.
INSERT INTO customers (customer_id, name) VALUES (1, 'x') ON CONFLICT (customer_id) DO UPDATE SET name = excluded.name;
--   write, keys
--   scan: inserts into customers as customers: customer_id = 1
--   refused over several: OG-PLAN-030 the rows of the INSERT into customers belong to several shards, which would have to commit together
--   because: plan.writing: inserts into customers as customers: customer_id = 1

INSERT INTO customers (customer_id) VALUES (1) ON CONFLICT (customer_id) DO UPDATE SET customer_id = 2;
--   error: OG-PLAN-007 the statement changes the shard key of customers, which could move rows to another shard

-- UPDATE and DELETE.
UPDATE orders SET qty = 1 WHERE customer_id = $1;
--   write, keys
--   scan: writes orders as orders: customer_id = $1
--   refused over several: OG-PLAN-003 UPDATE would have to change several shards together

UPDATE orders SET qty = 1;
--   write, keys
--   scan: writes orders as orders: any key
--   refused over several: OG-PLAN-003 UPDATE would have to change several shards together

UPDATE orders SET customer_id = $1 WHERE customer_id = $2;
--   write, keys
--   scan: writes orders as orders: customer_id = $2
--   refused over several: OG-PLAN-003 UPDATE would have to change several shards together
--   because: plan.writing: the key of orders is assigned: it must stay what it was

UPDATE orders SET customer_id = customer_id, qty = 2 WHERE customer_id = 1;
--   write, keys
--   scan: writes orders as orders: customer_id = 1
--   refused over several: OG-PLAN-003 UPDATE would have to change several shards together

UPDATE orders SET customer_id = qty WHERE customer_id = 1;
--   error: OG-PLAN-007 the statement changes the shard key of orders, which could move rows to another shard

UPDATE orders o SET qty = i.price FROM items i WHERE i.customer_id = o.customer_id AND o.customer_id = 5;
--   write, keys
--   scan: writes orders as o: customer_id = 5
--   scan: reads items as i: customer_id = 5
--   refused over several: OG-PLAN-003 UPDATE would have to change several shards together

DELETE FROM orders WHERE customer_id = 1 OR customer_id = 4;
--   write, keys
--   scan: writes orders as orders: (customer_id = 1) or (customer_id = 4)
--   refused over several: OG-PLAN-003 DELETE would have to change several shards together

DELETE FROM orders USING items i WHERE i.customer_id = orders.customer_id AND i.customer_id = 3;
--   write, keys
--   scan: writes orders as orders: customer_id = 3
--   scan: reads items as i: customer_id = 3
--   refused over several: OG-PLAN-003 DELETE would have to change several shards together

WITH gone AS (DELETE FROM orders WHERE customer_id = 1 RETURNING *) INSERT INTO items (customer_id, note) SELECT 1, status FROM gone;
--   write, keys
--   scan: writes orders as orders: customer_id = 1
--   scan: inserts into items as items: customer_id = 1
--   refused over several: OG-PLAN-003 INSERT would have to change several shards together
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
