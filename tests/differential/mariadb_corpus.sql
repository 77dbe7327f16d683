-- Fixed statements of MariaDB, replayed in every run of the tests.  What once went wrong, or easily could, stays here.
-- See corpus.py for the form, mariadb.py for the tables.

-- keys: how MariaDB compares a constant with a column
SELECT id FROM orders WHERE id = '7';
SELECT id FROM orders WHERE id = ' 7 ';
SELECT id FROM orders WHERE id = 7.0;
SELECT id FROM orders WHERE id = 7.5;
SELECT id FROM orders WHERE id = 7e0;
SELECT id FROM orders WHERE id = 9007199254740993e0;
SELECT id FROM orders WHERE id = TRUE;
SELECT id FROM orders WHERE id IN (1, '2', 3.0, NULL, FALSE);
SELECT id FROM orders WHERE id = 5 = 1;
SELECT id FROM orders WHERE id <=> 5;
SELECT id FROM orders WHERE id = 5 OR id = 6 AND n = 1;
SELECT id FROM orders WHERE NOT id <> 5;
SELECT id FROM orders WHERE (id, region) IN ((5, 1), (6, NULL), (7, 2));
SELECT id FROM orders WHERE ID = 5 AND Id IN (5, 6);
SELECT id FROM orders WHERE id = 18446744073709551615;
SELECT id FROM orders WHERE id = -0;
SELECT name FROM customers WHERE name = 'bob';
SELECT name FROM customers WHERE name = 'bob ';
SELECT name FROM customers WHERE name = 'BOB' COLLATE utf8mb4_general_ci;
SELECT name FROM customers WHERE name = X'626F62';
SELECT name FROM customers WHERE name LIKE 'bob';
SELECT name FROM customers WHERE name IN ('bob', 'ann') OR name = 'tab	';
SELECT hits FROM days WHERE device = 3 AND day = '2024-05-05 00:00:00';
SELECT hits FROM days WHERE device = 3 AND day = 20240505;
SELECT hits FROM days WHERE device = 3 AND day = '2024-5-5';
SELECT hits FROM days WHERE device = 3 AND day = '24-05-05';

-- order: total
SELECT id FROM orders ORDER BY note, id;
-- order: total
SELECT id FROM orders ORDER BY note DESC, memo, id;
-- order: total
SELECT id FROM orders ORDER BY word, id;
-- order: total
SELECT id FROM orders ORDER BY short, id;
-- order: total
SELECT id FROM orders ORDER BY note COLLATE utf8mb4_nopad_bin DESC, id;
-- order: total
SELECT id, stamp, kind FROM orders ORDER BY stamp DESC, kind, clock, u, id;
-- order: total
SELECT id FROM orders ORDER BY n / 7, id DESC;
-- order: total
SELECT id FROM orders ORDER BY IF(n > 3, 'Yes', 'no'), id LIMIT 5, 20;
-- order: total
SELECT -n AS n FROM orders ORDER BY n + 0, id;
-- order: total
SELECT -n AS n, id FROM orders ORDER BY n, id;
-- order: total
SELECT id FROM orders ORDER BY region IS NULL, region, id;

-- names
SELECT COUNT(*), 'x', "y", n+1, n /* c */ + 1, (n), ((n+1)), orders.N, `orders`.`n` FROM orders WHERE id = 5 GROUP BY id;
SELECT *, n+1 FROM orders;
SELECT customer <> '🙂', NULL, TRUE, -1 FROM orders;
SELECT region, UPPER(customer) FROM orders UNION SELECT region, customer FROM orders;
WITH x AS (SELECT order_id, SUM(qty) FROM items GROUP BY order_id) SELECT COUNT(*), order_id + 1 FROM x GROUP BY order_id;
(SELECT COUNT(*) FROM orders WHERE region = 1 GROUP BY id) UNION ALL (SELECT qty FROM items);

-- what binds otherwise, or is MariaDB's alone
SELECT id, 7 DIV 2 * 3, n DIV 2 * 3, n MOD 3 + 1, n % 3 DIV 2, 1 + n DIV 2 FROM orders;
SELECT id FROM orders WHERE (n IS NULL) = (region IS NULL) AND (n = 3) <> (region = 1);
SELECT id FROM orders WHERE 1 = customer REGEXP '^b' || n > 3 && NOT region;
SELECT id, day + INTERVAL n + 1 DAY, made - INTERVAL '1:30' HOUR_MINUTE, DATE_ADD(day, INTERVAL 1 MONTH) FROM orders;
SELECT id, CAST(total AS SIGNED), CAST(n AS CHAR(2)), CONVERT(n, DECIMAL(10, 3)), CONVERT(customer USING latin1) FROM orders;
SELECT id, EXTRACT(YEAR_MONTH FROM day), TIMESTAMPDIFF(HOUR, day, made), TRIM(BOTH 'b' FROM customer) FROM orders;
SELECT id, LEFT (customer, 2), RIGHT(customer, 1), IF (n > 3, 'a', "b"), REPLACE(note, 'b', 'c'), INSERT(note, 1, 1, 'x') FROM orders;
SELECT id, JSON_VALUE(doc, '$.b'), JSON_EXTRACT(doc, '$.a') + 1, JSON_OBJECT('n', n) FROM orders;
SELECT id FROM orders WHERE customer LIKE 'b|_b' ESCAPE '|' OR note LIKE '\\%';
SELECT 1 FROM DUAL;
SELECT id FROM orders FOR UPDATE;
SELECT id FROM orders WHERE id = 5 LOCK IN SHARE MODE;
SELECT GROUP_CONCAT(n ORDER BY n SEPARATOR ';') FROM orders WHERE id = 5;
SELECT id, GROUP_CONCAT(customer) FROM orders GROUP BY id;

