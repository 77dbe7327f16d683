-- Fixed statements over the views of `own.py` and tables that random statements do not ask.  See corpus.py.

-- Two uses of a view, of which one is narrowed by what it meets: each has its own rows.
SELECT (SELECT sum(value) FROM met WHERE n IN (SELECT hits FROM sittings WHERE hits < 20)) AS some, (SELECT sum(value) FROM met) AS every;
SELECT (SELECT count(*) FROM met) AS every, (SELECT count(*) FROM met WHERE n IN (SELECT hits FROM sittings WHERE hits < 5)) AS some, (SELECT count(*) FROM met WHERE n IN (SELECT visits FROM days)) AS others;

-- Equal under a collation of one's own, through other FROM items.
SELECT nick, count(*) FROM handles GROUP BY nick HAVING count(*) > 100;
SELECT lower(d.nick), count(*) FROM (SELECT nick FROM handles) d GROUP BY d.nick;
WITH d AS (SELECT nick FROM handles) SELECT lower(d.nick), count(*) FROM d GROUP BY d.nick;
SELECT lower(x.b), count(*) FROM handles x (r, c, b) GROUP BY x.b;
SELECT count(DISTINCT d.nick) FROM (SELECT nick FROM handles) d;
SELECT count(*) FROM (SELECT DISTINCT d.nick FROM (SELECT nick FROM handles) d) e;
SELECT count(*) FROM (SELECT nick FROM handles UNION SELECT nick FROM handles) u;
SELECT lower(nick), count(*) FROM nicks GROUP BY nick;
SELECT lower(name), count(*) FROM customers GROUP BY name, name COLLATE blind HAVING name > 'm';
SELECT count(DISTINCT name COLLATE blind) FROM customers;
SELECT rid FROM handles h ORDER BY (h).nick COLLATE "C", rid;

-- The first rows of what is ordered already.
-- order: total
SELECT rid, total FROM dearest LIMIT 7;
-- order: total
SELECT rid FROM dearest WHERE qty > 3 LIMIT 5 OFFSET 2;

-- Refused, as modifiers differ; over several domains, whose rows come without them, it is answered.
SELECT a.slug FROM tags a JOIN docs b USING (slug) GROUP BY slug;
