-- A table behind an outer join off the key comes in groups, with what the aggregates need of each.
SELECT d.title, count(o.order_id) AS orders, sum(o.qty) AS pieces, sum(o.total), avg(o.total), max(o.day) FROM docs d LEFT JOIN orders o ON o.status = d.title AND o.qty > 1 GROUP BY d.title;
--   read, keys
--   scan: reads docs as d: any key
--   scan: reads orders as o: any key
--   bring b6: SELECT o.status AS c1, count(o.order_id) AS c2, sum(o.qty) AS c3, sum(o.total) AS c4, count(o.total) AS c5, max(o.day) AS c6 FROM orders AS o WHERE o.qty > 1 GROUP BY o.status
--   bring docs as d (title)
--   then SELECT d.title, coalesce(sum(o.b1), 0)::int8 AS orders, sum(o.b2)::int8 AS pieces, sum(o.b3) AS sum, sum(o.b3) / nullif(sum(o.b4), 0) AS avg, max(o.b5) AS max FROM unnest($7::text[]) AS d (title) LEFT JOIN (SELECT b6.c1 AS status, coalesce(sum(b6.c2), 0)::int8 AS b1, sum(b6.c3)::int8 AS b2, sum(b6.c4) AS b3, coalesce(sum(b6.c5), 0)::int8 AS b4, max(b6.c6) AS b5 FROM unnest($1::text[], $2::int8[], $3::int8[], $4::"numeric"[], $5::int8[], $6::date[]) AS b6 (c1, c2, c3, c4, c5, c6) GROUP BY b6.c1) AS o ON o.status = d.title GROUP BY d.title
--   because: plan.bringing: the rows of orders, docs are brought to one server, which runs the query over them

-- A row without a partner counts once; RIGHT is LEFT the other way round.
SELECT d.title, count(*) FROM orders o RIGHT JOIN docs d ON o.status = d.title GROUP BY d.title ORDER BY count(*) DESC, d.title LIMIT 3;
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads docs as d: any key
--   bring b2: SELECT o.status AS c1, count(*) AS c2 FROM orders AS o GROUP BY o.status
--   bring docs as d (title)
--   then SELECT d.title, coalesce(sum(coalesce(o.b1, 1)), 0)::int8 AS count FROM (SELECT b2.c1 AS status, coalesce(sum(b2.c2), 0)::int8 AS b1 FROM unnest($1::text[], $2::int8[]) AS b2 (c1, c2) GROUP BY b2.c1) AS o RIGHT JOIN unnest($3::text[]) AS d (title) ON o.status = d.title GROUP BY d.title ORDER BY 2 DESC, d.title LIMIT 3
--   because: plan.bringing: the rows of orders, docs are brought to one server, which runs the query over them

-- What the block mentions besides is grouped by; what does not mind duplicates stays.
SELECT o.day, bool_or(o.qty = 1), min(d.slug), count(DISTINCT d.slug), count(DISTINCT o.day), count(*) FROM docs d LEFT JOIN orders o ON o.status = d.title WHERE o.day IS NULL OR o.day > d.slug::date GROUP BY o.day HAVING count(o.qty) > 1;
--   read, keys
--   scan: reads docs as d: any key
--   scan: reads orders as o: any key
--   bring b4: SELECT o.day AS c1, o.status AS c2, bool_or(o.qty = 1) AS c3, count(*) AS c4, count(o.qty) AS c5 FROM orders AS o GROUP BY o.day, o.status
--   bring docs as d (slug, title)
--   then SELECT o.day, bool_or(o.b1) AS bool_or, min(d.slug), count(DISTINCT d.slug), count(DISTINCT o.day), coalesce(sum(coalesce(o.b2, 1)), 0)::int8 AS count FROM unnest($6::text[], $7::text[]) AS d (slug, title) LEFT JOIN (SELECT b4.c1 AS day, b4.c2 AS status, bool_or(b4.c3) AS b1, coalesce(sum(b4.c4), 0)::int8 AS b2, coalesce(sum(b4.c5), 0)::int8 AS b3 FROM unnest($1::date[], $2::text[], $3::bool[], $4::int8[], $5::int8[]) AS b4 (c1, c2, c3, c4, c5) GROUP BY b4.c1, b4.c2) AS o ON o.status = d.title WHERE o.day IS NULL OR o.day > d.slug::date GROUP BY o.day HAVING coalesce(sum(o.b3), 0)::int8 > 1
--   because: plan.bringing: the rows of orders, docs are brought to one server, which runs the query over them

