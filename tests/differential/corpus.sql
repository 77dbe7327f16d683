-- Fixed statements, replayed in every run of the tests.  What once went wrong, or easily could, stays here.
-- See corpus.py for the form.

-- keys: literals and what looks like one
SELECT rid, total FROM orders WHERE customer_id = 7;
SELECT rid FROM orders WHERE 7 = customer_id;
SELECT rid FROM orders WHERE customer_id = '7';
SELECT rid FROM orders WHERE customer_id = 7.0;
SELECT rid FROM orders WHERE customer_id = 7.5;
SELECT rid FROM orders WHERE customer_id = 7::numeric;
SELECT rid FROM orders WHERE customer_id = 7::float8;
SELECT rid FROM orders WHERE customer_id = 7e0;
SELECT rid FROM orders WHERE customer_id = 3 + 4;
SELECT rid FROM orders WHERE customer_id + 0 = 7;
SELECT rid FROM orders WHERE customer_id::text = '7';
SELECT rid FROM orders WHERE customer_id = 9223372036854775808;
SELECT rid FROM items WHERE customer_id = 99999999999;
SELECT rid FROM orders WHERE customer_id = -(-7);
SELECT rid FROM orders WHERE customer_id IN (1, 7, 7, NULL, 31);
SELECT rid FROM orders WHERE customer_id NOT IN (1, 7);
SELECT rid FROM orders WHERE customer_id NOT IN (1, NULL);
SELECT rid FROM orders WHERE customer_id = ANY ('{1,7,NULL}');
SELECT rid FROM orders WHERE customer_id = ANY (ARRAY[1, 7]);
SELECT rid FROM orders WHERE customer_id <> ALL (ARRAY[1, 7]);
SELECT rid FROM orders WHERE (customer_id, rid) = (7, 20);
SELECT rid FROM orders WHERE (customer_id, rid) IN ((7, 20), (8, 21), (NULL, 22));
SELECT rid FROM orders WHERE customer_id = 7 OR customer_id = 8;
SELECT rid FROM orders WHERE customer_id = 7 OR qty = 8;
SELECT rid FROM orders WHERE customer_id = 7 AND customer_id = 8;
SELECT rid FROM orders WHERE customer_id = 7 AND customer_id IN (7, 8);
SELECT count(*), sum(total), max(status) FROM orders WHERE customer_id = 7 AND customer_id = 8;
SELECT rid FROM orders WHERE customer_id IS NULL;
SELECT rid FROM orders WHERE customer_id IS NULL OR customer_id = 7;
SELECT rid FROM orders WHERE customer_id = NULL;
SELECT rid FROM orders WHERE customer_id IS NOT DISTINCT FROM 7;
SELECT rid FROM orders WHERE customer_id IS NOT DISTINCT FROM NULL;
SELECT rid FROM orders WHERE customer_id IS DISTINCT FROM 7;
SELECT rid FROM orders WHERE customer_id BETWEEN 7 AND 7;
SELECT rid FROM orders WHERE customer_id = (SELECT 7);
SELECT rid FROM orders WHERE customer_id = 7 /* = 8 */ -- OR true
;
SELECT rid AS "customer_id = 7" FROM orders WHERE status = 'customer_id = 7' OR "customer_id" = 7;
SELECT rid FROM docs WHERE slug = 'doc-1';
SELECT rid FROM docs WHERE slug = 'doc-1 ';
SELECT rid FROM docs WHERE slug = 'doc-1 '::char(8);
SELECT rid FROM docs WHERE slug = 'doc-1x'::varchar(5);
SELECT rid FROM docs WHERE slug = E'doc-\x31';
SELECT rid FROM docs WHERE slug = $$doc-1$$ OR slug = $q$Ä$q$;
SELECT rid FROM docs WHERE slug = U&'doc-\0031';
SELECT rid FROM docs WHERE slug LIKE 'doc-1';
SELECT rid FROM docs WHERE lower(slug) = 'doc-1';
SELECT rid FROM docs WHERE slug = '';
SELECT rid FROM tags WHERE slug::char(5) = 'doc-1';
SELECT rid FROM events WHERE device = 1 AND sort = 'temp';
SELECT rid FROM events WHERE (device, sort) = (1, 'temp');
SELECT rid FROM events WHERE (sort, device) = ('temp', 1);
SELECT rid FROM events WHERE (device, sort) IN ((1, 'temp'), (-7, ''), (1099511627776, 'Door'));
SELECT rid FROM events WHERE device = 1;
SELECT rid FROM events WHERE device IN (1, 2) AND sort IN ('temp', 'door');
SELECT rid FROM events WHERE device = 1 AND sort IS NULL;
SELECT rid FROM events WHERE device IS NULL AND sort IS NULL;
SELECT rid FROM events WHERE (device = 1 AND sort = 'temp') OR (device = 2 AND sort = 'door');
SELECT rid FROM sittings WHERE token = '00000000-1234-5678-90ab-cdef12345670';
SELECT rid FROM days WHERE day = '2024-01-01';
SELECT rid FROM days WHERE day = '2024-01-01 10:00'::timestamp;
SELECT rid FROM days WHERE day = date '2024-01-10' + 0;

