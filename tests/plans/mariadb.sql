-- Plans over several shards of MariaDB.

-- Text of a collation that compares bytes sorts as it is; any other by its weights.
SELECT id, customer FROM orders ORDER BY customer, id;
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT `orders`.`id`, `orders`.`customer` FROM `orders` ORDER BY `orders`.`customer`, `orders`.`id`
--   finish: merge by column 2 nulls first, 1 nulls first
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (orders.id)
SELECT id FROM orders ORDER BY note DESC, id;
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT `orders`.`id`, LEFT(WEIGHT_STRING(`orders`.`note` AS CHAR(30)), 1024) AS `_sort2` FROM `orders` ORDER BY `orders`.`note` DESC, `orders`.`id`
--   finish: merge by column 2 desc, 1 nulls first; cut 1 hidden column(s)
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (orders.id)
SELECT id FROM orders ORDER BY word, memo;
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT `orders`.`id`, LEFT(WEIGHT_STRING(`orders`.`word` AS CHAR(160)), 1024) AS `_sort2`, LEFT(WEIGHT_STRING(`orders`.`memo` AS CHAR(20)), 1024) AS `_sort3` FROM `orders` ORDER BY `orders`.`word`, `orders`.`memo`
--   finish: merge by column 2 nulls first, 3 nulls first; cut 2 hidden column(s)
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (orders.id)
SELECT id FROM orders ORDER BY note COLLATE utf8mb4_nopad_bin;
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT `orders`.`id`, `orders`.`note` COLLATE `utf8mb4_nopad_bin` AS `_sort2` FROM `orders` ORDER BY 2
--   finish: merge by column 2 nulls first; cut 1 hidden column(s)
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (orders.id)
SELECT id FROM orders ORDER BY UPPER(customer), DATE_FORMAT(day, '%Y-%m');
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT `orders`.`id`, upper(`orders`.`customer`) AS `_sort2`, date_format(`orders`.`day`, '%Y-%m') AS `_sort3` FROM `orders` ORDER BY 2, 3
--   finish: merge by column 2 nulls first, 3 nulls first; cut 2 hidden column(s)
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (orders.id)
SELECT id FROM orders ORDER BY body;
--   read, keys
--   scan: reads orders as orders: any key
--   refused over several: OG-PLAN-048 ORDER BY body (text) is not answered over several shards of MariaDB yet
SELECT id FROM orders ORDER BY token;
--   read, keys
--   scan: reads orders as orders: any key
--   refused over several: OG-PLAN-048 ORDER BY token (uuid) is not answered over several shards of MariaDB yet

-- Other types that Python does not order sort by what the server sorts by.
SELECT id FROM orders ORDER BY stamp, weight, kind, at, u;
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT `orders`.`id`, unix_timestamp(`orders`.`stamp`) AS `_sort2`, `orders`.`weight` + 0e0 AS `_sort3`, `orders`.`kind` + 0 AS `_sort4`, `orders`.`at` AS `_sort5`, `orders`.`u` AS `_sort6` FROM `orders` ORDER BY `orders`.`stamp`, `orders`.`weight`, `orders`.`kind`, `orders`.`at`, `orders`.`u`
--   finish: merge by column 2 nulls first, 3 nulls first, 4 nulls first, 5 nulls first, 6 nulls first; cut 5 hidden column(s)
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (orders.id)

-- A LIMIT takes no sum, so it is added beforehand.
SELECT id FROM orders ORDER BY id LIMIT 5, 10;
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT `orders`.`id` FROM `orders` ORDER BY `orders`.`id` LIMIT 15
--   finish: merge by column 1 nulls first; skip OFFSET rows; stop after LIMIT rows
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (orders.id)
--   because: plan.scatter: no shard needs to return more than LIMIT + OFFSET rows
SELECT id FROM orders ORDER BY id LIMIT %s OFFSET %s;
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT `orders`.`id` FROM `orders` ORDER BY `orders`.`id` LIMIT $1 with [3]
--   finish: merge by column 1 nulls first; skip OFFSET rows; stop after LIMIT rows
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (orders.id)
--   because: plan.scatter: no shard needs to return more than LIMIT + OFFSET rows