-- Conditions that are never true of NULLs, nor fail.
SELECT count(*) FILTER (WHERE o.day = '2024-01-01'), sum(o.total * (1 - o.total)) FILTER (WHERE o.qty > %s AND o.day IS NOT NULL) FROM docs d LEFT JOIN orders o ON o.status = d.title;
--   read, keys
--   scan: reads docs as d: any key
--   scan: reads orders as o: any key
--   bring b3: SELECT o.status AS c1, count(*) FILTER (WHERE o.day = '2024-01-01') AS c2, sum(o.total * (1 - o.total)) FILTER (WHERE o.qty > $1 AND o.day IS NOT NULL) AS c3 FROM orders AS o GROUP BY o.status
--   bring docs as d (title)
--   then SELECT coalesce(sum(o.b1), 0)::int8 AS count, sum(o.b2) AS sum FROM unnest($4::text[]) AS d (title) LEFT JOIN (SELECT b3.c1 AS status, coalesce(sum(b3.c2), 0)::int8 AS b1, sum(b3.c3) AS b2 FROM unnest($1::text[], $2::int8[], $3::"numeric"[]) AS b3 (c1, c2, c3) GROUP BY b3.c1) AS o ON o.status = d.title
--   because: plan.bringing: the rows of orders, docs are brought to one server, which runs the query over them

-- Copied tables outside, and below other joins.
SELECT c.code, d.slug, count(o.order_id) FROM countries c JOIN (docs d LEFT JOIN orders o ON o.status = d.title) ON c.name = d.title GROUP BY 1, 2;
--   read, keys
--   scan: reads docs as d: any key
--   scan: reads orders as o: any key
--   bring b2: SELECT o.status AS c1, count(o.order_id) AS c2 FROM orders AS o GROUP BY o.status
--   bring docs as d (slug, title)
--   then SELECT c.code, d.slug, coalesce(sum(o.b1), 0)::int8 AS count FROM countries AS c JOIN (unnest($3::text[], $4::text[]) AS d (slug, title) LEFT JOIN (SELECT b2.c1 AS status, coalesce(sum(b2.c2), 0)::int8 AS b1 FROM unnest($1::text[], $2::int8[]) AS b2 (c1, c2) GROUP BY b2.c1) AS o ON o.status = d.title) ON c.name = d.title GROUP BY c.code, d.slug
--   because: plan.placing: countries is copied to every shard
--   because: plan.bringing: the rows of orders, docs are brought to one server, which runs the query over them

SELECT c.code, count(o.order_id) FROM countries c LEFT JOIN orders o ON o.status = c.code GROUP BY c.code;
--   read, keys
--   scan: reads orders as o: any key
--   bring b2: SELECT o.status AS c1, count(o.order_id) AS c2 FROM orders AS o GROUP BY o.status
--   then SELECT c.code, coalesce(sum(o.b1), 0)::int8 AS count FROM countries AS c LEFT JOIN (SELECT b2.c1 AS status, coalesce(sum(b2.c2), 0)::int8 AS b1 FROM unnest($1::text[], $2::int8[]) AS b2 (c1, c2) GROUP BY b2.c1) AS o ON o.status = c.code GROUP BY c.code
--   because: plan.placing: countries is copied to every shard
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

