-- Joins.
SELECT * FROM orders a JOIN orders b ON a.qty = b.qty;
--   read, keys
--   scan: reads orders as a: any key
--   scan: reads orders as b: any key
--   bring orders as a (order_id, customer_id, total, qty, status, day)
--   then SELECT a.order_id, a.customer_id, a.total, a.qty, a.status, a.day, b.order_id, b.customer_id, b.total, b.qty, b.status, b.day FROM unnest($1::int8[], $2::int8[], $3::"numeric"[], $4::int4[], $5::text[], $6::date[]) AS a (order_id, customer_id, total, qty, status, day) JOIN unnest($1::int8[], $2::int8[], $3::"numeric"[], $4::int4[], $5::text[], $6::date[]) AS b (order_id, customer_id, total, qty, status, day) ON a.qty = b.qty
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

SELECT * FROM orders o CROSS JOIN items i;
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads items as i: any key
--   bring items as i (customer_id, price, note)
--   bring orders as o (order_id, customer_id, total, qty, status, day)
--   then SELECT o.order_id, o.customer_id, o.total, o.qty, o.status, o.day, i.customer_id, i.price, i.note FROM unnest($4::int8[], $5::int8[], $6::"numeric"[], $7::int4[], $8::text[], $9::date[]) AS o (order_id, customer_id, total, qty, status, day) CROSS JOIN unnest($1::int4[], $2::float8[], $3::text[]) AS i (customer_id, price, note)
--   because: plan.bringing: the rows of items, orders are brought to one server, which runs the query over them

SELECT * FROM orders o JOIN docs d ON d.title = o.status;
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads docs as d: any key
--   bring docs as d (slug, title)
--   bring orders as o (order_id, customer_id, total, qty, status, day)
--   then SELECT o.order_id, o.customer_id, o.total, o.qty, o.status, o.day, d.slug, d.title FROM unnest($3::int8[], $4::int8[], $5::"numeric"[], $6::int4[], $7::text[], $8::date[]) AS o (order_id, customer_id, total, qty, status, day) JOIN unnest($1::text[], $2::text[]) AS d (slug, title) ON d.title = o.status
--   because: plan.bringing: the rows of docs, orders are brought to one server, which runs the query over them

SELECT * FROM orders o JOIN items i ON i.customer_id = o.customer_id OR i.price = 1;
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads items as i: any key
--   bring items as i (customer_id, price, note)
--   bring orders as o (order_id, customer_id, total, qty, status, day)
--   then SELECT o.order_id, o.customer_id, o.total, o.qty, o.status, o.day, i.customer_id, i.price, i.note FROM unnest($4::int8[], $5::int8[], $6::"numeric"[], $7::int4[], $8::text[], $9::date[]) AS o (order_id, customer_id, total, qty, status, day) JOIN unnest($1::int4[], $2::float8[], $3::text[]) AS i (customer_id, price, note) ON i.customer_id = o.customer_id OR i.price = 1
--   because: plan.bringing: the rows of items, orders are brought to one server, which runs the query over them

SELECT * FROM countries c LEFT JOIN orders o ON o.status = c.code;
--   read, keys
--   scan: reads orders as o: any key
--   bring orders as o (order_id, customer_id, total, qty, status, day)
--   then SELECT c.code, c.name, c.eu, o.order_id, o.customer_id, o.total, o.qty, o.status, o.day FROM countries AS c LEFT JOIN unnest($1::int8[], $2::int8[], $3::"numeric"[], $4::int4[], $5::text[], $6::date[]) AS o (order_id, customer_id, total, qty, status, day) ON o.status = c.code
--   because: plan.placing: countries is copied to every shard
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

SELECT * FROM orders o FULL JOIN countries c ON o.status = c.code;
--   read, keys
--   scan: reads orders as o: any key
--   bring orders as o (order_id, customer_id, total, qty, status, day)
--   then SELECT o.order_id, o.customer_id, o.total, o.qty, o.status, o.day, c.code, c.name, c.eu FROM unnest($1::int8[], $2::int8[], $3::"numeric"[], $4::int4[], $5::text[], $6::date[]) AS o (order_id, customer_id, total, qty, status, day) FULL JOIN countries AS c ON o.status = c.code
--   because: plan.placing: countries is copied to every shard
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