-- What is spelt otherwise.
SELECT ID, n DIV 2 * 3, n MOD 3, n <=> region FROM orders WHERE customer REGEXP '^b' && NOT (n = 5) || customer NOT RLIKE "x";
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT `orders`.`id` AS `ID`, `orders`.`n` DIV 2 * 3 AS `n DIV 2 * 3`, `orders`.`n` % 3 AS `n MOD 3`, `orders`.`n` <=> `orders`.`region` AS `n <=> region` FROM `orders` WHERE `orders`.`customer` REGEXP '^b' AND NOT `orders`.`n` = 5 OR `orders`.`customer` NOT REGEXP 'x'
--   finish: concatenate
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (orders.id)
SELECT id FROM orders WHERE (n IS NULL) = (region IS NULL) AND day > '2024-01-01' - INTERVAL n + 1 DAY;
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT `orders`.`id` FROM `orders` WHERE (`orders`.`n` IS NULL) = (`orders`.`region` IS NULL) AND `orders`.`day` > '2024-01-01' - INTERVAL (`orders`.`n` + 1) DAY
--   finish: concatenate
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (orders.id)
SELECT CAST(n AS CHAR), EXTRACT(YEAR FROM day), LEFT(customer, 2), TIMESTAMPDIFF(DAY, day, made) FROM orders;
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT CAST(`orders`.`n` AS CHAR) AS `CAST(n AS CHAR)`, EXTRACT(YEAR FROM `orders`.`day`) AS `EXTRACT(YEAR FROM day)`, left(`orders`.`customer`, 2) AS `LEFT(customer, 2)`, TIMESTAMPDIFF(DAY, `orders`.`day`, `orders`.`made`) AS `TIMESTAMPDIFF(DAY, day, made)` FROM `orders`
--   finish: concatenate
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (orders.id)
SELECT id FROM orders WHERE `n` = TRUE AND customer = 'it\'s' AND note LIKE '%\\_';
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT `orders`.`id` FROM `orders` WHERE `orders`.`n` = 1 AND `orders`.`customer` = 'it\'s' AND `orders`.`note` LIKE '%\\_'
--   finish: concatenate
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (orders.id)

-- Aggregates.
SELECT region, COUNT(*), SUM(n), AVG(total), MIN(customer), MAX(made), BIT_OR(n) FROM orders GROUP BY region;
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT `orders`.`region` AS `c1`, count(*) AS `c2`, sum(`orders`.`n`) AS `c3`, sum(`orders`.`total`) AS `c4`, count(`orders`.`total`) AS `c5`, min(`orders`.`customer`) AS `c6`, max(`orders`.`made`) AS `c7`, bit_or(`orders`.`n`) AS `c8` FROM `orders` GROUP BY `orders`.`region`
--   finish: combine groups by column 1: count count(…), sum sum(…), avg avg(…), min min(…), max max(…), bit or bit_or(…)
--   because: plan.scatter: groups span shards: each shard computes partial results, which are combined
SELECT COUNT(DISTINCT note), COUNT(DISTINCT memo), SUM(DISTINCT n) FROM orders;
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT WEIGHT_STRING(`orders`.`note` AS CHAR(30)) AS `c1`, WEIGHT_STRING(`orders`.`memo` AS CHAR(20)) AS `c2`, `orders`.`n` AS `c3` FROM `orders` GROUP BY 1, 2, `orders`.`n`
--   finish: combine groups: count distinct count(DISTINCT …), count distinct count(DISTINCT …), sum distinct sum(DISTINCT …)
--   because: plan.scatter: groups span shards: each shard computes partial results, which are combined
SELECT region, SUM(n) / COUNT(*) AS mean FROM orders GROUP BY region HAVING mean > 3 ORDER BY mean DESC;
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT `orders`.`region` AS `c1`, sum(`orders`.`n`) AS `c2`, count(*) AS `c3` FROM `orders` GROUP BY `orders`.`region`
--   finish: combine groups by column 1: sum sum(…), count count(…); keep groups by HAVING; sort by column 2 desc
--   because: plan.scatter: groups span shards: each shard computes partial results, which are combined
SELECT SUM(n) AS n FROM orders GROUP BY region HAVING n > 2 AND SUM(n) < 9;
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT `orders`.`region` AS `c1`, sum(`orders`.`n`) AS `c2` FROM `orders` GROUP BY `orders`.`region`
--   finish: combine groups by column 1: sum sum(…); keep groups by HAVING
--   because: plan.scatter: groups span shards: each shard computes partial results, which are combined
SELECT DATE_FORMAT(day, '%Y-%m') AS month, COUNT(*) FROM orders GROUP BY month ORDER BY month;
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT date_format(`orders`.`day`, '%Y-%m') AS `c1`, count(*) AS `c2` FROM `orders` GROUP BY 1
--   finish: combine groups by column 1: count count(…); sort by column 1 nulls first
--   because: plan.scatter: groups span shards: each shard computes partial results, which are combined
SELECT CASE WHEN n > 0 THEN 'more' ELSE 'less' END AS w, COUNT(*) FROM orders GROUP BY w;
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT CASE WHEN `orders`.`n` > 0 THEN 'more' ELSE 'less' END AS `c1`, count(*) AS `c2` FROM `orders` GROUP BY 1
--   finish: combine groups by column 1: count count(…)
--   because: plan.scatter: groups span shards: each shard computes partial results, which are combined
SELECT o.*, COUNT(*) FROM orders o JOIN items i ON i.order_id = o.id GROUP BY o.id;
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads items as i: any key
--   fragment: SELECT `o`.`id`, `o`.`customer`, `o`.`note`, `o`.`memo`, `o`.`word`, `o`.`body`, `o`.`region`, `o`.`n`, `o`.`total`, `o`.`ratio`, `o`.`day`, `o`.`made`, `o`.`at`, `o`.`stamp`, `o`.`weight`, `o`.`kind`, `o`.`u`, `o`.`token`, count(*) AS `COUNT(*)` FROM `orders` AS `o` JOIN `items` AS `i` ON `i`.`order_id` = `o`.`id` GROUP BY `o`.`id`
--   finish: concatenate
--   because: plan.scatter: each group lies on one shard, because it contains the key (o.id)

