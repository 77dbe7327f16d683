-- Numbers are drawn beforehand and become parameters.
INSERT INTO numbered (customer_id) VALUES ($1);
--   write, keys
--   scan: inserts into numbered as numbered: customer_id = $1
--   draws: id from numbered_id_seq: INSERT INTO numbered (customer_id, id) VALUES ($1, $2)
--   change: each row goes to the shard of its key, the counts add up
--   because: plan.ids: id from numbered_id_seq is drawn for the whole fleet beforehand
--   because: plan.writing: inserts into numbered as numbered: customer_id = $1
--   because: plan.changing: the rows given do not depend on each other

INSERT INTO numbered (customer_id) VALUES ($1), ($1) RETURNING id;
--   write, keys
--   scan: inserts into numbered as numbered: customer_id = $1
--   draws: id from numbered_id_seq: INSERT INTO numbered (customer_id, id) VALUES ($1, $2), ($1, $3) RETURNING numbered.id
--   change: each row goes to the shard of its key, the counts add up
--   change: returned rows in the order of the rows given
--   because: plan.ids: id from numbered_id_seq is drawn for the whole fleet beforehand
--   because: plan.writing: inserts into numbered as numbered: customer_id = $1
--   because: plan.changing: the rows given do not depend on each other

INSERT INTO numbered (id, customer_id) VALUES (DEFAULT, 1), (7, 1);
--   write, keys
--   scan: inserts into numbered as numbered: customer_id = 1
--   draws: id from numbered_id_seq: INSERT INTO numbered (id, customer_id) VALUES ($1, 1), (7, 1)
--   change: each row goes to the shard of its key, the counts add up
--   because: plan.ids: id from numbered_id_seq is drawn for the whole fleet beforehand
--   because: plan.writing: inserts into numbered as numbered: customer_id = 1
--   because: plan.changing: the rows given do not depend on each other

INSERT INTO numbered (id, customer_id) VALUES (5, 1);
--   write, keys
--   scan: inserts into numbered as numbered: customer_id = 1
--   change: each row goes to the shard of its key, the counts add up
--   because: plan.writing: inserts into numbered as numbered: customer_id = 1
--   because: plan.changing: the rows given do not depend on each other

INSERT INTO numbered VALUES (DEFAULT, 3);
--   write, keys
--   scan: inserts into numbered as numbered: customer_id = 3
--   draws: id from numbered_id_seq: INSERT INTO numbered (id, customer_id) VALUES ($1, 3)
--   change: each row goes to the shard of its key, the counts add up
--   because: plan.ids: id from numbered_id_seq is drawn for the whole fleet beforehand
--   because: plan.writing: inserts into numbered as numbered: customer_id = 3
--   because: plan.changing: the rows given do not depend on each other

INSERT INTO numbered DEFAULT VALUES;
--   write, keys
--   scan: inserts into numbered as numbered: customer_id = NULL
--   draws: id from numbered_id_seq: INSERT INTO numbered (id) VALUES ($1)
--   change: each row goes to the shard of its key, the counts add up
--   because: plan.ids: id from numbered_id_seq is drawn for the whole fleet beforehand
--   because: plan.writing: inserts into numbered as numbered: customer_id = NULL
--   because: plan.changing: the rows given do not depend on each other

INSERT INTO numbered AS n (customer_id) VALUES (1) ON CONFLICT (customer_id, id) DO UPDATE SET customer_id = n.customer_id RETURNING *;
--   error: OG-PLAN-007 the statement changes the shard key of numbered, which could move rows to another shard

-- The key itself may be drawn.
INSERT INTO drawn (n) VALUES ($1);
--   write, keys
--   scan: inserts into drawn as drawn: key = $2
--   draws: key from s: INSERT INTO drawn (n, key) VALUES ($1, $2)
--   change: each row goes to the shard of its key, the counts add up
--   because: plan.ids: key from s is drawn for the whole fleet beforehand
--   because: plan.writing: inserts into drawn as drawn: key = $2
--   because: plan.changing: the rows given do not depend on each other

INSERT INTO people (name) VALUES ('a'), ('b');
--   write, keys
--   scan: inserts into people as people: (id = $1) or (id = $2)
--   draws: id from people_id_seq: INSERT INTO people (name, id) VALUES ('a', $1), ('b', $2)
--   change: each row goes to the shard of its key, the counts add up
--   because: plan.ids: id from people_id_seq is drawn for the whole fleet beforehand
--   because: plan.writing: inserts into people as people: (id = $1) or (id = $2)
--   because: plan.changing: the rows given do not depend on each other