SELECT * FROM orders o JOIN settings s ON s.name = o.status;
--   read, keys
--   scan: reads orders as o: any key
--   single: s2
--   bring orders as o (order_id, customer_id, total, qty, status, day)
--   then SELECT o.order_id, o.customer_id, o.total, o.qty, o.status, o.day, s.name, s.value FROM unnest($1::int8[], $2::int8[], $3::"numeric"[], $4::int4[], $5::text[], $6::date[]) AS o (order_id, customer_id, total, qty, status, day) JOIN settings AS s ON s.name = o.status
--   because: plan.placing: settings lives on s2 only
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

-- The weak side of an outer join proves nothing about the other.
SELECT * FROM orders a LEFT JOIN orders b ON a.customer_id = b.customer_id JOIN items i ON i.customer_id = b.qty;
--   read, keys
--   scan: reads orders as a: any key
--   scan: reads orders as b: any key
--   scan: reads items as i: any key
--   bring items as i (customer_id, price, note)
--   bring orders as a (order_id, customer_id, total, qty, status, day)
--   then SELECT a.order_id, a.customer_id, a.total, a.qty, a.status, a.day, b.order_id, b.customer_id, b.total, b.qty, b.status, b.day, i.customer_id, i.price, i.note FROM unnest($4::int8[], $5::int8[], $6::"numeric"[], $7::int4[], $8::text[], $9::date[]) AS a (order_id, customer_id, total, qty, status, day) LEFT JOIN unnest($4::int8[], $5::int8[], $6::"numeric"[], $7::int4[], $8::text[], $9::date[]) AS b (order_id, customer_id, total, qty, status, day) ON a.customer_id = b.customer_id JOIN unnest($1::int4[], $2::float8[], $3::text[]) AS i (customer_id, price, note) ON i.customer_id = b.qty
--   because: plan.bringing: the rows of items, orders are brought to one server, which runs the query over them

SELECT * FROM (customers x CROSS JOIN countries y) LEFT JOIN orders m ON m.customer_id = x.customer_id JOIN items r ON r.price = m.qty;
--   read, keys
--   scan: reads customers as x: any key
--   scan: reads orders as m: any key
--   scan: reads items as r: any key
--   bring customers as x (customer_id, name, city, nick, vip, score, seen, weight, wait)
--   bring items as r (customer_id, price, note)
--   bring orders as m (order_id, customer_id, total, qty, status, day)
--   then SELECT x.customer_id, x.name, x.city, x.nick, x.vip, x.score, x.seen, x.weight, x.wait, y.code, y.name, y.eu, m.order_id, m.customer_id, m.total, m.qty, m.status, m.day, r.customer_id, r.price, r.note FROM unnest($1::int8[], $2::text[], $3::text[], $4::text[], $5::bool[], $6::"numeric"[], $7::timestamptz[], $8::float4[], $9::"interval"[]) AS x (customer_id, name, city, nick, vip, score, seen, weight, wait) CROSS JOIN countries AS y LEFT JOIN unnest($13::int8[], $14::int8[], $15::"numeric"[], $16::int4[], $17::text[], $18::date[]) AS m (order_id, customer_id, total, qty, status, day) ON m.customer_id = x.customer_id JOIN unnest($10::int4[], $11::float8[], $12::text[]) AS r (customer_id, price, note) ON r.price = m.qty
--   because: plan.placing: countries is copied to every shard
--   because: plan.bringing: the rows of customers, items, orders are brought to one server, which runs the query over them

SELECT b.customer_id, string_agg(a.status, '') FROM orders a LEFT JOIN orders b ON a.customer_id = b.customer_id GROUP BY b.customer_id;
--   read, keys
--   scan: reads orders as a: any key
--   scan: reads orders as b: any key
--   bring orders as a (customer_id, status)
--   bring orders as b (customer_id)
--   then SELECT b.customer_id, string_agg(a.status, '') FROM unnest($1::int8[], $2::text[]) AS a (customer_id, status) LEFT JOIN unnest($3::int8[]) AS b (customer_id) ON a.customer_id = b.customer_id GROUP BY b.customer_id
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

SELECT d.k, string_agg(d.s, '') FROM (SELECT b.customer_id AS k, a.status AS s FROM orders a LEFT JOIN items b ON a.customer_id = b.customer_id) d GROUP BY d.k;
--   read, keys
--   scan: reads orders as a: any key
--   scan: reads items as b: any key
--   bring items as b (customer_id)
--   bring orders as a (customer_id, status)
--   then SELECT d.k, string_agg(d.s, '') FROM (SELECT b.customer_id AS k, a.status AS s FROM unnest($2::int8[], $3::text[]) AS a (customer_id, status) LEFT JOIN unnest($1::int4[]) AS b (customer_id) ON a.customer_id = b.customer_id) AS d GROUP BY d.k
--   because: plan.bringing: the rows of items, orders are brought to one server, which runs the query over them