-- Refused: nobody knows which of the equal ones is shown, or which row.
SELECT note, COUNT(*) FROM orders GROUP BY note;
--   read, keys
--   scan: reads orders as orders: any key
--   refused over several: OG-PLAN-048 GROUP BY or DISTINCT over note (mariadb.varchar(30) collate utf8mb4_general_ci) is not answered over several shards of MariaDB yet
SELECT DISTINCT memo FROM orders;
--   read, keys
--   scan: reads orders as orders: any key
--   refused over several: OG-PLAN-048 GROUP BY or DISTINCT over memo (mariadb.varchar(20) collate utf8mb4_bin) is not answered over several shards of MariaDB yet
SELECT MAX(note) FROM orders;
--   read, keys
--   scan: reads orders as orders: any key
--   refused over several: OG-PLAN-048 max of note (mariadb.varchar(30) collate utf8mb4_general_ci) is not answered over several shards of MariaDB yet
SELECT CASE WHEN n > 0 THEN 'A' ELSE 'a' END AS w, COUNT(*) FROM orders GROUP BY w;
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT CASE WHEN `orders`.`n` > 0 THEN 'A' ELSE 'a' END AS `c1`, count(*) AS `c2` FROM `orders` GROUP BY 1
--   finish: combine groups by column 1: count count(…)
--   because: plan.scatter: groups span shards: each shard computes partial results, which are combined
SELECT region, customer, COUNT(*) FROM orders GROUP BY region;
--   read, keys
--   scan: reads orders as orders: any key
--   refused over several: OG-PLAN-048 the column customer, which is not in GROUP BY, is not answered over several shards of MariaDB yet
SELECT id, qty FROM orders JOIN items ON order_id = id GROUP BY id;
--   read, keys
--   scan: reads orders as orders: any key
--   scan: reads items as items: any key
--   refused over several: OG-PLAN-048 the column qty, which is not in GROUP BY, is not answered over several shards of MariaDB yet

-- Refused: a quotient has digits that it does not show.
SELECT SUM(n / 3) FROM orders;
--   read, keys
--   scan: reads orders as orders: any key
--   refused over several: OG-PLAN-048 sum(…) of a quotient, which has digits that it does not show, is not answered over several shards of MariaDB yet
SELECT n / 3, COUNT(*) FROM orders GROUP BY n / 3;
--   read, keys
--   scan: reads orders as orders: any key
--   refused over several: OG-PLAN-048 GROUP BY or DISTINCT over a quotient, which has digits that it does not show, is not answered over several shards of MariaDB yet
SELECT DISTINCT AVG(n) FROM orders GROUP BY region;
--   read, keys
--   scan: reads orders as orders: any key
--   refused over several: OG-PLAN-048 DISTINCT over averages or quotients, which have digits that they do not show, is not answered over several shards of MariaDB yet

