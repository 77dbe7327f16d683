SELECT count(*) FROM orders;
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT count(*) AS c1 FROM orders
--   finish: combine groups: count count(…)
--   because: plan.scatter: groups span shards: each shard computes partial results, which are combined

SELECT count(*), sum(qty), avg(qty), min(day), max(total), bool_and(qty > 0) FROM orders;
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT count(*) AS c1, sum(orders.qty) AS c2, count(orders.qty) AS c3, min(orders.day) AS c4, max(orders.total) AS c5, bool_and(orders.qty > 0) AS c6 FROM orders
--   finish: combine groups: count count(…), sum sum(…), avg avg(…), min min(…), max max(…), all bool_and(…)
--   because: plan.scatter: groups span shards: each shard computes partial results, which are combined

SELECT status, count(*) FROM orders GROUP BY status ORDER BY count(*) DESC, status LIMIT 3;
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT orders.status AS c1, count(*) AS c2 FROM orders GROUP BY orders.status
--   finish: combine groups by column 1: count count(…); sort by column 2 desc nulls first, 1; stop after LIMIT rows
--   because: plan.scatter: groups span shards: each shard computes partial results, which are combined

SELECT status, count(*) FILTER (WHERE qty > $1) FROM orders GROUP BY 1 HAVING sum(qty) > $2;
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT orders.status AS c1, count(*) FILTER (WHERE orders.qty > $1) AS c2, sum(orders.qty) AS c3 FROM orders GROUP BY orders.status with [1]
--   finish: combine groups by column 1: count count(…), sum sum(…); keep groups by HAVING
--   because: plan.scatter: groups span shards: each shard computes partial results, which are combined

-- Groups that contain the key are finished by their shard, whatever the aggregate.
SELECT customer_id, string_agg(status, ',' ORDER BY order_id) FROM orders GROUP BY customer_id HAVING count(*) > 1;
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT orders.customer_id, string_agg(orders.status, ',' ORDER BY orders.order_id) FROM orders GROUP BY orders.customer_id HAVING count(*) > 1
--   finish: concatenate
--   because: plan.scatter: each group lies on one shard, because it contains the key (orders.customer_id)

SELECT c.customer_id, c.name, median(o.qty) FROM customers c JOIN orders o USING (customer_id) GROUP BY c.customer_id, c.name;
--   read, keys
--   scan: reads customers as c: any key
--   scan: reads orders as o: any key
--   fragment: SELECT c.customer_id, c.name, median(o.qty) FROM customers AS c JOIN orders AS o USING (customer_id) GROUP BY c.customer_id, c.name
--   finish: concatenate
--   because: plan.scatter: each group lies on one shard, because it contains the key (c.customer_id)

-- DISTINCT aggregates.
SELECT count(DISTINCT customer_id) FROM orders;
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT count(DISTINCT orders.customer_id) AS c1 FROM orders
--   finish: combine groups: count count(DISTINCT …)
--   because: plan.scatter: groups span shards: each shard computes partial results, which are combined

SELECT count(DISTINCT status), sum(qty) FROM orders;
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT orders.status AS c1, sum(orders.qty) AS c2 FROM orders GROUP BY orders.status
--   finish: combine groups: count distinct count(DISTINCT …), sum sum(…)
--   because: plan.scatter: groups span shards: each shard computes partial results, which are combined

SELECT day, count(DISTINCT customer_id), avg(DISTINCT qty) FROM orders GROUP BY day;
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT orders.day AS c1, orders.customer_id AS c2, orders.qty AS c3 FROM orders GROUP BY orders.day, orders.customer_id, orders.qty
--   finish: combine groups by column 1: count distinct count(DISTINCT …), avg distinct avg(DISTINCT …)
--   because: plan.scatter: groups span shards: each shard computes partial results, which are combined

SELECT count(DISTINCT status) FILTER (WHERE qty > 1) FROM orders;
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT CASE WHEN orders.qty > 1 THEN orders.status END AS c1 FROM orders GROUP BY 1
--   finish: combine groups: count distinct count(DISTINCT …)
--   because: plan.scatter: groups span shards: each shard computes partial results, which are combined

-- What is computed from aggregates, and what only from groups.
SELECT lower(status), sum(total) / nullif(count(*), 0), round(avg(total), 2) FROM orders GROUP BY status;
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT orders.status AS c1, lower(orders.status) AS c2, sum(orders.total) AS c3, count(*) AS c4, count(orders.total) AS c5 FROM orders GROUP BY orders.status
--   finish: combine groups by column 1: sum sum(…), count count(…), avg avg(…)
--   because: plan.scatter: groups span shards: each shard computes partial results, which are combined

SELECT status, CASE WHEN count(*) > 3 THEN 'many' ELSE 'few' END FROM orders GROUP BY status ORDER BY avg(qty) DESC NULLS LAST;
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT orders.status AS c1, count(*) AS c2, sum(orders.qty) AS c3, count(orders.qty) AS c4 FROM orders GROUP BY orders.status
--   finish: combine groups by column 1: count count(…), avg avg(…); sort by column 3 desc; cut 1 hidden column(s)
--   because: plan.scatter: groups span shards: each shard computes partial results, which are combined

SELECT 1, 'x', sum(qty) FROM orders;
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT sum(orders.qty) AS c1 FROM orders
--   finish: combine groups: sum sum(…)
--   because: plan.scatter: groups span shards: each shard computes partial results, which are combined

SELECT DISTINCT count(*) FROM orders GROUP BY status;
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT orders.status AS c1, count(*) AS c2 FROM orders GROUP BY orders.status
--   finish: combine groups by column 1: count count(…); drop duplicates of column 1
--   because: plan.scatter: groups span shards: each shard computes partial results, which are combined

SELECT avg(weight) FROM customers;
--   read, keys
--   scan: reads customers as customers: any key
--   fragment: SELECT sum(customers.weight::float8) AS c1, count(customers.weight) AS c2 FROM customers
--   finish: combine groups: avg avg(…)
--   because: plan.scatter: groups span shards: each shard computes partial results, which are combined

SELECT c.name, sum(o.total) FROM orders o JOIN countries c ON c.code = o.status GROUP BY c.name;
--   read, keys
--   scan: reads orders as o: any key
--   fragment: SELECT c.name AS c1, sum(o.total) AS c2 FROM orders AS o JOIN countries AS c ON c.code = o.status GROUP BY c.name
--   finish: combine groups by column 1: sum sum(…)
--   because: plan.placing: countries is copied to every shard
--   because: plan.scatter: groups span shards: each shard computes partial results, which are combined