-- On the key it is the shards' own work.
SELECT c.customer_id, count(o.order_id), (SELECT max(n) FROM flags) FROM customers c LEFT JOIN orders o ON o.customer_id = c.customer_id GROUP BY c.customer_id;
--   read, keys
--   scan: reads customers as c: any key
--   scan: reads orders as o: any key
--   scan: reads flags as flags: any key
--   bring b1: SELECT c.customer_id AS c1, count(o.order_id) AS c2 FROM customers AS c LEFT JOIN orders AS o ON o.customer_id = c.customer_id GROUP BY c.customer_id
--   bring b2: SELECT max(flags.n) AS c1 FROM flags
--   then SELECT b1.c1 AS customer_id, coalesce(sum(b1.c2), 0)::int8 AS count, (SELECT max(b2.c1) AS max FROM unnest($3::int4[]) AS b2 (c1)) FROM unnest($1::int8[], $2::int8[]) AS b1 (c1, c2) GROUP BY b1.c1
--   because: plan.bringing: the rows of customers, orders, flags are brought to one server, which runs the query over them

-- What has to see all rows: aggregates of the other side, of both, of what is not NULL without a partner, or can fail.
SELECT sum(d.slug::int4), count(o.order_id) FROM docs d LEFT JOIN orders o ON o.status = d.title;
--   read, keys
--   scan: reads docs as d: any key
--   scan: reads orders as o: any key
--   bring docs as d (slug, title)
--   bring orders as o (order_id, status)
--   then SELECT sum(d.slug::int4), count(o.order_id) FROM unnest($1::text[], $2::text[]) AS d (slug, title) LEFT JOIN unnest($3::int8[], $4::text[]) AS o (order_id, status) ON o.status = d.title
--   because: plan.bringing: the rows of docs, orders are brought to one server, which runs the query over them

SELECT count(coalesce(o.qty, 1)) FROM docs d LEFT JOIN orders o ON o.status = d.title;
--   read, keys
--   scan: reads docs as d: any key
--   scan: reads orders as o: any key
--   bring docs as d (title)
--   bring orders as o (qty, status)
--   then SELECT count(coalesce(o.qty, 1)) FROM unnest($1::text[]) AS d (title) LEFT JOIN unnest($2::int4[], $3::text[]) AS o (qty, status) ON o.status = d.title
--   because: plan.bringing: the rows of docs, orders are brought to one server, which runs the query over them

SELECT sum(o.total / o.qty) FROM docs d LEFT JOIN orders o ON o.status = d.title;
--   read, keys
--   scan: reads docs as d: any key
--   scan: reads orders as o: any key
--   bring docs as d (title)
--   bring orders as o (total, qty, status)
--   then SELECT sum(o.total / o.qty) FROM unnest($1::text[]) AS d (title) LEFT JOIN unnest($2::"numeric"[], $3::int4[], $4::text[]) AS o (total, qty, status) ON o.status = d.title
--   because: plan.bringing: the rows of docs, orders are brought to one server, which runs the query over them

SELECT count(*) FILTER (WHERE o.day IS NULL) FROM docs d LEFT JOIN orders o ON o.status = d.title;
--   read, keys
--   scan: reads docs as d: any key
--   scan: reads orders as o: any key
--   bring docs as d (title)
--   bring orders as o (status, day)
--   then SELECT count(*) FILTER (WHERE o.day IS NULL) FROM unnest($1::text[]) AS d (title) LEFT JOIN unnest($2::text[], $3::date[]) AS o (status, day) ON o.status = d.title
--   because: plan.bringing: the rows of docs, orders are brought to one server, which runs the query over them

SELECT count(o.qty) FILTER (WHERE 1 / o.qty > 0) FROM docs d LEFT JOIN orders o ON o.status = d.title;
--   read, keys
--   scan: reads docs as d: any key
--   scan: reads orders as o: any key
--   bring docs as d (title)
--   bring orders as o (qty, status)
--   then SELECT count(o.qty) FILTER (WHERE 1 / o.qty > 0) FROM unnest($1::text[]) AS d (title) LEFT JOIN unnest($2::int4[], $3::text[]) AS o (qty, status) ON o.status = d.title
--   because: plan.bringing: the rows of docs, orders are brought to one server, which runs the query over them

SELECT string_agg(o.status, ',') FROM docs d LEFT JOIN orders o ON o.status = d.title;
--   read, keys
--   scan: reads docs as d: any key
--   scan: reads orders as o: any key
--   bring docs as d (title)
--   bring orders as o (status)
--   then SELECT string_agg(o.status, ',') FROM unnest($1::text[]) AS d (title) LEFT JOIN unnest($2::text[]) AS o (status) ON o.status = d.title
--   because: plan.bringing: the rows of docs, orders are brought to one server, which runs the query over them