-- traps: a key comparison that must not narrow
SELECT rid, CASE WHEN customer_id = 7 THEN 'seven' ELSE 'other' END FROM orders;
SELECT count(*) FILTER (WHERE customer_id = 7), count(*) FROM orders;
SELECT sum(qty) FILTER (WHERE customer_id = 7) FROM orders;
SELECT (SELECT count(*) FROM orders WHERE customer_id = 7), rid FROM customers;
SELECT count(*) FROM customers c LEFT JOIN orders o ON o.customer_id = c.customer_id AND o.customer_id = 7;
SELECT c.rid, o.rid FROM customers c LEFT JOIN orders o ON o.customer_id = c.customer_id AND c.customer_id = 7;
SELECT c.rid, o.rid FROM customers c RIGHT JOIN orders o ON o.customer_id = c.customer_id AND o.customer_id = 7;
SELECT c.rid, o.rid FROM customers c FULL JOIN orders o ON o.customer_id = c.customer_id AND c.customer_id = 7;
SELECT c.rid, o.rid FROM customers c JOIN orders o ON o.customer_id = c.customer_id AND c.customer_id = 7;
SELECT c.rid, o.rid FROM customers c LEFT JOIN orders o ON o.customer_id = c.customer_id WHERE c.customer_id = 7;
SELECT c.rid, o.rid FROM customers c LEFT JOIN orders o ON o.customer_id = c.customer_id WHERE o.customer_id = 7;
SELECT c.rid FROM customers c LEFT JOIN orders o ON o.customer_id = c.customer_id WHERE o.customer_id IS NULL;
SELECT rid FROM orders WHERE customer_id = 7 UNION ALL SELECT rid FROM orders WHERE qty > 30;
SELECT rid FROM orders WHERE customer_id = 7 UNION SELECT rid FROM items WHERE customer_id = 8;
SELECT rid FROM orders EXCEPT SELECT rid FROM orders WHERE customer_id = 7;
SELECT rid FROM orders WHERE customer_id = 7 INTERSECT SELECT rid FROM items;
SELECT rid FROM orders WHERE NOT customer_id = 7;
SELECT rid FROM orders WHERE NOT (customer_id <> 7);
SELECT rid FROM orders WHERE NOT (customer_id <> 7 OR qty > 100);
SELECT rid FROM orders WHERE (customer_id = 7) IS NOT TRUE;
SELECT rid FROM orders WHERE (customer_id = 7) IS NOT FALSE;
SELECT rid FROM orders WHERE coalesce(customer_id = 7, true);
SELECT rid FROM orders WHERE (customer_id = 7) = false;
SELECT rid FROM orders WHERE CASE WHEN customer_id = 7 THEN true ELSE qty > 20 END;
SELECT status FROM orders GROUP BY status HAVING bool_or(customer_id = 7);
SELECT customer_id, count(*) FROM orders GROUP BY customer_id HAVING customer_id = 7;
SELECT rid FROM orders o WHERE EXISTS (SELECT 1 FROM items i WHERE i.customer_id = 7);
SELECT rid FROM orders o WHERE EXISTS (SELECT 1 FROM items i WHERE i.customer_id = o.customer_id AND i.customer_id = 7);
SELECT rid FROM orders o WHERE customer_id IN (SELECT customer_id FROM items WHERE amount > 20);
SELECT rid FROM orders o WHERE customer_id NOT IN (SELECT customer_id FROM items WHERE customer_id IS NOT NULL);
SELECT rid FROM orders o WHERE customer_id NOT IN (SELECT customer_id FROM items);
WITH x AS (SELECT * FROM orders WHERE customer_id = 7) SELECT x.rid, c.rid FROM x JOIN customers c USING (customer_id);
WITH x AS (SELECT rid FROM orders WHERE customer_id = 7) SELECT count(*) FROM x, countries;
SELECT d.rid FROM (SELECT rid, customer_id AS k FROM orders) d WHERE d.k = 7;
SELECT d.k FROM (SELECT rid AS k, customer_id FROM orders) d WHERE d.k = 7;

