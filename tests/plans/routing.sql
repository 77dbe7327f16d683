-- One key: the statement goes as written.
SELECT * FROM orders WHERE customer_id = $1;
--   read, keys
--   scan: reads orders as orders: customer_id = $1
--   fragment: SELECT orders.order_id, orders.customer_id, orders.total, orders.qty, orders.status, orders.day FROM orders WHERE orders.customer_id = $1 with [1]
--   finish: concatenate
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (orders.customer_id)

SELECT * FROM orders WHERE customer_id IN (1, 2);
--   read, keys
--   scan: reads orders as orders: customer_id in (1, 2)
--   fragment: SELECT orders.order_id, orders.customer_id, orders.total, orders.qty, orders.status, orders.day FROM orders WHERE orders.customer_id IN (1, 2)
--   finish: concatenate
--   because: plan.scatter: each shard evaluates it alone: rows that meet share the key (orders.customer_id)

-- Copied tables alone: any shard.
SELECT * FROM countries;
--   read, any
--   because: plan.placing: countries is copied to every shard
--   because: plan.builder: any shard has what it reads

SELECT 1;
--   read, any
--   because: plan.builder: any shard has what it reads

-- Single tables: their shard, with copied ones.
SELECT * FROM settings, countries;
--   read, keys
--   single: s2
--   then SELECT settings.name, settings.value, countries.code, countries.name, countries.eu FROM settings CROSS JOIN countries
--   because: plan.placing: settings lives on s2 only
--   because: plan.placing: countries is copied to every shard
--   because: plan.bringing: the rows of  are brought to one server, which runs the query over them

SELECT * FROM settings, other_settings;
--   read, keys
--   single: s2, s3
--   bring other_settings as other_settings (name)
--   then SELECT settings.name, settings.value, other_settings.name FROM settings CROSS JOIN unnest($1::text[]) AS other_settings (name)
--   because: plan.placing: settings lives on s2 only
--   because: plan.placing: other_settings lives on s3 only
--   because: plan.bringing: the rows of other_settings are brought to one server, which runs the query over them

SELECT * FROM settings, orders WHERE customer_id = 1;
--   read, keys
--   scan: reads orders as orders: customer_id = 1
--   single: s2
--   bring b1: SELECT orders.order_id AS c1, orders.customer_id AS c2, orders.total AS c3, orders.qty AS c4, orders.status AS c5, orders.day AS c6 FROM orders WHERE orders.customer_id = 1
--   then SELECT settings.name, settings.value, b1.c1 AS order_id, b1.c2 AS customer_id, b1.c3 AS total, b1.c4 AS qty, b1.c5 AS status, b1.c6 AS day FROM unnest($1::int8[], $2::int8[], $3::"numeric"[], $4::int4[], $5::text[], $6::date[]) AS b1 (c1, c2, c3, c4, c5, c6) CROSS JOIN settings
--   because: plan.placing: settings lives on s2 only
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

-- More than a read, and no table: the home shard.
SELECT pg_advisory_lock(1);
--   write, home
--   because: plan.builder: the home shard, because it is more than a read: calls volatile function pg_advisory_lock

SELECT random();
--   write, home
--   because: plan.builder: the home shard, because it is more than a read: calls volatile function random

SELECT * FROM pg_catalog.pg_class;
--   read, home
--   because: plan.placing: pg_catalog.pg_class is each server's own catalogue
--   because: plan.builder: catalogue queries stick to the home shard

-- Not listed, not parsed, not a query.
SELECT * FROM unlisted;
--   error: OG-PLAN-001 table unlisted has no placement in domain d

VACUUM orders;
--   write, chosen
--   because: plan.builder: VACUUM is not understood: only a chosen shard may run it

CREATE INDEX ON orders (qty);
--   write, all
--   because: plan.builder: it defines things, so it runs on every shard in order

BEGIN;
--   write, session
--   because: plan.builder: it speaks to the session