INSERT INTO people DEFAULT VALUES;
--   write, keys
--   scan: inserts into people as people: id = $1
--   draws: id from people_id_seq: INSERT INTO people (id) VALUES ($1)
--   change: each row goes to the shard of its key, the counts add up
--   because: plan.ids: id from people_id_seq is drawn for the whole fleet beforehand
--   because: plan.writing: inserts into people as people: id = $1
--   because: plan.changing: the rows given do not depend on each other

-- Identities.
INSERT INTO tickets (customer_id) VALUES (1);
--   write, keys
--   scan: inserts into tickets as tickets: customer_id = 1
--   draws: id from tickets_id_seq, label from labels: INSERT INTO tickets (customer_id, id, label) OVERRIDING SYSTEM VALUE VALUES (1, $1, ('T-'::text || ($2::int8)))
--   change: each row goes to the shard of its key, the counts add up
--   because: plan.ids: id from tickets_id_seq is drawn for the whole fleet beforehand
--   because: plan.ids: label from labels is drawn for the whole fleet beforehand
--   because: plan.writing: inserts into tickets as tickets: customer_id = 1
--   because: plan.changing: the rows given do not depend on each other

INSERT INTO tickets (customer_id, label) VALUES (1, 'mine');
--   write, keys
--   scan: inserts into tickets as tickets: customer_id = 1
--   draws: id from tickets_id_seq: INSERT INTO tickets (customer_id, label, id) OVERRIDING SYSTEM VALUE VALUES (1, 'mine', $1)
--   change: each row goes to the shard of its key, the counts add up
--   because: plan.ids: id from tickets_id_seq is drawn for the whole fleet beforehand
--   because: plan.writing: inserts into tickets as tickets: customer_id = 1
--   because: plan.changing: the rows given do not depend on each other

INSERT INTO tickets (id, customer_id, label) VALUES (1, 1, 'mine');
--   error: OG-PLAN-042 cannot insert a non-DEFAULT value into column "id" of tickets: it is GENERATED ALWAYS

INSERT INTO tickets (id, customer_id, label) VALUES (DEFAULT, 1, 'a'), (2, 1, 'b');
--   error: OG-PLAN-042 cannot insert a non-DEFAULT value into column "id" of tickets: it is GENERATED ALWAYS

INSERT INTO tickets (id, customer_id, label) OVERRIDING SYSTEM VALUE VALUES (DEFAULT, 1, 'a'), (2, 1, 'b');
--   write, keys
--   scan: inserts into tickets as tickets: customer_id = 1
--   draws: id from tickets_id_seq: INSERT INTO tickets (id, customer_id, label) OVERRIDING SYSTEM VALUE VALUES ($1, 1, 'a'), (2, 1, 'b')
--   change: each row goes to the shard of its key, the counts add up
--   because: plan.ids: id from tickets_id_seq is drawn for the whole fleet beforehand
--   because: plan.writing: inserts into tickets as tickets: customer_id = 1
--   because: plan.changing: the rows given do not depend on each other

INSERT INTO tickets (id, customer_id, label) OVERRIDING USER VALUE VALUES ($1, $2, $3);
--   write, keys
--   scan: inserts into tickets as tickets: customer_id = $1
--   draws: id from tickets_id_seq: INSERT INTO tickets (id, customer_id, label) OVERRIDING SYSTEM VALUE VALUES ($3, $1, $2)
--   change: each row goes to the shard of its key, the counts add up
--   because: plan.ids: id from tickets_id_seq is drawn for the whole fleet beforehand
--   because: plan.writing: inserts into tickets as tickets: customer_id = $1
--   because: plan.changing: the rows given do not depend on each other

INSERT INTO people (id, name) OVERRIDING USER VALUE VALUES (nextval('s'), $1), ($2, 'b');
--   write, keys
--   scan: inserts into people as people: (id = $2) or (id = $3)
--   draws: id from people_id_seq: INSERT INTO people (id, name) VALUES ($2, $1), ($3, 'b')
--   change: each row goes to the shard of its key, the counts add up
--   because: plan.ids: id from people_id_seq is drawn for the whole fleet beforehand
--   because: plan.writing: inserts into people as people: (id = $2) or (id = $3)
--   because: plan.changing: the rows given do not depend on each other