-- joins with copied tables: what the copied side preserves is there once, not once a shard
SELECT l.code, s.rid FROM countries l LEFT JOIN customers s ON s.country = l.code;
SELECT l.code, s.rid FROM customers s RIGHT JOIN countries l ON s.country = l.code;
SELECT l.code, s.rid FROM customers s FULL JOIN countries l ON s.country = l.code;
SELECT l.code, s.rid FROM customers s LEFT JOIN countries l ON s.country = l.code;
SELECT l.code, s.rid FROM customers s JOIN countries l ON s.country = l.code;
SELECT l.code, count(s.rid) FROM countries l LEFT JOIN customers s ON s.country = l.code GROUP BY l.code;
SELECT l.code FROM countries l WHERE NOT EXISTS (SELECT 1 FROM customers s WHERE s.country = l.code);
SELECT l.code FROM countries l WHERE EXISTS (SELECT 1 FROM customers s WHERE s.country = l.code);
SELECT l.code, (SELECT count(*) FROM customers s WHERE s.country = l.code) FROM countries l;
SELECT count(*) FROM countries;
SELECT count(*) FROM countries, products;
SELECT code FROM countries UNION ALL SELECT country FROM customers;
SELECT code FROM countries UNION SELECT country FROM customers;
SELECT country FROM customers EXCEPT SELECT code FROM countries;
SELECT code FROM countries EXCEPT SELECT country FROM customers;
SELECT 1 UNION ALL SELECT rid FROM customers;
SELECT customer_id, c.rid, o.rid FROM customers c FULL JOIN orders o USING (customer_id);
SELECT * FROM customers c JOIN orders o USING (customer_id) WHERE customer_id = 7;
SELECT customer_id FROM customers NATURAL JOIN (SELECT customer_id FROM items) i;
SELECT a.rid, b.rid, c.rid FROM customers a JOIN orders b ON a.customer_id = b.customer_id JOIN items c ON c.customer_id = b.customer_id WHERE c.customer_id IN (3, 9);

-- aggregates, types and scales
SELECT count(*), count(qty), count(DISTINCT qty), sum(qty), avg(qty), min(qty), max(qty) FROM orders;
SELECT sum(total), avg(total), min(total), max(total), sum(DISTINCT total) FROM orders;
SELECT sum(big), avg(big), min(big), max(big) FROM orders;
SELECT sum(ratio), avg(ratio), min(ratio), max(ratio) FROM orders;
SELECT sum(amount), avg(amount), sum(weight), avg(weight), min(weight) FROM items;
SELECT avg(qty), avg(total), avg(amount) FROM orders o JOIN items i ON i.customer_id = o.customer_id WHERE o.rid < 0;
SELECT sum(qty) / count(*), sum(qty)::numeric / count(*), avg(qty) * 2, max(total) - min(total) FROM orders;
SELECT avg(CASE WHEN qty > 0 THEN 1 ELSE 0 END), avg(CASE WHEN qty > 0 THEN 1.50 END) FROM orders;
SELECT status, avg(total) FROM orders GROUP BY status;
SELECT status, avg(total), sum(qty) FROM orders WHERE qty < 0 GROUP BY status HAVING count(*) > 2;
SELECT lower(status), count(*) FROM orders GROUP BY lower(status);
SELECT lower(status) AS status, count(*) FROM orders GROUP BY status;
SELECT qty % 3 AS q, count(*) FROM orders GROUP BY q;
SELECT qty % 3, count(*) FROM orders GROUP BY 1 HAVING sum(qty) > 10;
SELECT count(*) FROM orders GROUP BY status;
SELECT 'x', count(*) FROM orders GROUP BY 1;
SELECT max(status), min(status), max(placed), min(placed) FROM orders;
SELECT min(tier), max(tier), min(seen), max(born) FROM customers;
SELECT bool_and(paid), bool_or(paid), every(paid) FROM orders;
SELECT bool_and(paid), sum(qty), max(status), count(*) FROM orders WHERE false;
SELECT tier, count(*) FROM customers GROUP BY tier;
SELECT country, count(DISTINCT customer_id), count(DISTINCT status) FROM orders GROUP BY country;
SELECT customer_id, count(DISTINCT status), string_agg(status, ',' ORDER BY rid) FROM orders GROUP BY customer_id;
SELECT count(*) FROM orders HAVING count(*) > 10000;
SELECT sum(n) FROM (SELECT count(*) AS n FROM orders GROUP BY customer_id) d;
SELECT sum(1), count(1), max(1), min('a'::text), avg(2) FROM orders;
SELECT date_trunc('month', placed), sum(total) FROM orders GROUP BY 1;
SELECT seen::date, count(*) FROM customers GROUP BY 1;
SELECT ratio, count(*) FROM orders GROUP BY ratio;
SELECT count(DISTINCT ratio), count(DISTINCT weight) FROM orders o, items i WHERE i.customer_id = o.customer_id;

