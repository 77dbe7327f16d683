-- Indexes of the whole domain: what came and went, and the entries.

-- name: unique_drain
-- In a branch that has written: what it has done to values since it was last asked, as much as is left of it (a value that
-- came and went is none), by index and place; values and keys as arrays, which travel as they are.
WITH noted AS (SELECT set_config('outgrow.unique_noted', '', true) AS done),
     gone AS (DELETE FROM outgrow.unique_changes WHERE transaction = pg_current_xact_id_if_assigned()
              RETURNING index, place, value, key, sign),
     net AS (SELECT index, place, value, key, sum(sign) AS sign FROM gone
             GROUP BY index, place, value, key HAVING sum(sign) <> 0)
SELECT index, place, sign > 0, count(*), array_agg(value ORDER BY value)::text, array_agg(key ORDER BY value)::text
FROM net, noted, generate_series(1, abs(net.sign)) WHERE noted.done IS NOT NULL GROUP BY index, place, sign > 0 ORDER BY 1, 2, 3;

-- name: unique_release
-- On the values' shard: no row has them any more.
DELETE FROM outgrow.unique_values AS v USING unnest($2::text[], $3::text[]) AS r (value, key)
WHERE v.index = $1::int4 AND v.value = r.value AND v.key = r.key;

-- name: unique_await
-- Where fewer were there than released: another transaction, whose row is seen already, may still be about to commit its
-- entry here.  This waits for it; then release again.
INSERT INTO outgrow.unique_values (index, value, key)
SELECT $1::int4, r.value, r.key FROM unnest($2::text[], $3::text[]) AS r (value, key) ORDER BY r.value
ON CONFLICT (index, value) DO NOTHING;

-- name: unique_claim
-- On the values' shard: as many as could be had, which is all of them or somebody else has one.  Waits for whoever is about
-- to take or leave one.
INSERT INTO outgrow.unique_values (index, value, key)
SELECT $1::int4, r.value, r.key FROM unnest($2::text[], $3::text[]) AS r (value, key) ORDER BY r.value
ON CONFLICT (index, value) DO NOTHING;

-- name: unique_taken
-- Behind it, where they were fewer: some values that another row has.
SELECT g.value FROM (SELECT r.value, min(r.key) AS key, count(*) AS times
                     FROM unnest($2::text[], $3::text[]) AS r (value, key) GROUP BY r.value) AS g
JOIN outgrow.unique_values AS v ON v.index = $1::int4 AND v.value = g.value
WHERE v.key <> g.key OR g.times > 1 ORDER BY 1 LIMIT 3;

-- name: unique_indexes
-- On the home shard: all of them.
SELECT number, name, schema_name, table_name, columns, shards, built_at::text FROM outgrow.unique_indexes ORDER BY number;

-- name: unique_number
-- On the home shard: a number that no index had so far.
SELECT nextval('outgrow.unique_numbers')::int4;

-- name: unique_record
-- On the home shard: it is built.
INSERT INTO outgrow.unique_indexes (number, name, schema_name, table_name, columns, shards)
VALUES ($1::int4, $2::text, $3::text, $4::text, $5::text[], $6::text[]);

-- name: unique_forget
-- On the home shard: no indexes but these.
DELETE FROM outgrow.unique_indexes WHERE number <> ALL ($1::int4[]);

-- name: unique_sweep
-- On every shard: no entries but those of these.
DELETE FROM outgrow.unique_values WHERE index <> ALL ($1::int4[]);

-- name: unique_misplaced
-- On every shard: entries of this index that belong on another one; this one is number $3 of $2.
SELECT count(*) FROM outgrow.unique_values WHERE index = $1::int4 AND outgrow.unique_place(value, $2::int4) <> $3::int4;

-- name: unique_sums
-- On every shard: how many entries, and one number that two different sets of them hardly share, by a 256th of the hash.
SELECT hashtextextended(value, 7) & 255, count(*), sum(hashtextextended(value || E'\x01' || key, 8)::numeric)::text
FROM outgrow.unique_values WHERE index = $1::int4 GROUP BY 1;

-- name: unique_part
-- On every shard: the entries of these 256ths.
SELECT value, key FROM outgrow.unique_values
WHERE index = $1::int4 AND hashtextextended(value, 7) & 255 = ANY ($2::int8[]);