-- Subqueries.
SELECT * FROM orders WHERE qty > (SELECT avg(qty) FROM orders);
--   read, keys
--   scan: reads orders as orders: any key
--   scan: reads orders as orders: any key
--   bring orders as orders (order_id, customer_id, total, qty, status, day)
--   then SELECT orders.order_id, orders.customer_id, orders.total, orders.qty, orders.status, orders.day FROM unnest($1::int8[], $2::int8[], $3::"numeric"[], $4::int4[], $5::text[], $6::date[]) AS orders (order_id, customer_id, total, qty, status, day) WHERE orders.qty > (SELECT avg(orders.qty) FROM unnest($1::int8[], $2::int8[], $3::"numeric"[], $4::int4[], $5::text[], $6::date[]) AS orders (order_id, customer_id, total, qty, status, day))
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

SELECT * FROM orders WHERE qty IN (SELECT price FROM items);
--   read, keys
--   scan: reads orders as orders: any key
--   scan: reads items as items: any key
--   bring items as items (price)
--   bring orders as orders (order_id, customer_id, total, qty, status, day)
--   then SELECT orders.order_id, orders.customer_id, orders.total, orders.qty, orders.status, orders.day FROM unnest($2::int8[], $3::int8[], $4::"numeric"[], $5::int4[], $6::text[], $7::date[]) AS orders (order_id, customer_id, total, qty, status, day) WHERE orders.qty = ANY (SELECT items.price FROM unnest($1::float8[]) AS items (price))
--   because: plan.bringing: the rows of items, orders are brought to one server, which runs the query over them

SELECT * FROM orders WHERE customer_id NOT IN (SELECT customer_id FROM items);
--   read, keys
--   scan: reads orders as orders: any key
--   scan: reads items as items: any key
--   bring items as items (customer_id)
--   bring orders as orders (order_id, customer_id, total, qty, status, day)
--   then SELECT orders.order_id, orders.customer_id, orders.total, orders.qty, orders.status, orders.day FROM unnest($2::int8[], $3::int8[], $4::"numeric"[], $5::int4[], $6::text[], $7::date[]) AS orders (order_id, customer_id, total, qty, status, day) WHERE orders.customer_id <> ALL (SELECT items.customer_id FROM unnest($1::int4[]) AS items (customer_id))
--   because: plan.bringing: the rows of items, orders are brought to one server, which runs the query over them

SELECT count(*) FROM (SELECT DISTINCT status FROM orders) d;
--   read, keys
--   scan: reads orders as orders: any key
--   bring orders as orders (status)
--   then SELECT count(*) FROM (SELECT DISTINCT orders.status FROM unnest($1::text[]) AS orders (status)) AS d
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

SELECT * FROM (SELECT * FROM orders LIMIT 5) d;
--   read, keys
--   scan: reads orders as orders: any key
--   bring orders as orders (order_id, customer_id, total, qty, status, day)
--   then SELECT d.order_id, d.customer_id, d.total, d.qty, d.status, d.day FROM (SELECT orders.order_id, orders.customer_id, orders.total, orders.qty, orders.status, orders.day FROM unnest($1::int8[], $2::int8[], $3::"numeric"[], $4::int4[], $5::text[], $6::date[]) AS orders (order_id, customer_id, total, qty, status, day) LIMIT 5) AS d
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

SELECT * FROM countries WHERE EXISTS (SELECT 1 FROM orders WHERE status = code);
--   read, keys
--   scan: reads orders as orders: any key
--   bring orders as orders (status)
--   then SELECT countries.code, countries.name, countries.eu FROM countries WHERE EXISTS (SELECT 1 FROM unnest($1::text[]) AS orders (status) WHERE orders.status = countries.code)
--   because: plan.placing: countries is copied to every shard
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

SELECT * FROM orders, (SELECT * FROM countries LIMIT 1) c;
--   read, keys
--   scan: reads orders as orders: any key
--   bring orders as orders (order_id, customer_id, total, qty, status, day)
--   then SELECT orders.order_id, orders.customer_id, orders.total, orders.qty, orders.status, orders.day, c.code, c.name, c.eu FROM unnest($1::int8[], $2::int8[], $3::"numeric"[], $4::int4[], $5::text[], $6::date[]) AS orders (order_id, customer_id, total, qty, status, day) CROSS JOIN (SELECT countries.code, countries.name, countries.eu FROM countries LIMIT 1) AS c
--   because: plan.placing: countries is copied to every shard
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

