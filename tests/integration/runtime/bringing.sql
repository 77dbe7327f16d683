-- Queries of test_bringing.py, one a line, each in a total order.
SELECT s.buyer, g.label FROM sales s JOIN goods g ON g.id = s.good WHERE s.amount > 2 ORDER BY 1, 2
SELECT g.id, s.amount FROM goods g LEFT JOIN sales s ON s.good = g.id AND s.amount = 3 ORDER BY 1, 2
-- A condition on the side that an outer join fills up must not be asked of its shards.
SELECT g.id FROM goods g LEFT JOIN sales s ON s.good = g.id AND s.note = 'note 1' WHERE s.amount IS NULL ORDER BY 1
SELECT g.id, s.amount FROM goods g FULL JOIN sales s ON s.good = g.id AND s.amount > 1 ORDER BY 1, 2, s.buyer, s.note
SELECT g.id, s.buyer FROM sales s RIGHT JOIN goods g ON s.good = g.id AND g.id > 7 ORDER BY 1, 2
SELECT g.id, s.buyer FROM goods g LEFT JOIN sales s ON s.good = g.id AND g.price > 5 ORDER BY 1, 2
SELECT g.id, s.buyer FROM sales s RIGHT JOIN goods g ON s.good = g.id AND g.price > 5 ORDER BY 1, 2
-- The inner block's items bear the alias of the outer one's, whose column is meant.
SELECT s.buyer FROM sales s WHERE EXISTS (SELECT 1 FROM goods s WHERE id > 3 AND good = 4) ORDER BY 1
-- A primary key decides the other columns of its table, and those of no other.
SELECT g.id, g.label, upper(g.label), sum(s.amount) FROM goods g JOIN sales s ON s.good = g.id GROUP BY g.id ORDER BY g.made
SELECT note, count(*), sum(amount) FROM sales GROUP BY ROLLUP (note) ORDER BY 1, 2
SELECT buyer, rank() OVER (ORDER BY sum(amount) DESC, buyer) FROM sales GROUP BY buyer ORDER BY 2
SELECT buyer FROM sales GROUP BY buyer ORDER BY count(*) DESC, buyer FETCH FIRST 2 ROWS WITH TIES
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY amount), mode() WITHIN GROUP (ORDER BY note) FROM sales
SELECT id FROM goods WHERE price > (SELECT avg(price) FROM goods) ORDER BY id
SELECT id FROM goods WHERE id NOT IN (SELECT good FROM sales WHERE good IS NOT NULL) ORDER BY id
SELECT id FROM goods WHERE id NOT IN (SELECT good FROM sales) ORDER BY id
SELECT id FROM goods EXCEPT SELECT good FROM sales ORDER BY 1
SELECT c.code, g.id FROM countries c LEFT JOIN goods g ON g.label = c.name ORDER BY 1, 2
SELECT h.n, t.n, g.id FROM here h JOIN there t USING (name) JOIN goods g ON g.label = h.name ORDER BY 3
SELECT h.n, t.n FROM here h FULL JOIN there t ON h.name = t.name ORDER BY 1, 2
SELECT count(*) FROM goods a CROSS JOIN goods b
SELECT id, label FROM goods NATURAL JOIN (SELECT id FROM goods WHERE id < 4) x ORDER BY 1
SELECT a, c FROM goods AS g (a, b) JOIN (SELECT good AS c FROM sales) s ON s.c = g.a WHERE a < 4 ORDER BY 1, 2
WITH RECURSIVE up(id) AS (SELECT min(id) FROM goods UNION ALL SELECT g.id FROM up JOIN goods g ON g.id = up.id + 1) SELECT count(*), max(id) FROM up
SELECT g.id, x.n FROM goods g, LATERAL (SELECT count(*) AS n FROM sales s WHERE s.good = g.id AND s.amount > 1) x ORDER BY 1
SELECT v.x, g.label FROM (VALUES (1), (50)) AS v(x) LEFT JOIN goods g ON g.id = v.x ORDER BY 1
SELECT EXISTS (SELECT 1 FROM sales WHERE amount = 4 AND note LIKE '%2')
SELECT max(at - timestamptz '2023-12-31'), now() = now() FROM sales
SELECT DISTINCT ROW(note, amount) FROM sales ORDER BY 1
SELECT count(DISTINCT (note, amount)) FROM sales
SELECT sum(amount) || '!' FROM sales
SELECT 1 AS a, g.id AS a FROM goods g WHERE g.id > (SELECT 7) ORDER BY 2
-- Rows of one side say which of the other matter, NULLs among them; but not where a row without a partner counts.
SELECT g.label, s.note FROM goods g, sales s WHERE s.good = g.id AND g.price < 4 ORDER BY 1, 2, s.buyer
SELECT g.id, (SELECT sum(s.amount) FROM sales s WHERE s.good = g.id) FROM goods g WHERE g.price < 4 ORDER BY 1
SELECT g.id, (SELECT count(*) FROM sales s WHERE s.good = g.id) FROM goods g WHERE g.price < 4 ORDER BY 1
SELECT g.id FROM goods g WHERE g.price < 8 AND NOT EXISTS (SELECT 1 FROM sales s WHERE s.good = g.id AND s.amount = 3) ORDER BY 1
SELECT g.id FROM goods g WHERE g.id IN (SELECT s.good FROM sales s WHERE s.amount = 3) ORDER BY 1
SELECT g.id FROM goods g WHERE g.price < 3 AND g.id IN (SELECT s.good FROM sales s ORDER BY s.amount, s.good LIMIT 5) ORDER BY 1
SELECT g.id FROM goods g WHERE g.price < 3 AND g.id IN (SELECT max(s.good) FROM sales s GROUP BY s.note) ORDER BY 1
SELECT g.id FROM goods g WHERE g.price < 5 AND g.id IN (SELECT s.good FROM sales s GROUP BY s.good HAVING count(*) > 3) ORDER BY 1
SELECT g.id FROM goods g WHERE g.price < 5 AND g.id NOT IN (SELECT s.good FROM sales s WHERE s.amount = 2) ORDER BY 1
SELECT g.id, x.n FROM goods g JOIN (SELECT good, sum(amount) AS n FROM sales GROUP BY good) x ON x.good = g.id WHERE g.price < 4 ORDER BY 1
SELECT g.id, x.r FROM goods g JOIN (SELECT good, rank() OVER (ORDER BY amount, note, buyer) AS r FROM sales) x ON x.good = g.id WHERE g.price < 3 ORDER BY 1, 2
SELECT g.id, x.amount FROM goods g JOIN (SELECT DISTINCT ON (note) good, amount FROM sales ORDER BY note, amount, good) x ON x.good = g.id WHERE g.price < 3 ORDER BY 1
SELECT g.id, s.buyer FROM goods g LEFT JOIN sales s ON s.good = g.id WHERE g.price < 3 ORDER BY 1, 2
SELECT g.id, b.id, s.amount FROM goods g JOIN sales s ON s.good = g.id LEFT JOIN goods b ON b.id = s.amount WHERE g.price < 3 ORDER BY 1, 2, 3, s.buyer
SELECT a.id FROM goods a, goods b, sales s WHERE a.id = s.good AND s.good = b.id AND b.price < 3 ORDER BY 1
SELECT g.id FROM goods g, sales s WHERE (g.id = s.good AND g.price < 3 AND s.amount > 1) OR (g.id = s.good AND g.price > 8 AND s.note = 'note 1') ORDER BY 1
SELECT g.id FROM goods g, sales s WHERE (g.id = s.good AND g.price < 3) OR (s.amount = 4 AND g.price > 8) ORDER BY 1
-- Halves of groups.
SELECT x.note, g.id FROM (SELECT note, count(*) AS n, sum(amount) AS s, avg(amount) AS a, min(at) AS f FROM sales GROUP BY note) x JOIN goods g ON g.id = x.n ORDER BY 1
SELECT (SELECT avg(price) FROM goods WHERE id > 100), (SELECT count(price) FROM goods WHERE id > 100), (SELECT sum(price) FROM goods WHERE id < 3)
SELECT (SELECT avg(amount) FROM sales), (SELECT avg(price) FROM goods), (SELECT count(DISTINCT amount) FROM sales), (SELECT sum(DISTINCT amount) FROM sales)
SELECT (SELECT count(*) FILTER (WHERE amount > 2) FROM sales), (SELECT bool_or(amount > 3) FROM sales), (SELECT max(note) FROM sales)
SELECT s.note, sum(sum(s.amount)) OVER (ORDER BY s.note) FROM sales s GROUP BY s.note ORDER BY 1
SELECT id FROM goods WHERE price > (SELECT avg(s.amount) + 0.5 FROM sales s WHERE s.note = 'note 1') ORDER BY 1
SELECT (SELECT max(said) FROM kinds), (SELECT min(code) FROM kinds), (SELECT sum(exact) FROM kinds), (SELECT max(zoned)::text FROM kinds)
-- A copied table belongs to a part by its primary key, and stays out of it otherwise.
SELECT g.id, c.code, s.amount FROM goods g, countries c, sales s WHERE c.name = g.label AND s.good = g.id AND g.price < 4 ORDER BY 1, 2, 3, s.buyer
SELECT s.buyer, c.name FROM sales s, countries c, goods g WHERE c.code = s.note AND g.id = s.good ORDER BY 1
SELECT g.id, x.n FROM goods g JOIN sales s ON s.good = g.id, LATERAL (SELECT g.price * s.amount AS n) x WHERE g.price < 3 ORDER BY 1, 2
-- Computed for each row outside.
SELECT s.buyer, s.amount FROM sales s WHERE s.amount > (SELECT 0.5 * avg(t.amount) FROM sales t WHERE t.good = s.good) ORDER BY 1, 2, s.note
SELECT g.id FROM goods g WHERE g.price > (SELECT sum(t.amount) FROM sales t WHERE t.good = g.id AND t.note <> 'note 2') ORDER BY 1
SELECT g.id FROM goods g WHERE 3 > (SELECT count(*) FROM sales t WHERE t.good = g.id) ORDER BY 1
SELECT s.buyer, s.good FROM sales s WHERE 1 <> (SELECT max(t.amount) FROM sales t, goods g WHERE t.good = s.good AND g.id = t.buyer) ORDER BY 1, 2, s.note, s.amount
SELECT g.id FROM goods g WHERE g.price > (SELECT coalesce(sum(t.amount), 0) FROM sales t WHERE t.good = g.id) ORDER BY 1
-- What comes in groups: partners counted, rows without one counted once, values that none has; sums over groups that repeat.
SELECT g.id, count(s.amount), count(*), sum(s.amount), avg(s.amount), min(s.note), max(s.at), bool_and(s.amount > 1) FROM goods g LEFT JOIN sales s ON s.good = g.id AND s.note <> 'note 2' GROUP BY g.id ORDER BY 1
SELECT g.label, count(*), count(s.good), sum(s.amount), avg(s.amount) FROM sales s RIGHT JOIN goods g ON s.good = g.id AND g.id > 3 GROUP BY g.label ORDER BY 1
SELECT g.label, s.note, count(*), count(DISTINCT s.good), max(g.price) FROM goods g LEFT JOIN sales s ON s.good = g.id GROUP BY 1, 2 HAVING count(*) > 1 ORDER BY 1, 2
SELECT count(*), count(s.amount), count(*) FILTER (WHERE s.amount > 1), sum(s.amount) FILTER (WHERE s.note = 'note 1' AND s.amount IS NOT NULL) FROM goods g LEFT JOIN sales s ON s.good = g.id
SELECT count(*), sum(s.amount) FROM goods g LEFT JOIN sales s ON s.good = g.id WHERE g.id > 100
SELECT c.code, count(s.amount), count(*) FROM countries c JOIN (goods g LEFT JOIN sales s ON s.good = g.id) ON g.label = c.name GROUP BY 1 ORDER BY 1
SELECT c.code, count(g.price), sum(g.price), avg(g.price), sum(g.price * (1 - g.price)) FROM countries c LEFT JOIN goods g ON g.label = c.name GROUP BY 1 ORDER BY 1
SELECT g.id, count(*) FROM countries c FULL JOIN (goods g LEFT JOIN sales s ON s.good = g.id) ON g.label = c.name AND s.note = 'note 1' GROUP BY 1 ORDER BY 1
SELECT n, count(*) FROM (SELECT g.id, count(s.good) AS n FROM goods g LEFT JOIN sales s ON s.good = g.id GROUP BY g.id) x GROUP BY n ORDER BY 1
SELECT s.note, sum(count(*)) OVER (ORDER BY s.note), count(s.good) FROM goods g LEFT JOIN sales s ON s.good = g.id WHERE s.note IS NULL OR g.id < 6 GROUP BY s.note ORDER BY 1
SELECT g.label, s.note, count(*) FROM goods g LEFT JOIN sales s ON s.good = g.id GROUP BY GROUPING SETS ((g.label), (s.note), ()) ORDER BY 1, 2, 3
-- And what does not: each of these has to see all rows.
SELECT count(coalesce(s.amount, 1)), count(*) FILTER (WHERE s.amount IS NULL), sum(g.price), array_agg(s.amount ORDER BY s.amount) FROM goods g LEFT JOIN sales s ON s.good = g.id
SELECT sum(10 / s.amount) FROM goods g LEFT JOIN sales s ON s.good = g.id AND s.amount > 0
SELECT count(s.amount) FILTER (WHERE 10 / s.amount > 2) FROM goods g LEFT JOIN sales s ON s.good = g.id AND s.amount > 0
SELECT count(*) FROM goods g LEFT JOIN kinds k ON k.exact = g.id + 0.5 WHERE k.exact::text = '1.5'
SELECT sum(1 / (s.good - 10)) FROM goods g LEFT JOIN sales s ON s.good = g.id
SELECT g.label, count(s.amount), count(k.exact) FROM goods g LEFT JOIN sales s ON s.good = g.id LEFT JOIN kinds k ON k.id + 1 = s.amount GROUP BY g.label ORDER BY 1
SELECT g.id, count(s.amount) FROM goods g LEFT JOIN sales s ON s.good = g.id WHERE EXISTS (SELECT 1 FROM kinds k WHERE k.id = s.amount) GROUP BY g.id ORDER BY 1
SELECT g.id, count(s.amount), (SELECT count(g.id) FROM kinds k WHERE k.id = 1) FROM goods g LEFT JOIN sales s ON s.good = g.id GROUP BY g.id ORDER BY 1
SELECT count(s.amount) FROM goods g LEFT JOIN sales s ON true
-- Asked for once, NULLs among them.
SELECT c.code FROM countries c WHERE c.name IN (SELECT label FROM goods) AND NOT EXISTS (SELECT 1 FROM sales s WHERE s.note = c.code) ORDER BY 1
SELECT g.id FROM goods g WHERE g.id > ALL (SELECT s.amount FROM sales s WHERE s.amount IS NOT NULL) ORDER BY 1
SELECT g.id FROM goods g WHERE EXISTS (SELECT 1 FROM sales s WHERE s.amount = 2) AND g.id NOT IN (SELECT s.good FROM sales s WHERE s.buyer > 2 AND s.good IS NOT NULL) ORDER BY 1
SELECT g.id FROM goods g WHERE EXISTS (SELECT 1 FROM kinds k WHERE k.exact::text = '1.5' AND k.exact < g.id) ORDER BY 1
SELECT g.id FROM goods g WHERE 4 IN (SELECT count(*) FROM sales s WHERE s.good = g.id) OR g.id IN (SELECT s.good FROM sales s ORDER BY s.good LIMIT 2) ORDER BY 1
-- What a primary key decides and nothing is grouped by: types without an equality, in windows and under names; ROLLUP beside it.
SELECT k.id, k.raw, k.box, count(s.buyer) FROM kinds k LEFT JOIN sales s ON s.good = k.id GROUP BY k.id ORDER BY 1
SELECT k.raw->>'a' AS a, k.mood, json_agg(k.raw)::text, count(*) FROM kinds k JOIN sales s ON s.good = k.id GROUP BY k.id ORDER BY k.raw::text, k.id
SELECT x.raw, x.n FROM (SELECT k.id, k.raw, count(*) AS n FROM kinds k LEFT JOIN sales s ON s.good = k.id GROUP BY k.id) x ORDER BY x.id
SELECT g.id, rank() OVER w, sum(count(*)) OVER w FROM goods g LEFT JOIN sales s ON s.good = g.id GROUP BY g.id WINDOW w AS (ORDER BY g.price / 3, g.label) ORDER BY 1
SELECT k.id, rank() OVER (ORDER BY k.raw::text) FROM kinds k LEFT JOIN sales s ON s.good = k.id GROUP BY k.id HAVING k.raw IS NULL OR k.raw::text <> '' ORDER BY 1
SELECT g.id, g.label, s.note, count(*) FROM goods g LEFT JOIN sales s ON s.good = g.id GROUP BY g.id, ROLLUP (s.note) ORDER BY 1, 2, 3, 4
SELECT k.id, k.raw, k.code, s.note, count(*) FROM kinds k LEFT JOIN sales s ON s.good = k.id GROUP BY k.id, CUBE (s.note, k.code) ORDER BY 1, 3, 4, 5
