SELECT * FROM orders;
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT orders.order_id, orders.customer_id, orders.total, orders.qty, orders.status, orders.day FROM orders
--   finish: concatenate
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (orders.customer_id)

SELECT qty + 1, upper(status) FROM orders WHERE qty > $1 AND status = $2;
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT orders.qty + 1, upper(orders.status) FROM orders WHERE orders.qty > $1 AND orders.status = $2 with [1, 2]
--   finish: concatenate
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (orders.customer_id)

-- Order: by what is returned, and by what is not.
SELECT order_id, qty FROM orders ORDER BY qty DESC, order_id;
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT orders.order_id, orders.qty FROM orders ORDER BY orders.qty DESC, orders.order_id
--   finish: merge by column 2 desc nulls first, 1
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (orders.customer_id)

SELECT order_id FROM orders ORDER BY qty NULLS FIRST, status || 'x' DESC NULLS LAST;
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT orders.order_id, orders.qty AS _sort2, orders.status || 'x' AS _sort3 FROM orders ORDER BY orders.qty NULLS FIRST, 3 DESC NULLS LAST
--   finish: merge by column 2 nulls first, 3 desc; cut 2 hidden column(s)
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (orders.customer_id)

SELECT order_id AS x FROM orders ORDER BY x + 0 LIMIT 5;
--   error: OG-STMT-011 there is no column 'x'

-- Limits.
SELECT * FROM orders LIMIT 3;
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT orders.order_id, orders.customer_id, orders.total, orders.qty, orders.status, orders.day FROM orders LIMIT 3
--   finish: stop after LIMIT rows
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (orders.customer_id)
--   because: plan.scatter: no shard needs to return more than LIMIT + OFFSET rows

SELECT * FROM orders LIMIT 3 OFFSET 4;
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT orders.order_id, orders.customer_id, orders.total, orders.qty, orders.status, orders.day FROM orders LIMIT 7
--   finish: skip OFFSET rows; stop after LIMIT rows
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (orders.customer_id)
--   because: plan.scatter: no shard needs to return more than LIMIT + OFFSET rows

SELECT * FROM orders LIMIT $1 OFFSET $2;
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT orders.order_id, orders.customer_id, orders.total, orders.qty, orders.status, orders.day FROM orders LIMIT $1::int8 + $2::int8 with [1, 2]
--   finish: skip OFFSET rows; stop after LIMIT rows
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (orders.customer_id)
--   because: plan.scatter: no shard needs to return more than LIMIT + OFFSET rows

SELECT * FROM orders LIMIT ALL OFFSET 2;
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT orders.order_id, orders.customer_id, orders.total, orders.qty, orders.status, orders.day FROM orders
--   finish: skip OFFSET rows
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (orders.customer_id)

SELECT * FROM orders LIMIT 1 + 1;
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT orders.order_id, orders.customer_id, orders.total, orders.qty, orders.status, orders.day FROM orders LIMIT 1 + 1
--   finish: stop after LIMIT rows
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (orders.customer_id)
--   because: plan.scatter: no shard needs to return more than LIMIT + OFFSET rows

-- DISTINCT.
SELECT DISTINCT status FROM orders;
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT DISTINCT orders.status FROM orders
--   finish: drop duplicates of column 1
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (orders.customer_id)

SELECT DISTINCT status FROM orders ORDER BY status DESC LIMIT 2;
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT DISTINCT orders.status FROM orders ORDER BY orders.status DESC LIMIT 2
--   finish: drop duplicates of column 1; merge by column 1 desc nulls first; stop after LIMIT rows
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (orders.customer_id)
--   because: plan.scatter: no shard needs to return more than LIMIT + OFFSET rows

SELECT DISTINCT customer_id, status FROM orders;
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT DISTINCT orders.customer_id, orders.status FROM orders
--   finish: concatenate
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (orders.customer_id)
--   because: plan.scatter: equal rows share a shard, which drops the duplicates

