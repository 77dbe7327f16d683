-- Queries over views of test_views.py, one a line, each in a total order.
SELECT * FROM dear ORDER BY good, buyer, amount
SELECT count(*), sum(amount), min(price) FROM dear
SELECT good, buyer FROM dear WHERE buyer = 3 ORDER BY 1, 2
SELECT label, n FROM by_label ORDER BY 1
SELECT d.good, b.n FROM dear d JOIN by_label b ON b.n > d.amount ORDER BY 1, 2, d.buyer, d.amount
SELECT * FROM over_views ORDER BY 1, 2
SELECT x, y FROM renamed AS r (x, y) WHERE x < 4 ORDER BY 1
SELECT a.one, b.two FROM renamed a JOIN renamed b ON a.one = b.one + 1 WHERE b.two LIKE '%1' ORDER BY 1
SELECT * FROM both_ids WHERE id IN (3, 5) ORDER BY 1, 2
SELECT id, count(*) FROM both_ids GROUP BY id ORDER BY 1
SELECT g.id FROM goods g WHERE g.label IN (SELECT name FROM near) ORDER BY 1
SELECT n.code, d.good FROM near n LEFT JOIN dear d ON d.label = n.name ORDER BY 1, 2, d.buyer, d.amount
SELECT a.name, t.n FROM alone a JOIN there t USING (name) JOIN dear d ON d.label = a.name ORDER BY 1, 2, d.buyer
SELECT * FROM last_sale ORDER BY 1
SELECT l.good, g.label FROM last_sale l JOIN goods g ON g.id = l.good ORDER BY 1
SELECT * FROM counted_up ORDER BY 1
SELECT * FROM ranked WHERE rank <= 2 ORDER BY buyer, rank, good
SELECT * FROM ranked_by_all WHERE rank <= 5 ORDER BY rank, buyer
SELECT moods.mood, moods.pair FROM moods ORDER BY moods.mood DESC, id
SELECT m.mood FROM moods m JOIN moods o ON m.mood < o.mood ORDER BY 1, m.id, o.id
SELECT d.good FROM dear d WHERE NOT EXISTS (SELECT 1 FROM by_label b WHERE b.label = d.label AND b.n > 2) ORDER BY 1, d.buyer
SELECT percent, quoted FROM odd_texts ORDER BY 1, 2
WITH sales AS (SELECT 1 AS buyer) SELECT d.good FROM dear d, sales s WHERE d.buyer = s.buyer ORDER BY 1
SELECT good, (SELECT n FROM by_label b WHERE b.label = d.label) FROM dear d ORDER BY 1, 2, d.buyer, d.amount
SELECT * FROM dear EXCEPT SELECT * FROM dear WHERE amount > 3 ORDER BY 1, 2, 3
SELECT doubled FROM doubling ORDER BY 1
SELECT now() >= at FROM recent LIMIT 1
SELECT v FROM listed_values ORDER BY 1
SELECT Q."Odd ""name" FROM "Quoted View" Q ORDER BY 1
SELECT * FROM invoker ORDER BY 1
-- The view's table, not what the statement calls so.
WITH countries AS (SELECT 'DE' AS code, 'x' AS name) SELECT n.name, g.id, s.buyer FROM near n JOIN countries c USING (code) JOIN goods g ON g.label = n.name JOIN sales s ON s.good = g.id ORDER BY 1, 2, 3, s.amount
SELECT a.one, b.two FROM renamed a, renamed b WHERE a.one = 3 AND b.one = 4
-- A transaction has one moment, in views too.
SELECT DISTINCT r.at = now() FROM recent r JOIN goods g ON g.id = r.good WHERE g.price < 3