-- order, limit, distinct
-- order: total
SELECT rid FROM orders ORDER BY rid;
-- order: total
SELECT rid, status FROM orders ORDER BY status NULLS FIRST, rid DESC;
-- order: total
SELECT rid FROM orders ORDER BY status DESC, rid;
-- order: total
SELECT rid FROM orders ORDER BY lower(status) DESC NULLS LAST, -rid LIMIT 20 OFFSET 5;
-- order: total
SELECT status FROM orders ORDER BY qty, rid LIMIT 9;
-- order: total
SELECT rid FROM orders ORDER BY total NULLS FIRST, rid LIMIT 3;
-- order: total
SELECT rid AS x FROM orders ORDER BY x DESC LIMIT 3;
-- order: total
SELECT rid AS qty FROM orders ORDER BY qty LIMIT 3;
-- order: total
SELECT name, rid FROM customers ORDER BY name, rid;
-- order: total
SELECT name, rid FROM customers ORDER BY name COLLATE "C" DESC, rid;
-- order: total
SELECT tier, city, rid FROM customers ORDER BY 1, 2 DESC, 3;
-- order: total
SELECT score, rid FROM customers ORDER BY score DESC, rid;
-- order: total
SELECT seen, active, rid FROM customers ORDER BY active, seen DESC NULLS LAST, rid;
-- order: total
SELECT token, rid FROM sittings ORDER BY token, rid;
-- order: keys 0
SELECT status, qty FROM orders ORDER BY status;
-- order: keys 1
SELECT status, qty FROM orders ORDER BY 2 DESC NULLS LAST;
-- order: total
SELECT DISTINCT status FROM orders ORDER BY status;
-- order: total
SELECT DISTINCT status, country FROM orders ORDER BY 2 DESC, 1 NULLS FIRST LIMIT 5;
SELECT DISTINCT paid, country FROM orders;
SELECT DISTINCT tier FROM customers;
SELECT DISTINCT ratio FROM orders;
-- order: total
SELECT DISTINCT ON (status) status, rid FROM orders ORDER BY status, rid DESC;
-- order: total
SELECT DISTINCT ON (customer_id) customer_id, rid, total FROM orders ORDER BY customer_id DESC NULLS LAST, total, rid LIMIT 7;
-- order: total
SELECT status, count(*) FROM orders GROUP BY status ORDER BY status;
-- order: total
SELECT status FROM orders GROUP BY status ORDER BY count(*) DESC, status LIMIT 2;
-- order: total
SELECT customer_id, sum(total) AS s FROM orders GROUP BY customer_id ORDER BY s DESC NULLS LAST, customer_id LIMIT 5;
-- order: total
SELECT rid FROM orders UNION ALL SELECT rid + 1000 FROM items ORDER BY 1 DESC LIMIT 5 OFFSET 2;
-- order: total
SELECT status FROM orders UNION SELECT note FROM items ORDER BY 1 NULLS FIRST;
SELECT rid FROM orders ORDER BY rid LIMIT 0;
-- order: total
SELECT rid FROM orders ORDER BY rid LIMIT ALL OFFSET 150;
-- order: total
SELECT rid FROM orders ORDER BY rid LIMIT NULL;
SELECT rid FROM orders OFFSET 1000;
SELECT count(*) FROM orders LIMIT 1;
SELECT count(*) FROM orders OFFSET 1;

-- windows
SELECT rid, row_number() OVER (PARTITION BY customer_id ORDER BY rid) FROM orders;
SELECT rid, sum(qty) OVER (PARTITION BY customer_id) FROM orders;
SELECT device, sort, rid, rank() OVER (PARTITION BY device, sort ORDER BY rid) FROM events;
SELECT rid, lag(qty) OVER w FROM orders WHERE customer_id = 5 WINDOW w AS (ORDER BY rid);
SELECT rid, count(*) OVER () FROM orders;
SELECT customer_id, sum(sum(qty)) OVER (PARTITION BY customer_id) FROM orders GROUP BY customer_id;

