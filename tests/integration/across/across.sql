-- Queries over several domains, one a line, each in a total order; asked of a session of sales.
SELECT o.id, u.name FROM orders o JOIN users u ON u.id = o.customer ORDER BY 1
SELECT o.id, u.name FROM orders AS o LEFT JOIN users AS u ON u.id = o.customer AND u.active ORDER BY 1
SELECT u.name, count(o.id), sum(o.total) FROM users u LEFT JOIN orders o ON o.customer = u.id GROUP BY u.name ORDER BY 1
SELECT u.id, u.name, sum(o.total) FROM users u JOIN orders o ON o.customer = u.id GROUP BY u.id ORDER BY 1
SELECT g.label, sum(l.n * g.price) FROM lines l JOIN goods g ON g.id = l.good GROUP BY g.label ORDER BY 1
SELECT u.name, g.label, l.n FROM users u JOIN lines l ON l.customer = u.id JOIN goods g ON g.id = l.good ORDER BY 1, 2, 3
SELECT name FROM users WHERE id IN (SELECT customer FROM orders WHERE total > 30) ORDER BY 1
SELECT name FROM users u WHERE NOT EXISTS (SELECT 1 FROM orders o WHERE o.customer = u.id) ORDER BY 1
SELECT id FROM goods WHERE id NOT IN (SELECT good FROM lines) ORDER BY 1
SELECT id FROM users UNION SELECT id FROM goods ORDER BY 1
SELECT id FROM users INTERSECT ALL SELECT customer FROM orders ORDER BY 1
SELECT customer FROM orders EXCEPT SELECT id FROM users WHERE active ORDER BY 1
SELECT u.name, c.name FROM users u FULL JOIN countries c ON c.code = u.country ORDER BY 1, 2
SELECT u.name, n.note FROM users u JOIN notes n ON n.id = u.id ORDER BY 1
SELECT count(*) FROM users
SELECT * FROM users ORDER BY id
SELECT name, born + 1, now() = now() FROM users WHERE id = 3
SELECT a.name, o.total FROM actives a JOIN orders o ON o.customer = a.id ORDER BY 1, 2
SELECT what->>'i', who FROM audit.log WHERE at >= '2024-01-01 05:00Z' ORDER BY at
SELECT id, tags, tags[3] FROM goods ORDER BY id
SELECT u.name, x.total FROM users u, LATERAL (SELECT total FROM orders o WHERE o.customer = u.id ORDER BY id LIMIT 1) x ORDER BY 1
WITH big AS (SELECT customer, sum(total) AS t FROM orders GROUP BY customer) SELECT u.name, b.t, rank() OVER (ORDER BY b.t DESC) FROM big b JOIN users u ON u.id = b.customer ORDER BY 3
SELECT u.name FROM users u JOIN orders o ON o.customer = u.id AND o.customer = 3 WHERE u.id = 3 AND o.id > 5 ORDER BY o.id
SELECT a.id, b.id FROM users a JOIN users b ON b.id = a.id + 1 LEFT JOIN orders o ON o.id = a.id ORDER BY 1
SELECT (SELECT max(total) FROM orders), (SELECT min(price) FROM goods)
SELECT EXISTS (SELECT 1 FROM users WHERE name LIKE 'user 9')
SELECT name FROM users WHERE born BETWEEN '1990-01-03' AND '1990-01-05' AND active IS NOT NULL ORDER BY 1
SELECT u.name AS a, u.id AS a FROM users AS u WHERE u.id < 2 ORDER BY 2
SELECT count(*) FROM users NATURAL JOIN goods
SELECT u.* FROM users AS u (a, b) WHERE u.a < 2 ORDER BY 1
