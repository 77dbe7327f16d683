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
--   refused over several: OG-PLAN-009 settings lives on one shard only (s2), but the statement needs others too
--   because: plan.placing: settings lives on s2 only
--   because: plan.placing: countries is copied to every shard

SELECT * FROM settings, other_settings;
--   read, keys
--   single: s2, s3
--   refused over several: OG-PLAN-009 other_settings lives on one shard only (s2, s3), but the statement needs others too
--   because: plan.placing: settings lives on s2 only
--   because: plan.placing: other_settings lives on s3 only

SELECT * FROM settings, orders WHERE customer_id = 1;
--   read, keys
--   scan: reads orders as orders: customer_id = 1
--   single: s2
--   refused over several: OG-PLAN-009 settings lives on one shard only (s2), but the statement needs others too
--   because: plan.placing: settings lives on s2 only

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