-- Values that are equal and not the same; a key's, of which each is another; no value at all; two tables.
SELECT o.total, count(*) FROM docs d LEFT JOIN orders o ON o.status = d.title GROUP BY o.total;
--   read, keys
--   scan: reads docs as d: any key
--   scan: reads orders as o: any key
--   bring docs as d (title)
--   bring orders as o (total, status)
--   then SELECT o.total, count(*) FROM unnest($1::text[]) AS d (title) LEFT JOIN unnest($2::"numeric"[], $3::text[]) AS o (total, status) ON o.status = d.title GROUP BY o.total
--   because: plan.bringing: the rows of docs, orders are brought to one server, which runs the query over them

SELECT c.customer_id, count(*) FROM docs d LEFT JOIN customers c ON c.name = d.title GROUP BY c.customer_id;
--   read, keys
--   scan: reads docs as d: any key
--   scan: reads customers as c: any key
--   bring customers as c (customer_id, name)
--   bring docs as d (title)
--   then SELECT c.customer_id, count(*) FROM unnest($3::text[]) AS d (title) LEFT JOIN unnest($1::int8[], $2::text[]) AS c (customer_id, name) ON c.name = d.title GROUP BY c.customer_id
--   because: plan.bringing: the rows of customers, docs are brought to one server, which runs the query over them

SELECT count(o.qty) FROM docs d LEFT JOIN orders o ON true;
--   read, keys
--   scan: reads docs as d: any key
--   scan: reads orders as o: any key
--   bring docs as d (slug)
--   bring orders as o (qty)
--   then SELECT count(o.qty) FROM unnest($1::text[]) AS d (slug) LEFT JOIN unnest($2::int4[]) AS o (qty) ON true
--   because: plan.bringing: the rows of docs, orders are brought to one server, which runs the query over them

SELECT d.slug, count(o.qty), count(f.flag) FROM docs d LEFT JOIN orders o ON o.status = d.title LEFT JOIN flags f ON f.n = o.qty GROUP BY d.slug;
--   read, keys
--   scan: reads docs as d: any key
--   scan: reads orders as o: any key
--   scan: reads flags as f: any key
--   bring docs as d (slug, title)
--   bring flags as f (flag, n)
--   bring orders as o (qty, status)
--   then SELECT d.slug, count(o.qty), count(f.flag) FROM unnest($1::text[], $2::text[]) AS d (slug, title) LEFT JOIN unnest($5::int4[], $6::text[]) AS o (qty, status) ON o.status = d.title LEFT JOIN unnest($3::bool[], $4::int4[]) AS f (flag, n) ON f.n = o.qty GROUP BY d.slug
--   because: plan.bringing: the rows of docs, flags, orders are brought to one server, which runs the query over them

-- Subqueries that reach in, and names that stand for two columns.
SELECT d.slug, count(o.qty) FROM docs d LEFT JOIN orders o ON o.status = d.title WHERE EXISTS (SELECT 1 FROM flags f WHERE f.n = o.qty) GROUP BY d.slug;
--   read, keys
--   scan: reads docs as d: any key
--   scan: reads orders as o: any key
--   scan: reads flags as f: any key
--   bring b1: SELECT DISTINCT f.n AS c1 FROM flags AS f
--   bring docs as d (slug, title)
--   bring orders as o (qty, status)
--   then SELECT d.slug, count(o.qty) FROM unnest($2::text[], $3::text[]) AS d (slug, title) LEFT JOIN unnest($4::int4[], $5::text[]) AS o (qty, status) ON o.status = d.title WHERE EXISTS (SELECT 1 FROM unnest($1::int4[]) AS b1 (c1) WHERE b1.c1 = o.qty) GROUP BY d.slug
--   because: plan.bringing: the rows of flags, docs, orders are brought to one server, which runs the query over them