WITH RECURSIVE r AS (SELECT customer_id FROM orders UNION ALL SELECT customer_id FROM r) SELECT * FROM r;
--   read, keys
--   scan: reads orders as orders: any key
--   bring orders as orders (customer_id)
--   then WITH RECURSIVE r AS ((SELECT orders.customer_id FROM unnest($1::int8[]) AS orders (customer_id)) UNION ALL (SELECT r.customer_id FROM r)) SELECT r.customer_id FROM r
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

-- Set operations.
SELECT status FROM orders INTERSECT SELECT note FROM items;
--   read, keys
--   scan: reads orders as orders: any key
--   scan: reads items as items: any key
--   bring items as items (note)
--   bring orders as orders (status)
--   then (SELECT orders.status FROM unnest($2::text[]) AS orders (status)) INTERSECT (SELECT items.note FROM unnest($1::text[]) AS items (note))
--   because: plan.bringing: the rows of items, orders are brought to one server, which runs the query over them

SELECT status FROM orders UNION ALL SELECT name FROM countries;
--   read, keys
--   scan: reads orders as orders: any key
--   bring orders as orders (status)
--   then (SELECT orders.status FROM unnest($1::text[]) AS orders (status)) UNION ALL (SELECT countries.name FROM countries)
--   because: plan.placing: countries is copied to every shard
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

SELECT status FROM orders UNION ALL (SELECT note FROM items LIMIT 1);
--   read, keys
--   scan: reads orders as orders: any key
--   scan: reads items as items: any key
--   bring items as items (note)
--   bring orders as orders (status)
--   then (SELECT orders.status FROM unnest($2::text[]) AS orders (status)) UNION ALL (SELECT items.note FROM unnest($1::text[]) AS items (note) LIMIT 1)
--   because: plan.bringing: the rows of items, orders are brought to one server, which runs the query over them

-- Aggregates, windows, groups.
SELECT stddev(qty) FROM orders;
--   read, keys
--   scan: reads orders as orders: any key
--   bring orders as orders (qty)
--   then SELECT stddev(orders.qty) FROM unnest($1::int4[]) AS orders (qty)
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

SELECT median(qty) FROM orders;
--   read, keys
--   scan: reads orders as orders: any key
--   bring orders as orders (qty)
--   then SELECT median(orders.qty) FROM unnest($1::int4[]) AS orders (qty)
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

SELECT string_agg(status, ',') FROM orders;
--   read, keys
--   scan: reads orders as orders: any key
--   bring orders as orders (status)
--   then SELECT string_agg(orders.status, ',') FROM unnest($1::text[]) AS orders (status)
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

SELECT status, count(*) FROM orders GROUP BY ROLLUP (status);
--   read, keys
--   scan: reads orders as orders: any key
--   bring orders as orders (status)
--   then SELECT orders.status, count(*) FROM unnest($1::text[]) AS orders (status) GROUP BY ROLLUP (orders.status)
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

SELECT rank() OVER (ORDER BY qty) FROM orders;
--   read, keys
--   scan: reads orders as orders: any key
--   bring orders as orders (qty)
--   then SELECT rank() OVER (ORDER BY orders.qty) FROM unnest($1::int4[]) AS orders (qty)
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

SELECT device, rank() OVER (PARTITION BY device ORDER BY n) FROM events;
--   read, keys
--   scan: reads events as events: any key
--   bring events as events (device, n)
--   then SELECT events.device, rank() OVER (PARTITION BY events.device ORDER BY events.n) FROM unnest($1::int8[], $2::int4[]) AS events (device, n)
--   because: plan.bringing: the rows of events are brought to one server, which runs the query over them

SELECT sum(weight) FROM customers;
--   read, keys
--   scan: reads customers as customers: any key
--   refused over several: OG-PLAN-014 sum(…) of real, whose additions round, cannot be combined from the shards' partial results

SELECT date_trunc('day', max(seen)) FROM customers;
--   read, keys
--   scan: reads customers as customers: any key
--   bring customers as customers (seen)
--   then SELECT date_trunc('day', max(customers.seen)) FROM unnest($1::timestamptz[]) AS customers (seen)
--   because: plan.bringing: the rows of customers are brought to one server, which runs the query over them