INSERT INTO people (id, name) OVERRIDING USER VALUE VALUES (1, 'a');
--   write, keys
--   scan: inserts into people as people: id = $1
--   draws: id from people_id_seq: INSERT INTO people (id, name) VALUES ($1, 'a')
--   change: each row goes to the shard of its key, the counts add up
--   because: plan.ids: id from people_id_seq is drawn for the whole fleet beforehand
--   because: plan.writing: inserts into people as people: id = $1
--   because: plan.changing: the rows given do not depend on each other

-- Copied tables draw once for all shards, single tables from their own shard.
INSERT INTO notes (note) VALUES ('a');
--   write, keys
--   single: s2
--   change: the rows selected are read first, and then go where they belong
--   read the rows: SELECT "outgrow read".c0::text AS r0 FROM (SELECT 'a'::text AS v0) AS "outgrow read" (c0)
--   send them to s2, in portions
--   because: plan.placing: notes lives on s2 only
--   because: plan.changing: the rows selected are read first, and then go where they belong

INSERT INTO notes (id, note) VALUES (nextval('notes_id_seq'), 'a');
--   write, keys
--   single: s2
--   refused over several: OG-PLAN-009 notes lives on one shard only (s2), but the statement needs others too
--   because: plan.ids: it asks a sequence that only single tables on s2 draw from
--   because: plan.placing: notes lives on s2 only

-- nextval where it is computed once.
SELECT nextval('s');
--   read, any
--   draws: nextval from s: SELECT $1::int8 AS nextval
--   because: plan.ids: nextval from s is drawn for the whole fleet beforehand
--   because: plan.builder: any shard has what it reads

SELECT nextval('public.s'::regclass) AS a, nextval('"s"') + 1, nextval('labels');
--   read, any
--   draws: nextval from s, nextval from labels: SELECT $1::int8 AS a, $2::int8 + 1, $3::int8 AS nextval
--   because: plan.ids: nextval from s is drawn for the whole fleet beforehand
--   because: plan.ids: nextval from labels is drawn for the whole fleet beforehand
--   because: plan.builder: any shard has what it reads

SELECT nextval('s'), random();
--   write, home
--   draws: nextval from s: SELECT $1::int8 AS nextval, random()
--   because: plan.ids: nextval from s is drawn for the whole fleet beforehand
--   because: plan.builder: the home shard, because it is more than a read: calls volatile function random

INSERT INTO orders (order_id, customer_id) VALUES (nextval('s'), $1), (nextval('s') * 10, $1);
--   write, keys
--   scan: inserts into orders as orders: customer_id = $1
--   draws: nextval from s: INSERT INTO orders (order_id, customer_id) VALUES ($2::int8, $1), ($3::int8 * 10, $1)
--   change: each row goes to the shard of its key, the counts add up
--   because: plan.ids: nextval from s is drawn for the whole fleet beforehand
--   because: plan.writing: inserts into orders as orders: customer_id = $1
--   because: plan.changing: the rows given do not depend on each other

WITH new AS (INSERT INTO numbered (customer_id) VALUES (1) RETURNING id) SELECT id FROM new;
--   write, keys
--   scan: inserts into numbered as numbered: customer_id = 1
--   draws: id from numbered_id_seq: WITH new AS (INSERT INTO numbered (customer_id, id) VALUES (1, $1) RETURNING numbered.id) SELECT new.id FROM new
--   fragment: WITH new AS (INSERT INTO numbered (customer_id, id) VALUES (1, $1) RETURNING numbered.id) SELECT new.id FROM new with [1]
--   change: each shard changes its own rows, and what it selects is finished
--   because: plan.ids: id from numbered_id_seq is drawn for the whole fleet beforehand
--   because: plan.writing: inserts into numbered as numbered: customer_id = 1
--   because: plan.changing: each part stays with its shard, and so do the rows that it hands on
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (numbered.customer_id)

SELECT nextval('notes_id_seq');
--   write, keys
--   single: s2
--   refused over several: OG-PLAN-009 a table lives on one shard only (s2), but the statement needs others too
--   because: plan.ids: it asks a sequence that only single tables on s2 draw from

SELECT nextval('nowhere');
--   write, home
--   because: plan.builder: the home shard, because it is more than a read: calls volatile function nextval