-- without tables, sets, names
SELECT 1;
SELECT 1 AS a, 'b' AS b, NULL AS c, 1.50 AS d, true AS e;
SELECT NULL;
VALUES (1, 'a'), (2, NULL);
TABLE countries;
SELECT generate_series(1, 3);
SELECT * FROM generate_series(1, 3) AS g(n);
SELECT o.rid, g.n FROM orders o CROSS JOIN generate_series(1, 2) AS g(n);
SELECT g.n, o.rid FROM generate_series(1, 20) AS g(n) LEFT JOIN orders o ON o.rid = g.n;
SELECT g.n, o.rid FROM generate_series(1, 20) AS g(n) LEFT JOIN orders o ON o.customer_id = g.n;
SELECT rid, unnest(ARRAY[qty, rid]) FROM orders;
SELECT count(*), max(rid), orders.status FROM orders GROUP BY orders.status;
SELECT max(rid), coalesce(max(qty), 0), CASE WHEN true THEN 1 END, rid::text, now() IS NULL, (SELECT 1) FROM orders GROUP BY rid;
SELECT o FROM orders o WHERE customer_id = 4;
SELECT (o).rid FROM orders o WHERE o.customer_id = 4;
SELECT o.*, 1 AS rid FROM orders o WHERE customer_id = 4;
SELECT "o"."RID" FROM (SELECT rid AS "RID" FROM orders) "o";
SELECT a.rid FROM public.orders a WHERE a.customer_id = 4;
SELECT orders.rid FROM public.orders WHERE orders.customer_id = 4;
SELECT value FROM settings WHERE number > 10;
SELECT s.value, c.code FROM settings s, countries c;
SELECT count(*) FROM settings;

-- mistakes: the same kind of error on both sides
SELECT 1 FROM nowhere;
SELECT nothing FROM orders;
SELECT rid FROM orders WHERE customer_id = 'seven';
SELECT status, qty FROM orders GROUP BY status;
SELECT rid / 0 FROM orders;
SELECT sum(status) FROM orders;
SELEC 1;

-- USING over columns of two types
SELECT slug, d.rid, t.rid FROM docs d JOIN tags t USING (slug) WHERE slug = 'doc-1';
SELECT slug, count(*) FROM docs d JOIN tags t USING (slug) GROUP BY slug ORDER BY slug;
SELECT slug, d.rid, t.rid FROM docs d FULL JOIN tags t USING (slug) ORDER BY slug, d.rid, t.rid;
SELECT t.slug, slug FROM tags t RIGHT JOIN docs d USING (slug) WHERE t.slug = 'doc-2';
SELECT max(slug), min(t.slug) FROM tags t LEFT JOIN docs d USING (slug);
SELECT slug FROM tags t JOIN docs d USING (slug);
SELECT slug FROM tags t RIGHT JOIN docs d USING (slug) ORDER BY d.rid, t.rid;
SELECT slug FROM tags t FULL JOIN docs d USING (slug) ORDER BY 1;
SELECT CASE WHEN t.rid > 5 THEN t.slug ELSE d.slug END, count(*) FROM tags t JOIN docs d USING (slug) GROUP BY 1;
SELECT slug FROM docs UNION SELECT slug FROM tags ORDER BY 1;
SELECT slug FROM tags UNION SELECT slug FROM docs ORDER BY 1;
SELECT slug FROM tags UNION ALL SELECT title FROM docs WHERE slug = 'doc-1';

-- VALUES as an arm of a set operation, and what parentheses around a call are called.
WITH RECURSIVE n(i) AS (VALUES (1) UNION ALL SELECT i + 1 FROM n WHERE i < 5) SELECT i, rid FROM n JOIN orders ON qty = i ORDER BY 1, 2;
SELECT qty FROM orders UNION VALUES (3), (4) ORDER BY 1;
(VALUES (3), (4) ORDER BY 1 DESC LIMIT 1) UNION ALL (SELECT qty FROM orders ORDER BY 1 LIMIT 2);
WITH v(a, b) AS (VALUES (1, 'x'), (2, 'y') EXCEPT VALUES (2, 'y')) SELECT * FROM v JOIN orders ON rid = a;
SELECT rid FROM orders WHERE qty IN (VALUES (3) UNION SELECT rank FROM customers) ORDER BY 1;
SELECT ((coalesce(paid, true))), (qty), ((lower(status))) FROM orders ORDER BY rid;
SELECT (customer_id), (coalesce(o.customer_id, i.customer_id)) FROM orders o FULL JOIN items i USING (customer_id) ORDER BY 1, 2;

