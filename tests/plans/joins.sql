SELECT o.order_id, i.note FROM orders o JOIN items i USING (customer_id);
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads items as i: any key
--   fragment: SELECT o.order_id, i.note FROM orders AS o JOIN items AS i USING (customer_id)
--   finish: concatenate
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (o.customer_id)

SELECT o.order_id, i.note FROM orders o LEFT JOIN items i ON i.customer_id = o.customer_id AND i.price > 1;
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads items as i: any key
--   fragment: SELECT o.order_id, i.note FROM orders AS o LEFT JOIN items AS i ON i.customer_id = o.customer_id AND i.price > 1
--   finish: concatenate
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (o.customer_id)

SELECT * FROM orders o FULL JOIN items i ON i.customer_id = o.customer_id;
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads items as i: any key
--   fragment: SELECT o.order_id, o.customer_id, o.total, o.qty, o.status, o.day, i.customer_id, i.price, i.note FROM orders AS o FULL JOIN items AS i ON i.customer_id = o.customer_id
--   finish: concatenate
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (o.customer_id)

SELECT * FROM orders o, items i, countries c WHERE o.customer_id = i.customer_id AND c.code = o.status;
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads items as i: any key
--   fragment: SELECT o.order_id, o.customer_id, o.total, o.qty, o.status, o.day, i.customer_id, i.price, i.note, c.code, c.name, c.eu FROM orders AS o CROSS JOIN items AS i CROSS JOIN countries AS c WHERE o.customer_id = i.customer_id AND c.code = o.status
--   finish: concatenate
--   because: plan.placing: countries is copied to every shard
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (o.customer_id)

SELECT d.title, t.tag FROM docs d JOIN tags t ON t.slug = d.slug;
--   read, keys
--   scan: reads docs as d: any key
--   scan: reads tags as t: any key
--   fragment: SELECT d.title, t.tag FROM docs AS d JOIN tags AS t ON t.slug = d.slug
--   finish: concatenate
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (d.slug)

SELECT * FROM orders o LEFT JOIN countries c ON c.code = o.status;
--   read, keys
--   scan: reads orders as o: any key
--   fragment: SELECT o.order_id, o.customer_id, o.total, o.qty, o.status, o.day, c.code, c.name, c.eu FROM orders AS o LEFT JOIN countries AS c ON c.code = o.status
--   finish: concatenate
--   because: plan.placing: countries is copied to every shard
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (o.customer_id)

-- Through a chain of equalities.
SELECT a.order_id FROM orders a JOIN orders b ON a.customer_id = b.customer_id JOIN items i ON i.customer_id = b.customer_id;
--   read, keys
--   scan: reads orders as a: any key
--   scan: reads orders as b: any key
--   scan: reads items as i: any key
--   fragment: SELECT a.order_id FROM orders AS a JOIN orders AS b ON a.customer_id = b.customer_id JOIN items AS i ON i.customer_id = b.customer_id
--   finish: concatenate
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (a.customer_id)

SELECT a.n FROM events a JOIN events b ON a.device = b.device AND a.sort = b.sort;
--   read, keys
--   scan: reads events as a: any key
--   scan: reads events as b: any key
--   fragment: SELECT a.n FROM events AS a JOIN events AS b ON a.device = b.device AND a.sort = b.sort
--   finish: concatenate
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (a.device, a.sort)

-- Subqueries tied to the key.
SELECT order_id FROM orders o WHERE EXISTS (SELECT 1 FROM items i WHERE i.customer_id = o.customer_id);
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads items as i: any key
--   fragment: SELECT o.order_id FROM orders AS o WHERE EXISTS (SELECT 1 FROM items AS i WHERE i.customer_id = o.customer_id)
--   finish: concatenate
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (o.customer_id)

SELECT order_id FROM orders o WHERE NOT EXISTS (SELECT 1 FROM items i WHERE i.customer_id = o.customer_id);
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads items as i: any key
--   fragment: SELECT o.order_id FROM orders AS o WHERE NOT EXISTS (SELECT 1 FROM items AS i WHERE i.customer_id = o.customer_id)
--   finish: concatenate
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (o.customer_id)

SELECT order_id FROM orders WHERE customer_id IN (SELECT customer_id FROM items WHERE price > 2);
--   read, keys
--   scan: reads orders as orders: any key
--   scan: reads items as items: any key
--   fragment: SELECT orders.order_id FROM orders WHERE orders.customer_id = ANY (SELECT items.customer_id FROM items WHERE items.price > 2)
--   finish: concatenate
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (orders.customer_id)

SELECT order_id, (SELECT max(price) FROM items i WHERE i.customer_id = o.customer_id) FROM orders o;
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads items as i: any key
--   fragment: SELECT o.order_id, (SELECT max(i.price) FROM items AS i WHERE i.customer_id = o.customer_id) FROM orders AS o
--   finish: concatenate
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (o.customer_id)

SELECT order_id FROM orders WHERE status IN (SELECT code FROM countries WHERE eu);
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT orders.order_id FROM orders WHERE orders.status = ANY (SELECT countries.code FROM countries WHERE countries.eu)
--   finish: concatenate
--   because: plan.placing: countries is copied to every shard
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (orders.customer_id)

WITH big AS (SELECT * FROM orders WHERE qty > 5) SELECT c.name FROM big b JOIN customers c USING (customer_id);
--   read, keys
--   scan: reads customers as c: any key
--   scan: reads orders as orders: any key
--   fragment: WITH big AS (SELECT orders.order_id, orders.customer_id, orders.total, orders.qty, orders.status, orders.day FROM orders WHERE orders.qty > 5) SELECT c.name FROM big AS b JOIN customers AS c USING (customer_id)
--   finish: concatenate
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (orders.customer_id)

SELECT k, n FROM (SELECT customer_id AS k, count(*) AS n FROM orders GROUP BY customer_id) g JOIN items i ON i.customer_id = k;
--   read, keys
--   scan: reads items as i: any key
--   scan: reads orders as orders: any key
--   fragment: SELECT g.k, g.n FROM (SELECT orders.customer_id AS k, count(*) AS n FROM orders GROUP BY orders.customer_id) AS g JOIN items AS i ON i.customer_id = g.k
--   finish: concatenate
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (orders.customer_id)

SELECT * FROM (SELECT customer_id FROM orders UNION ALL SELECT customer_id FROM items) u;
--   read, keys
--   scan: reads orders as orders: any key
--   scan: reads items as items: any key
--   fragment: SELECT u.customer_id FROM ((SELECT orders.customer_id FROM orders) UNION ALL (SELECT items.customer_id FROM items)) AS u
--   finish: concatenate
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (orders.customer_id)

SELECT * FROM orders o CROSS JOIN LATERAL (SELECT * FROM items i WHERE i.customer_id = o.customer_id) x;
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads items as i: any key
--   fragment: SELECT o.order_id, o.customer_id, o.total, o.qty, o.status, o.day, x.customer_id, x.price, x.note FROM orders AS o CROSS JOIN LATERAL (SELECT i.customer_id, i.price, i.note FROM items AS i WHERE i.customer_id = o.customer_id) AS x
--   finish: concatenate
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (o.customer_id)

SELECT * FROM orders o, generate_series(1, o.qty) g;
--   read, keys
--   scan: reads orders as o: any key
--   fragment: SELECT o.order_id, o.customer_id, o.total, o.qty, o.status, o.day, g.g FROM orders AS o CROSS JOIN generate_series(1, o.qty) AS g
--   finish: concatenate
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (o.customer_id)