SELECT DISTINCT ON (status) status, order_id FROM orders ORDER BY status, qty;
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT DISTINCT ON (orders.status) orders.status, orders.order_id, orders.qty AS _sort3 FROM orders ORDER BY orders.status, orders.qty
--   finish: drop duplicates of column 1; merge by column 1, 3; cut 1 hidden column(s)
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (orders.customer_id)

SELECT DISTINCT ON (customer_id) * FROM orders ORDER BY customer_id, qty;
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT DISTINCT ON (orders.customer_id) orders.order_id, orders.customer_id, orders.total, orders.qty, orders.status, orders.day FROM orders ORDER BY orders.customer_id, orders.qty
--   finish: merge by column 2, 4
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (orders.customer_id)

-- Set operations.
SELECT status FROM orders UNION ALL SELECT note FROM items ORDER BY 1 LIMIT 4;
--   read, keys
--   scan: reads orders as orders: any key
--   scan: reads items as items: any key
--   fragment: (SELECT orders.status FROM orders) UNION ALL (SELECT items.note FROM items) ORDER BY 1 LIMIT 4
--   finish: merge by column 1; stop after LIMIT rows
--   because: plan.scatter: each arm's rows are the shards' rows together

SELECT status FROM orders UNION SELECT note FROM items;
--   read, keys
--   scan: reads orders as orders: any key
--   scan: reads items as items: any key
--   fragment: (SELECT orders.status FROM orders) UNION (SELECT items.note FROM items)
--   finish: drop duplicates of column 1
--   because: plan.scatter: each arm's rows are the shards' rows together

SELECT customer_id FROM orders INTERSECT SELECT customer_id FROM items;
--   read, keys
--   scan: reads orders as orders: any key
--   scan: reads items as items: any key
--   fragment: (SELECT orders.customer_id FROM orders) INTERSECT (SELECT items.customer_id FROM items)
--   finish: concatenate
--   because: plan.scatter: each arm's rows are the shards' rows together

SELECT customer_id, status FROM orders EXCEPT SELECT customer_id, note FROM items;
--   read, keys
--   scan: reads orders as orders: any key
--   scan: reads items as items: any key
--   fragment: (SELECT orders.customer_id, orders.status FROM orders) EXCEPT (SELECT items.customer_id, items.note FROM items)
--   finish: concatenate
--   because: plan.scatter: each arm's rows are the shards' rows together

-- Windows over the key.
SELECT order_id, rank() OVER (PARTITION BY customer_id ORDER BY qty) FROM orders;
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT orders.order_id, rank() OVER (PARTITION BY orders.customer_id ORDER BY orders.qty) FROM orders
--   finish: concatenate
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (orders.customer_id)

SELECT order_id, sum(qty) OVER w FROM orders WINDOW w AS (PARTITION BY customer_id, status);
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT orders.order_id, sum(orders.qty) OVER w FROM orders WINDOW w AS (PARTITION BY orders.customer_id, orders.status)
--   finish: concatenate
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (orders.customer_id)

-- Parameters keep their numbers straight when parts of the statement stay behind.
SELECT status, count(*) FROM orders WHERE qty > $3 GROUP BY status HAVING count(*) > $1 LIMIT $2;
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT orders.status AS c1, count(*) AS c2 FROM orders WHERE orders.qty > $1 GROUP BY orders.status with [3]
--   finish: combine groups by column 1: count count(…); keep groups by HAVING; stop after LIMIT rows
--   because: plan.scatter: groups span shards: each shard computes partial results, which are combined

-- The order of a subquery is that of its first rows.
SELECT t.order_id FROM (SELECT order_id, total FROM orders ORDER BY total DESC) t LIMIT 10;
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT t.order_id, t.total AS _sort2 FROM (SELECT orders.order_id, orders.total FROM orders ORDER BY orders.total DESC) AS t ORDER BY t.total DESC LIMIT 10
--   finish: merge by column 2 desc nulls first; stop after LIMIT rows; cut 1 hidden column(s)
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (orders.customer_id)
--   because: plan.scatter: no shard needs to return more than LIMIT + OFFSET rows
