-- What the runtime asks of servers beside the users' own statements.

-- name: lock_timeout
-- In a DDL's transaction: whoever waits for a table's lock stands in the way of all who come later, so not for long.
SELECT set_config('lock_timeout', $1::text, true);

-- name: still_primary
-- Behind a pooler, before a read or a branch: fails on a replica (55000), wherever the pooler leads by now.
SELECT pg_current_wal_insert_lsn();

-- name: observed
-- Tables by OID, and unique keys over plain columns: what a DDL renamed, dropped or newly keyed shows by comparison.  And
-- triggers of what is unique in the whole domain that name columns which are gone: every write of the table fails then.
SELECT 'table', c.oid::int8, n.nspname::text, c.relname::text, NULL::text, NULL::text[]
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'f') AND n.nspname NOT IN ('outgrow', 'pg_catalog', 'information_schema', 'pg_toast')
UNION ALL
SELECT 'key', x.indexrelid::int8, n.nspname::text, c.relname::text, i.relname::text,
       (SELECT array_agg(a.attname::text ORDER BY k.place)
        FROM unnest(x.indkey::int2[]) WITH ORDINALITY AS k(number, place)
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.number
        WHERE k.place <= x.indnkeyatts)
FROM pg_catalog.pg_index AS x
JOIN pg_catalog.pg_class AS c ON c.oid = x.indrelid
JOIN pg_catalog.pg_class AS i ON i.oid = x.indexrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE x.indisunique AND n.nspname NOT IN ('outgrow', 'pg_catalog', 'information_schema', 'pg_toast')
UNION ALL
SELECT 'stranded', t.oid::int8, n.nspname::text, c.relname::text, t.said ->> 1, gone.columns
FROM (SELECT t.oid, t.tgrelid, convert_from(substr(t.tgargs, 1, length(t.tgargs) - 1), 'UTF8')::jsonb AS said
      FROM pg_catalog.pg_proc AS f
      JOIN pg_catalog.pg_trigger AS t ON t.tgfoid = f.oid AND t.tgnargs = 1
      WHERE f.pronamespace = to_regnamespace('outgrow') AND f.proname ~ '^unique_[0-9]+$') AS t
JOIN pg_catalog.pg_class AS c ON c.oid = t.tgrelid JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (
    SELECT array_agg(named.name) AS columns
    FROM jsonb_array_elements_text((t.said -> 2) || (t.said -> 3)) AS named(name)
    WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_attribute AS a
                      WHERE a.attrelid = t.tgrelid AND a.attname = named.name AND NOT a.attisdropped)) AS gone
WHERE gone.columns IS NOT NULL;

-- name: references
-- Foreign keys by OID, with the columns' types by name; not those that partitions have from their parents.
SELECT f.oid::int8, f.conname::text, ARRAY[n.nspname, c.relname]::text[], own.names, own.types,
       ARRAY[rn.nspname, r.relname]::text[], their.names, their.types
FROM pg_catalog.pg_constraint AS f
JOIN pg_catalog.pg_class AS c ON c.oid = f.conrelid JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_class AS r ON r.oid = f.confrelid JOIN pg_catalog.pg_namespace AS rn ON rn.oid = r.relnamespace
CROSS JOIN LATERAL (
    SELECT array_agg(a.attname::text ORDER BY k.place) AS names, array_agg(t.typname::text ORDER BY k.place) AS types
    FROM unnest(f.conkey) WITH ORDINALITY AS k(number, place)
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = f.conrelid AND a.attnum = k.number
    JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid) AS own
CROSS JOIN LATERAL (
    SELECT array_agg(a.attname::text ORDER BY k.place) AS names, array_agg(t.typname::text ORDER BY k.place) AS types
    FROM unnest(f.confkey) WITH ORDINALITY AS k(number, place)
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = f.confrelid AND a.attnum = k.number
    JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid) AS their
WHERE f.contype = 'f' AND f.conparentid = 0 AND n.nspname <> 'outgrow';

-- name: holders
-- Who keeps a backend waiting for a lock; pid 0 is a prepared transaction.
SELECT b.pid, a.application_name, a.state, extract(epoch FROM clock_timestamp() - a.xact_start)::float8,
       left(a.query, 100)