-- Text whose order only a server knows, and types whose order Python gets wrong.
SELECT name FROM customers ORDER BY city;
--   read, keys
--   scan: reads customers as customers: any key
--   bring customers as customers (name, city)
--   then SELECT customers.name FROM unnest($1::text[], $2::text[]) AS customers (name, city) ORDER BY customers.city
--   because: plan.bringing: the rows of customers are brought to one server, which runs the query over them

SELECT max(city) FROM customers;
--   read, keys
--   scan: reads customers as customers: any key
--   bring customers as customers (city)
--   then SELECT max(customers.city) FROM unnest($1::text[]) AS customers (city)
--   because: plan.bringing: the rows of customers are brought to one server, which runs the query over them

SELECT name FROM customers ORDER BY upper(city);
--   read, keys
--   scan: reads customers as customers: any key
--   fragment: SELECT customers.name, upper(customers.city) AS _sort2 FROM customers ORDER BY 2
--   finish: merge by column 2; cut 1 hidden column(s)
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (customers.customer_id)

SELECT customer_id FROM customers ORDER BY wait;
--   read, keys
--   scan: reads customers as customers: any key
--   bring customers as customers (customer_id, wait)
--   then SELECT customers.customer_id FROM unnest($1::int8[], $2::"interval"[]) AS customers (customer_id, wait) ORDER BY customers.wait
--   because: plan.bringing: the rows of customers are brought to one server, which runs the query over them

SELECT nick, count(*) FROM customers GROUP BY nick;
--   read, keys
--   scan: reads customers as customers: any key
--   bring customers as customers (nick)
--   then SELECT customers.nick, count(*) FROM unnest($1::text[]) AS customers (nick) GROUP BY customers.nick
--   because: plan.bringing: the rows of customers are brought to one server, which runs the query over them

SELECT DISTINCT nick FROM customers;
--   read, keys
--   scan: reads customers as customers: any key
--   bring customers as customers (nick)
--   then SELECT DISTINCT customers.nick FROM unnest($1::text[]) AS customers (nick)
--   because: plan.bringing: the rows of customers are brought to one server, which runs the query over them

-- Functions and moments.
SELECT random() FROM orders;
--   write, keys
--   scan: reads orders as orders: any key
--   refused over several: OG-PLAN-018 random() is computed by each shard for itself

SELECT * FROM orders WHERE day < now();
--   read, keys
--   scan: reads orders as orders: any key
--   bring orders as orders (order_id, customer_id, total, qty, status, day)
--   then SELECT orders.order_id, orders.customer_id, orders.total, orders.qty, orders.status, orders.day FROM unnest($1::int8[], $2::int8[], $3::"numeric"[], $4::int4[], $5::text[], $6::date[]) AS orders (order_id, customer_id, total, qty, status, day) WHERE orders.day < now()
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

SELECT * FROM orders WHERE day = 'today';
--   read, keys
--   scan: reads orders as orders: any key
--   bring orders as orders (order_id, customer_id, total, qty, status, day)
--   then SELECT orders.order_id, orders.customer_id, orders.total, orders.qty, orders.status, orders.day FROM unnest($1::int8[], $2::int8[], $3::"numeric"[], $4::int4[], $5::text[], $6::date[]) AS orders (order_id, customer_id, total, qty, status, day) WHERE orders.day = 'today'
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

SELECT * FROM orders WHERE day = current_date;
--   read, keys
--   scan: reads orders as orders: any key
--   bring orders as orders (order_id, customer_id, total, qty, status, day)
--   then SELECT orders.order_id, orders.customer_id, orders.total, orders.qty, orders.status, orders.day FROM unnest($1::int8[], $2::int8[], $3::"numeric"[], $4::int4[], $5::text[], $6::date[]) AS orders (order_id, customer_id, total, qty, status, day) WHERE orders.day = CURRENT_DATE
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

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
--   bring orders as orders (order_id, customer_id, total, qty, status, day)
--   then SELECT orders.order_id, orders.customer_id, orders.total, orders.qty, orders.status, orders.day FROM unnest($1::int8[], $2::int8[], $3::"numeric"[], $4::int4[], $5::text[], $6::date[]) AS orders (order_id, customer_id, total, qty, status, day)
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

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
--   bring orders as orders (qty)
--   then SELECT orders.qty FROM unnest($1::int4[]) AS orders (qty) ORDER BY orders.qty FETCH FIRST 3 ROWS WITH TIES
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them