SELECT customer_id, count(*) FROM numbered n LEFT JOIN orders o USING (customer_id) LEFT JOIN docs d ON d.title = o.status GROUP BY customer_id;
--   read, keys
--   scan: reads numbered as n: any key
--   scan: reads orders as o: any key
--   scan: reads docs as d: any key
--   bring docs as d (title)
--   bring numbered as n (customer_id)
--   bring orders as o (customer_id, status)
--   then SELECT n.customer_id, count(*) FROM unnest($2::int8[]) AS n (customer_id) LEFT JOIN unnest($3::int8[], $4::text[]) AS o (customer_id, status) USING (customer_id) LEFT JOIN unnest($1::text[]) AS d (title) ON d.title = o.status GROUP BY n.customer_id
--   because: plan.bringing: the rows of docs, numbered, orders are brought to one server, which runs the query over them

-- EXISTS and IN ask for a value once, unless each row has its own, or equal ones are not the same.
SELECT c.name FROM countries c WHERE c.code IN (SELECT o.status FROM orders o WHERE o.qty > 1) AND NOT EXISTS (SELECT 1 FROM docs d JOIN tags t ON t.slug = d.slug WHERE d.title = c.name);
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads docs as d: any key
--   scan: reads tags as t: any key
--   bring b1: SELECT DISTINCT o.status AS c1 FROM orders AS o WHERE o.qty > 1
--   bring b2: SELECT DISTINCT d.title AS c1 FROM docs AS d CROSS JOIN tags AS t WHERE t.slug = d.slug
--   then SELECT c.name FROM countries AS c WHERE c.code = ANY (SELECT b1.c1 AS status FROM unnest($1::text[]) AS b1 (c1)) AND NOT EXISTS (SELECT 1 FROM unnest($2::text[]) AS b2 (c1) WHERE b2.c1 = c.name)
--   because: plan.placing: countries is copied to every shard
--   because: plan.bringing: the rows of orders, docs, tags are brought to one server, which runs the query over them

SELECT c.name FROM countries c WHERE EXISTS (SELECT 1 FROM docs d WHERE d.slug > 'x');
--   read, keys
--   scan: reads docs as d: any key
--   bring b1: SELECT DISTINCT 1 AS c1 FROM docs AS d WHERE d.slug > 'x'
--   then SELECT c.name FROM countries AS c WHERE EXISTS (SELECT 1 FROM unnest($1::int4[]) AS b1 (c1))
--   because: plan.placing: countries is copied to every shard
--   because: plan.bringing: the rows of docs are brought to one server, which runs the query over them

SELECT c.name FROM countries c WHERE EXISTS (SELECT 1 FROM customers u WHERE u.customer_id = length(c.name)) OR length(c.name) IN (SELECT o.total FROM orders o);
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads customers as u: any key
--   bring b1: SELECT u.customer_id AS c1 FROM customers AS u
--   bring b2: SELECT o.total AS c1 FROM orders AS o
--   then SELECT c.name FROM countries AS c WHERE EXISTS (SELECT 1 FROM unnest($1::int8[]) AS b1 (c1) WHERE b1.c1 = length(c.name)) OR length(c.name) = ANY (SELECT b2.c1 AS total FROM unnest($2::"numeric"[]) AS b2 (c1))
--   because: plan.placing: countries is copied to every shard
--   because: plan.bringing: the rows of customers, orders are brought to one server, which runs the query over them

SELECT c.name FROM countries c WHERE length(c.code) = (SELECT max(o.qty) FROM orders o WHERE o.status = c.code) OR 1 IN (SELECT count(*) FROM orders o WHERE o.status = c.code);
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads orders as o: any key
--   bring b1: SELECT o.qty AS c1, o.status AS c2 FROM orders AS o
--   bring b2: SELECT o.status AS c1 FROM orders AS o
--   then SELECT c.name FROM countries AS c WHERE length(c.code) = (SELECT max(b1.c1) AS max FROM unnest($1::int4[], $2::text[]) AS b1 (c1, c2) WHERE b1.c2 = c.code) OR 1 = ANY (SELECT count(*) FROM unnest($3::text[]) AS b2 (c1) WHERE b2.c1 = c.code)
--   because: plan.placing: countries is copied to every shard
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them