FROM (SELECT DISTINCT unnest(pg_blocking_pids($1::int4))) AS b(pid) LEFT JOIN pg_stat_activity AS a USING (pid);

-- name: indexes
-- A table's indexes: OID, bare name, the name as SQL wants it, whether queries may use it, whether it is being built.
SELECT x.indexrelid::int8, i.relname::text, format('%I.%I', n.nspname, i.relname), x.indisvalid,
       EXISTS (SELECT FROM pg_stat_progress_create_index AS p
               WHERE p.index_relid = x.indexrelid AND p.datname = current_database())
FROM pg_catalog.pg_index AS x
JOIN pg_catalog.pg_class AS i ON i.oid = x.indexrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = i.relnamespace
WHERE x.indrelid = to_regclass($1::text) AND i.relkind = 'i';

-- name: rebuilt
-- What an interrupted REINDEX CONCURRENTLY leaves behind, and nobody is building at the moment.
SELECT format('%I.%I', n.nspname, i.relname)
FROM pg_catalog.pg_index AS x
JOIN pg_catalog.pg_class AS i ON i.oid = x.indexrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = i.relnamespace
WHERE NOT x.indisvalid AND i.relkind = 'i' AND i.relname ~ '_cc(new|old)\d*$' AND n.nspname <> 'pg_toast'
  AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index AS p
                  WHERE p.relid = x.indrelid AND p.datname = current_database());

-- name: present
-- Which of these names mean a relation.
SELECT name FROM unnest($1::text[]) AS t(name) WHERE to_regclass(name) IS NOT NULL;

-- name: text_settings
-- What the text of floating-point numbers, times and intervals depends on.
SELECT current_setting('extra_float_digits'), current_setting('DateStyle'), current_setting('IntervalStyle');

-- name: set_text_settings
-- The same set until the transaction's end.
SELECT set_config('extra_float_digits', $1, true), set_config('DateStyle', $2, true),
       set_config('IntervalStyle', $3, true);

-- name: for_each_row
-- What is computed anew for each of $1 rows.
SELECT {items} FROM generate_series(1, $1::int8);

-- name: unique_keys
-- Unique keys of a table that hold at once and for all its rows: name, columns, whether two NULLs are equal, whether a
-- collation of the index's own calls equal what differs, and whether a crash empties the table.
SELECT i.relname::text,
       (SELECT array_agg(a.attname::text ORDER BY k.place)
        FROM unnest(x.indkey::int2[]) WITH ORDINALITY AS k(number, place)
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = x.indrelid AND a.attnum = k.number
        WHERE k.place <= x.indnkeyatts),
       coalesce((to_jsonb(x) ->> 'indnullsnotdistinct')::boolean, false),
       EXISTS (SELECT FROM unnest(x.indcollation::oid[]) AS own(id)
               JOIN pg_catalog.pg_collation AS k ON k.oid = own.id WHERE NOT k.collisdeterministic),
       i.relpersistence <> 'p'
FROM pg_catalog.pg_index AS x JOIN pg_catalog.pg_class AS i ON i.oid = x.indexrelid
WHERE x.indrelid = $1::text::regclass AND x.indisunique AND x.indisvalid AND x.indimmediate
  AND x.indpred IS NULL AND x.indexprs IS NULL
ORDER BY 1;

-- name: unique_removals
-- Statements that take away the triggers and functions of all indexes of the whole domain but these.
WITH gone AS (SELECT p.oid, p.proname FROM pg_catalog.pg_proc AS p
              JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
              WHERE n.nspname = 'outgrow' AND p.proname ~ '^unique_[0-9]+$'
                AND substr(p.proname, 8)::int4 <> ALL ($1::int4[]))
SELECT 1, format('DROP TRIGGER %I ON %I.%I', t.tgname, n.nspname, c.relname)
FROM gone JOIN pg_catalog.pg_trigger AS t ON t.tgfoid = gone.oid
JOIN pg_catalog.pg_class AS c ON c.oid = t.tgrelid JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
UNION ALL SELECT 2, format('DROP FUNCTION outgrow.%I()', proname) FROM gone
ORDER BY 1, 2;