SELECT ROUND(AVG(n), 2) AS a FROM orders GROUP BY region ORDER BY a;
--   read, keys
--   scan: reads orders as orders: any key
--   refused over several: OG-PLAN-048 computing with avg(…) in groups that an aggregate orders (sum(…) / count(…) would do) is not answered over several shards of MariaDB yet
SELECT IFNULL(AVG(n), 0) AS a, ROUND(SUM(n) / COUNT(n), 2) FROM orders GROUP BY region HAVING AVG(n) > 2 ORDER BY a;
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT `orders`.`region` AS `c1`, sum(`orders`.`n`) AS `c2`, count(`orders`.`n`) AS `c3` FROM `orders` GROUP BY `orders`.`region`
--   finish: combine groups by column 1: avg avg(…), sum sum(…), count count(…); keep groups by HAVING; sort by column 1 nulls first
--   because: plan.scatter: groups span shards: each shard computes partial results, which are combined
SELECT ROUND(AVG(n), 2) FROM orders GROUP BY region ORDER BY region DESC;
--   read, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT `orders`.`region` AS `c1`, sum(`orders`.`n`) AS `c2`, count(`orders`.`n`) AS `c3` FROM `orders` GROUP BY `orders`.`region`
--   finish: combine groups by column 1: avg avg(…); sort by column 2 desc; cut 1 hidden column(s)
--   because: plan.scatter: groups span shards: each shard computes partial results, which are combined

-- Refused: shards could not be combined.
SELECT STDDEV(n) FROM orders;
--   read, keys
--   scan: reads orders as orders: any key
--   refused over several: OG-PLAN-014 the aggregate stddev(…) cannot be combined from the shards' partial results
SELECT GROUP_CONCAT(customer SEPARATOR ';') FROM orders;
--   read, keys
--   scan: reads orders as orders: any key
--   refused over several: OG-PLAN-048 GROUP_CONCAT with SEPARATOR is not answered over several shards of MariaDB yet
SELECT id, GROUP_CONCAT(customer ORDER BY n SEPARATOR ';') FROM orders GROUP BY id;
--   read, keys
--   scan: reads orders as orders: any key
--   refused over several: OG-PLAN-048 GROUP_CONCAT with SEPARATOR is not answered over several shards of MariaDB yet
SELECT id FROM orders HAVING id > 5;
--   read, keys
--   scan: reads orders as orders: any key
--   refused over several: OG-PLAN-048 HAVING without GROUP BY, which filters rows there, is not answered over several shards of MariaDB yet
SELECT DISTINCT region FROM orders ORDER BY n;
--   read, keys
--   scan: reads orders as orders: any key
--   refused over several: OG-PLAN-048 DISTINCT that is ordered by what it does not select is not answered over several shards of MariaDB yet
SELECT id + %s FROM orders;
--   read, keys
--   scan: reads orders as orders: any key
--   refused over several: OG-PLAN-048 an expression without alias, whose name depends on a parameter, is not answered over several shards of MariaDB yet
SELECT * FROM (SELECT id, n + 1 FROM orders) x;
--   read, keys
--   scan: reads orders as orders: any key
--   refused over several: OG-PLAN-048 an expression without alias, whose name depends on a parameter, is not answered over several shards of MariaDB yet
SELECT NOW(), id FROM orders;
--   read, keys
--   scan: reads orders as orders: any key
--   refused over several: OG-PLAN-017 now() differs from shard to shard
SELECT -n AS n, ROW_NUMBER() OVER (PARTITION BY id ORDER BY n) FROM orders;
--   read, keys
--   scan: reads orders as orders: any key
--   refused over several: OG-PLAN-048 n in OVER, which is an alias too, is not answered over several shards of MariaDB yet
SELECT id FROM orders FOR UPDATE;
--   write, keys
--   scan: reads orders as orders: any key
--   fragment: SELECT `orders`.`id` FROM `orders` FOR UPDATE
--   finish: concatenate
--   change: one shard after another, in their order
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (orders.id)
--   because: plan.locking: locks are taken on one shard after another, in their order