-- aliases
SELECT region, SUM(n) AS s FROM orders GROUP BY region HAVING s > 3;
SELECT SUM(n) AS n FROM orders GROUP BY region HAVING n > 3 AND SUM(n) < 99;
SELECT -n AS n FROM orders HAVING n > 0;
SELECT n AS a, -n AS n FROM orders GROUP BY n;
SELECT region + 1 AS more, COUNT(*) FROM orders GROUP BY more + 0;
SELECT region AS R, COUNT(*) FROM orders GROUP BY r;
SELECT order_id, -pos AS pos, SUM(qty) OVER (PARTITION BY order_id ORDER BY pos) AS s FROM items;

-- digits
SELECT AVG(n), AVG(total), AVG(rate), AVG(ratio), AVG(u), AVG(n > 3) FROM orders;
SELECT region, AVG(n) * 3, AVG(n) * 1.00000, ROUND(AVG(n), 6), COALESCE(AVG(n), 0.00000), AVG(rate) / 7 FROM orders GROUP BY region;
SELECT SUM(n) / COUNT(*), SUM(rate) / 7, COUNT(*) / 0, 1 / SUM(total), SUM(n) / 3 / 7 * 21 FROM orders;
-- order: total
SELECT region, SUM(n) / COUNT(n) * 1.0000000 AS q FROM orders GROUP BY region ORDER BY q, region;
SELECT ratio, AVG(total) / 4 / 3, SUM(DISTINCT n) FROM orders GROUP BY ratio ORDER BY 3, 1;
SELECT SUM(n * total) % 7, (AVG(n) > 0.3333) % 7, COUNT(*) % 7 FROM orders;
SELECT SUM(n / 3), AVG(n / 3), MIN(n / 3) FROM orders;
SELECT SUM(ROUND(n / 3, 4)), MAX(ROUND(n / 3, 2)) FROM orders;
SELECT AVG((region, n) = (1, 3)), COUNT((region, n) = (1, 3)), SUM((region, n) = (1, 3)) FROM orders;
SELECT SUM(x.q) FROM (SELECT id, n / 3 AS q FROM orders) x;
SELECT region, COUNT(*) FROM orders GROUP BY region HAVING AVG(n) = 0.3333 OR AVG(n) > 0.33333 OR SUM(n);
SELECT COUNT(DISTINCT note), COUNT(DISTINCT memo), COUNT(DISTINCT word), COUNT(DISTINCT short), COUNT(DISTINCT stamp) FROM orders;
SELECT SUM(DISTINCT n), AVG(DISTINCT region), COUNT(DISTINCT customer), SUM(DISTINCT total) FROM orders;
SELECT BIT_AND(n), BIT_OR(n), BIT_XOR(id), BIT_AND(id) FROM orders WHERE n > 99;
SELECT IFNULL(SUM(n), 'none'), IF(COUNT(*) > 3, 'many', 2), MAX(n) > MIN(customer) FROM orders;

-- groups
SELECT kind, COUNT(*) FROM orders GROUP BY kind;
SELECT note, COUNT(*) FROM orders GROUP BY note;
SELECT DISTINCT memo FROM orders;
SELECT region, customer, COUNT(*) FROM orders GROUP BY region;
SELECT o.customer, o.note, COUNT(i.pos) FROM orders o LEFT JOIN items i ON i.order_id = o.id GROUP BY o.id;
SELECT DATE_FORMAT(day, '%Y-%m') AS m, COUNT(*) FROM orders GROUP BY m;
SELECT CASE WHEN n > 0 THEN 'A' ELSE 'a' END AS w, COUNT(*) FROM orders GROUP BY w;
SELECT IF(n > 0, 'up', 'down') AS w, COUNT(*) FROM orders GROUP BY w;
SELECT DISTINCT region FROM orders ORDER BY n;

-- no negative zero
SELECT region, TRUNCATE(SUM(total) * 0 - 0.04, 1), ROUND(SUM(total) * 0 - 0.04, 1) FROM orders GROUP BY region;
SELECT region, SUM(total) * 0, -(SUM(total) * 0), SUM(total) * 0 / -3 FROM orders GROUP BY region;

-- joins
SELECT o.id, i.pos FROM items i RIGHT JOIN orders o ON o.id = i.order_id;
SELECT id, order_id FROM orders LEFT JOIN items ON id = order_id AND qty > 30;
SELECT r.title, COUNT(o.id) FROM orders o RIGHT JOIN regions r ON r.id = o.region GROUP BY r.title;
SELECT id FROM orders JOIN (SELECT order_id AS id, MAX(qty) AS q FROM items GROUP BY order_id) x USING (id);

-- names: constants and strings are called by themselves, within parentheses too
SELECT (TRUE), (1), ((2)), ('a'), ( true ), (NULL), false, null, (1.50), (-1), (1 + 1), (NOT n), id FROM orders WHERE id < 20;