-- A subquery's row as one value.
SELECT row_to_json(x) FROM (SELECT rid, qty FROM orders ORDER BY rid LIMIT 2) x;
SELECT x FROM (SELECT rid, qty FROM orders ORDER BY rid LIMIT 3) x;
SELECT json_agg(x ORDER BY x.rid) FROM (SELECT rid, name FROM customers WHERE rid < 5) x;
SELECT c.rid, (SELECT json_agg(x) FROM (SELECT o.rid, o.total FROM orders o WHERE o.qty = c.rank ORDER BY o.rid) x) FROM customers c ORDER BY c.rid;
SELECT c.rid, (SELECT coalesce(json_agg(x), '[]') FROM (SELECT o.rid, o.total FROM orders o WHERE o.customer_id = c.customer_id ORDER BY o.rid) x) FROM customers c ORDER BY c.rid;
WITH t AS (SELECT status, count(*) n FROM orders GROUP BY status) SELECT to_jsonb(t), t IS NULL FROM t ORDER BY t.n, t.status;
SELECT count(x), count(DISTINCT x) FROM (SELECT qty, paid FROM orders) x;
SELECT a.rid FROM (SELECT rid, qty FROM orders) a JOIN (SELECT rid, amount AS qty FROM items) b ON a = b ORDER BY 1;
SELECT g, rid FROM generate_series(1, 3) g JOIN orders ON rid = g ORDER BY 1;

-- NULLIF is of the type in which both are compared; a real beside another number is not what its text says.
SELECT sum(qty) / nullif(count(*), 0.0), nullif(count(*), 0.0), nullif(sum(qty), 0.5::float8) FROM orders;
SELECT status, nullif(count(*), 3.0), nullif(max(total), 1), nullif('7', max(rid)), nullif(max(status), 'x') FROM orders GROUP BY status;
SELECT status FROM orders GROUP BY status HAVING sum(qty) / nullif(count(*), 0.0) > 2;
SELECT o.rid, o.qty / nullif(i.amount, 0.0) FROM orders o JOIN items i ON o.product_id = i.product_id WHERE o.qty / nullif(o.rid, 2.0) < 0.5 ORDER BY 1, 2;
SELECT max(price::real) FROM items HAVING max(price::real) > max(price);
SELECT product_id FROM items GROUP BY product_id HAVING max(price::real) > 0.1 AND max(price::real) <> min(price);
SELECT max(price::real), max(price::real)::float8, coalesce(max(price::real), 0), max(price::real)::numeric, max(price::real)::int FROM items;
SELECT product_id, coalesce(max(price::real), 0), max(price::real) = min(price::real), nullif(max(price::real), 0) FROM items GROUP BY product_id;
SELECT max(0.1::real + rid * 0) > 0.1, max(0.1::real + rid * 0)::float8 FROM orders;

-- Grouping sets that are alike count once.
SELECT qty, count(*) FROM orders GROUP BY DISTINCT ROLLUP (qty), ROLLUP (qty);
SELECT qty, status, count(*) FROM orders GROUP BY DISTINCT ROLLUP (qty, status), ROLLUP (status);
SELECT qty, count(*) FROM orders GROUP BY DISTINCT qty;
SELECT qty, count(*) FROM orders GROUP BY ROLLUP (qty), ROLLUP (qty);

-- The ON of an outer join names what no shard has alone.
SELECT c.rid, o.rid FROM customers c LEFT JOIN orders o ON o.customer_id = c.customer_id AND now() > '2020-01-01';
WITH sittings AS (SELECT hits FROM sittings WHERE hits > 20) SELECT c.rid, o.rid FROM customers c LEFT JOIN orders o ON o.customer_id = c.customer_id AND o.qty IN (SELECT hits FROM sittings);
WITH s AS (SELECT hits FROM sittings WHERE hits > 20) SELECT c.rid, o.rid FROM customers c LEFT JOIN orders o ON o.customer_id = c.customer_id AND o.qty IN (SELECT hits FROM s);
WITH products AS (SELECT product_id FROM products WHERE product_id > 9) SELECT c.rid, o.rid FROM customers c LEFT JOIN orders o ON o.customer_id = c.customer_id AND o.qty IN (SELECT product_id FROM products) JOIN sittings s ON s.hits = c.rank;
SELECT c.rid, count(o.rid) FROM customers c LEFT JOIN orders o ON o.customer_id = c.customer_id AND now() > '2020-01-01' GROUP BY c.rid;
WITH s AS (SELECT hits FROM sittings WHERE hits > 20) SELECT c.rid, count(o.rid), sum(o.total) FROM customers c LEFT JOIN orders o ON o.customer_id = c.customer_id AND o.qty IN (SELECT hits FROM s) GROUP BY c.rid;
SELECT e.rid FROM events e WHERE EXISTS (SELECT 1 FROM customers c LEFT JOIN orders o ON o.customer_id = c.customer_id AND o.qty = e.n WHERE c.rank < 5 AND o.rid IS NULL);