-- And where it is not, or the server would have to be asked.
INSERT INTO numbered (customer_id) SELECT customer_id FROM orders WHERE customer_id = 1;
--   write, keys
--   scan: reads orders as orders: customer_id = 1
--   scan: inserts into numbered as numbered: customer_id = 1
--   change: the rows selected are read first, and then go where they belong
--   read the rows: SELECT "outgrow read".c0::text AS r0, "outgrow read".c0::int8 AS r1 FROM (SELECT orders.customer_id FROM orders WHERE orders.customer_id = 1) AS "outgrow read" (c0)
--   draw id from numbered_id_seq for each of them
--   send them to the shards of their keys, in portions
--   because: plan.writing: inserts into numbered as numbered: customer_id = 1
--   because: plan.changing: the rows selected are read first, and then go where they belong

INSERT INTO numbered (id, customer_id) SELECT order_id, customer_id FROM orders WHERE customer_id = 1;
--   write, keys
--   scan: reads orders as orders: customer_id = 1
--   scan: inserts into numbered as numbered: customer_id = 1
--   fragment: INSERT INTO numbered (id, customer_id) SELECT orders.order_id, orders.customer_id FROM orders WHERE orders.customer_id = 1
--   change: each shard changes its own rows, the counts add up
--   because: plan.writing: inserts into numbered as numbered: customer_id = 1
--   because: plan.changing: the rows selected are written where they are read: the key comes from the key

INSERT INTO numbered (customer_id) VALUES (1), (2) ORDER BY 1 LIMIT 1;
--   write, chosen
--   because: plan.builder: INSERT is not understood: only a chosen shard may run it

INSERT INTO odd (customer_id) VALUES (1);
--   error: OG-PLAN-006 the default of column id of odd draws from a sequence of each shard in a way that cannot be done beforehand

INSERT INTO odd (id, customer_id) VALUES (1, 1);
--   write, keys
--   scan: inserts into odd as odd: customer_id = 1
--   change: each row goes to the shard of its key, the counts add up
--   because: plan.writing: inserts into odd as odd: customer_id = 1
--   because: plan.changing: the rows given do not depend on each other

SELECT nextval('s') FROM orders WHERE customer_id = 1;
--   error: OG-PLAN-043 nextval(s) stands where nobody knows how often it is computed, and each shard has a sequence of its own

SELECT nextval('s') FROM generate_series(1, 3);
--   error: OG-PLAN-043 nextval(s) stands where nobody knows how often it is computed, and each shard has a sequence of its own

SELECT nextval($1);
--   error: OG-PLAN-043 nextval(…) stands where nobody knows how often it is computed, and each shard has a sequence of its own

UPDATE numbered SET id = DEFAULT WHERE customer_id = 1;
--   error: OG-PLAN-045 assigning DEFAULT to column id of numbered draws from a sequence of each shard, whose numbers would repeat

UPDATE orders SET order_id = nextval('s') WHERE customer_id = 1;
--   error: OG-PLAN-043 nextval(s) stands where nobody knows how often it is computed, and each shard has a sequence of its own

INSERT INTO numbered (id, customer_id) VALUES (1, 1) ON CONFLICT (customer_id, id) DO UPDATE SET id = DEFAULT;
--   error: OG-PLAN-045 assigning DEFAULT to column id of numbered draws from a sequence of each shard, whose numbers would repeat

SELECT currval('s');
--   error: OG-PLAN-044 currval asks a sequence (s) of which every shard has one of its own

SELECT lastval();
--   error: OG-PLAN-044 lastval asks a sequence (…) of which every shard has one of its own

SELECT setval('s', 10);
--   error: OG-PLAN-044 setval asks a sequence (s) of which every shard has one of its own

-- A fleet sequence never goes back.
ALTER SEQUENCE s RESTART WITH 5;
--   error: OG-PLAN-047 RESTART of s would set back the sequence of each shard, and not the fleet's, which never goes back

ALTER TABLE numbered ALTER COLUMN id RESTART;
--   error: OG-PLAN-047 RESTART of numbered would set back the sequence of each shard, and not the fleet's, which never goes back

ALTER TABLE numbered ADD COLUMN restart int;
--   write, all
--   because: plan.builder: it defines things, so it runs on every shard in order

ALTER SEQUENCE notes_id_seq RESTART;
--   write, all
--   because: plan.builder: it defines things, so it runs on every shard in order

ALTER SEQUENCE s INCREMENT BY 2;
--   write, all
--   because: plan.builder: it defines things, so it runs on every shard in order