-- Subqueries, CTEs, windows, set operations.
SELECT id FROM orders WHERE id IN (SELECT order_id FROM items WHERE qty > 3);
--   read, keys
--   scan: reads orders as orders: any key
--   scan: reads items as items: any key
--   fragment: SELECT `orders`.`id` FROM `orders` WHERE `orders`.`id` = ANY (SELECT `items`.`order_id` FROM `items` WHERE `items`.`qty` > 3)
--   finish: concatenate
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (orders.id)
WITH x AS (SELECT order_id, SUM(qty) AS s FROM items GROUP BY order_id) SELECT s, COUNT(*) FROM x GROUP BY s;
--   read, keys
--   scan: reads items as items: any key
--   fragment: WITH `x` AS (SELECT `items`.`order_id`, sum(`items`.`qty`) AS `s` FROM `items` GROUP BY `items`.`order_id`) SELECT `x`.`s` AS `c1`, count(*) AS `c2` FROM `x` GROUP BY `x`.`s`
--   finish: combine groups by column 1: count count(…)
--   because: plan.scatter: groups span shards: each shard computes partial results, which are combined
SELECT order_id, SUM(qty) OVER (PARTITION BY order_id ORDER BY pos ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS s FROM items;
--   read, keys
--   scan: reads items as items: any key
--   fragment: SELECT `items`.`order_id`, sum(`items`.`qty`) OVER (PARTITION BY `items`.`order_id` ORDER BY `items`.`pos` ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) AS `s` FROM `items`
--   finish: concatenate
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (items.order_id)
SELECT id, customer FROM orders UNION SELECT order_id, 'x' FROM items;
--   read, keys
--   scan: reads orders as orders: any key
--   scan: reads items as items: any key
--   fragment: (SELECT `orders`.`id`, `orders`.`customer` FROM `orders`) UNION (SELECT `items`.`order_id`, 'x' AS `﷐2` FROM `items`)
--   finish: concatenate
--   because: plan.scatter: each arm's rows are the shards' rows together
SELECT region, UPPER(customer) FROM orders UNION ALL SELECT region, customer FROM orders ORDER BY 1;
--   read, keys
--   scan: reads orders as orders: any key
--   scan: reads orders as orders: any key
--   fragment: (SELECT `orders`.`region`, upper(`orders`.`customer`) AS `UPPER(customer)` FROM `orders`) UNION ALL (SELECT `orders`.`region`, `orders`.`customer` FROM `orders`) ORDER BY 1
--   finish: merge by column 1 nulls first
--   because: plan.scatter: each arm's rows are the shards' rows together
UPDATE orders SET n = n + 1 WHERE n > 3;
--   write, keys
--   scan: writes orders as orders: any key
--   fragment: UPDATE orders SET n = n + 1 WHERE n > 3;
--   change: one shard says what time it is, for all of them
--   change: each shard changes its own rows, the counts add up
--   because: plan.changing: each shard changes its own rows: all that decides on them shares the key (orders.id)
--   because: plan.mariadb_writes: each shard runs it as written, told the same moment
INSERT INTO orders (id, n) VALUES (1, 2), (3, 4) ON DUPLICATE KEY UPDATE n = VALUES(n);
--   write, keys
--   scan: inserts into orders as orders: (id = 1) or (id = 3)
--   change: one shard says what time it is, for all of them
--   change: each row goes to the shard of its key, the counts add up
--   because: plan.writing: inserts into orders as orders: (id = 1) or (id = 3)
--   because: plan.changing: the rows given do not depend on each other
--   because: plan.mariadb_writes: each shard runs it as written, told the same moment
INSERT IGNORE INTO orders (id) VALUES (1);
--   error: OG-PLAN-051 INSERT IGNORE into orders stores a key that does not fit changed, and then on the wrong shard
UPDATE orders SET id = id + 1;
--   write, keys
--   scan: writes orders as orders: any key
--   refused over several: OG-PLAN-049 UPDATE of the shard key is not done over several shards of MariaDB
--   because: plan.writing: the key of orders is assigned
--   because: plan.changing: the rows are read where they are, and go to where their new keys belong
DELETE FROM orders WHERE id IN (SELECT order_id FROM items);
--   write, keys
--   scan: writes orders as orders: any key
--   scan: reads items as items: any key
--   refused over several: OG-PLAN-049 a change with a subquery is not done over several shards of MariaDB
--   because: plan.changing: each shard changes its own rows: all that decides on them shares the key (orders.id)