-- Rows that every shard has, chosen behind a WITH.
WITH p AS (SELECT product_id FROM products ORDER BY product_id LIMIT 3) SELECT o.rid FROM orders o WHERE o.qty IN (SELECT product_id FROM p);
WITH p AS (SELECT product_id, row_number() OVER (ORDER BY product_id) AS r FROM products) SELECT o.rid FROM orders o JOIN p ON p.product_id = o.qty WHERE p.r < 5;
WITH p AS (SELECT DISTINCT ON (sort) sort, product_id FROM products ORDER BY sort, product_id), q AS (SELECT product_id FROM p) SELECT o.rid FROM orders o WHERE o.qty IN (SELECT product_id FROM q);
SELECT o.rid FROM orders o WHERE EXISTS (SELECT 1 FROM products p WHERE p.rid = o.qty AND p.product_id IN (SELECT product_id FROM products ORDER BY price, product_id LIMIT 5));
SELECT o.rid FROM orders o WHERE o.qty IN (SELECT product_id FROM products TABLESAMPLE BERNOULLI (100));

-- An aggregate of the block outside, inside of a subquery.
SELECT (SELECT count(c.tier)) FROM customers c;
SELECT EXISTS (SELECT 1 FROM products x HAVING sum(o.qty) > 10) FROM orders o;
SELECT (SELECT sum(o.qty) FROM products p WHERE p.product_id = 1), max(o.rid) FROM orders o;
SELECT o.status, (SELECT count(o.total) + p.product_id FROM products p WHERE p.product_id = 2) FROM orders o GROUP BY o.status;
SELECT EXISTS (SELECT count(o.qty) FROM products) FROM orders o;
SELECT EXISTS (SELECT (SELECT count(o.qty)) FROM products) FROM orders o;
SELECT d.n FROM (SELECT (SELECT count(c.tier)) AS n FROM customers c) d;
SELECT DISTINCT ON (row_number() OVER (ORDER BY rid) / 10) rid FROM orders ORDER BY row_number() OVER (ORDER BY rid) / 10, rid;

-- The first rows of what is ordered already.
-- order: total
SELECT t.rid FROM (SELECT rid, total FROM orders ORDER BY total DESC, rid) t LIMIT 10;
-- order: total
SELECT t.rid FROM (SELECT rid FROM orders ORDER BY total DESC, rid) t LIMIT 10;
-- order: total
WITH t AS (SELECT rid, name FROM customers ORDER BY rid DESC) SELECT x.rid FROM (SELECT rid, name FROM t) x WHERE name IS NOT NULL LIMIT 4;

-- What USING merges is the left one's column, unless their modifiers differ: tags.slug is varchar(30), docs.slug text.
SELECT a.slug, slug FROM tags a JOIN docs b USING (slug) ORDER BY slug;
SELECT a.slug, slug FROM docs a JOIN tags b USING (slug) ORDER BY slug;
SELECT b.slug, slug FROM docs a RIGHT JOIN tags b USING (slug) ORDER BY slug;
SELECT b.slug, slug FROM tags a RIGHT JOIN docs b USING (slug) ORDER BY slug;
SELECT a.slug, slug FROM tags a FULL JOIN docs b USING (slug) ORDER BY slug;
SELECT a.slug, slug FROM (SELECT slug FROM tags) a JOIN docs b USING (slug) ORDER BY slug;
SELECT a.slug, slug FROM tags a JOIN tags b USING (slug) ORDER BY slug;
WITH t AS (SELECT slug FROM tags) SELECT t.slug, slug FROM t JOIN docs b USING (slug) ORDER BY slug;
SELECT a.slug FROM docs a JOIN tags b USING (slug) GROUP BY slug;
SELECT slug, count(*) FROM tags a JOIN docs b USING (slug) GROUP BY slug;
SELECT DISTINCT slug FROM tags a JOIN docs b USING (slug) ORDER BY slug;
SELECT slug, b.title FROM tags a JOIN docs b USING (slug) WHERE slug = 'a';
SELECT slug, b.title FROM tags a LEFT JOIN docs b USING (slug) WHERE slug IN ('a', 'b', '');
SELECT slug FROM tags a JOIN docs b USING (slug) WHERE EXISTS (SELECT 1 FROM orders o WHERE o.status = slug);
SELECT a.lang, lang FROM docs a JOIN (SELECT 'en'::varchar(2) AS lang) b USING (lang) ORDER BY lang;
SELECT a.total, total FROM orders a JOIN (SELECT price AS total FROM items) b USING (total) ORDER BY total;
SELECT a.code, code FROM readings a JOIN (SELECT country AS code FROM orders) b USING (code) ORDER BY code;
SELECT slug, count(*) FROM (SELECT slug FROM tags a JOIN docs b USING (slug)) x JOIN tags y USING (slug) GROUP BY slug;
SELECT x.slug, slug FROM (SELECT slug FROM tags a JOIN docs b USING (slug)) x JOIN docs y USING (slug) ORDER BY slug;
SELECT a.lang, lang FROM docs a JOIN (SELECT 'en'::varchar(5) AS lang) b USING (lang) ORDER BY lang;
SELECT a.total, total FROM orders a JOIN (SELECT 10::numeric(10, 2) AS total) b USING (total) ORDER BY total;
SELECT a.total, total FROM orders a JOIN (SELECT 10::numeric(9, 2) AS total) b USING (total) ORDER BY total;
SELECT a.total, total FROM (SELECT total + 1 AS total FROM orders) a JOIN (SELECT 10::numeric(9, 2) AS total) b USING (total) ORDER BY total;
SELECT a.total, total FROM (SELECT max(total) AS total FROM orders) a JOIN orders b USING (total) ORDER BY total;
SELECT a.lang, lang FROM docs a JOIN (SELECT nullif(lang, 'x') AS lang FROM docs) b USING (lang) ORDER BY lang;
SELECT a.lang, lang FROM (SELECT nullif(lang, 'x') AS lang FROM docs) a JOIN docs b USING (lang) ORDER BY lang;
SELECT a.c, c FROM (SELECT ARRAY[total]::numeric(10, 2)[] AS c FROM orders) a JOIN (SELECT ARRAY[price]::numeric(10, 2)[] AS c FROM items) b USING (c) ORDER BY c;
SELECT a.c, c FROM (SELECT total::numeric(8, -2) AS c FROM orders) a JOIN (SELECT price::numeric(8, 0) AS c FROM items) b USING (c) ORDER BY c;
SELECT a.c, c FROM (SELECT (ARRAY[lang])[1] AS c FROM docs) a JOIN (SELECT lang AS c FROM docs) b USING (c) ORDER BY c;
SELECT a.c, c FROM (SELECT lang AS c FROM docs) a JOIN (SELECT (ARRAY[lang])[1] AS c FROM docs) b USING (c) ORDER BY c;
SELECT a.c, c FROM (SELECT lang AS c FROM docs) a JOIN (SELECT CASE WHEN size > 3 THEN lang ELSE slug END AS c FROM docs) b USING (c) ORDER BY c;
SELECT a.c, c FROM (SELECT lang AS c FROM docs) a JOIN (SELECT lang AS c FROM docs UNION ALL SELECT slug FROM tags) b USING (c) ORDER BY c;
SELECT a.c, c FROM (SELECT nullif(total, 5) AS c FROM orders) a JOIN (SELECT price AS c FROM items) b USING (c) ORDER BY c;
SELECT a.c, c FROM (SELECT nullif(total, 5) AS c FROM orders) a JOIN (SELECT total AS c FROM orders) b USING (c) ORDER BY c;
SELECT a.c, c FROM (SELECT greatest(total, total) AS c FROM orders) a JOIN (SELECT total AS c FROM orders) b USING (c) ORDER BY c;
SELECT a.c, c FROM (SELECT CASE WHEN paid THEN total END AS c FROM orders) a JOIN (SELECT total AS c FROM orders) b USING (c) ORDER BY c;
SELECT a.c, c FROM (SELECT total AS c FROM orders) a JOIN (SELECT CASE WHEN paid THEN total END AS c FROM orders) b USING (c) ORDER BY c;
