-- The directory: its entries, each shard's edition, migrations.

-- name: directory_look
-- What stands in the directory of these families and keys; every shard's edition; the latest migration; and the keys that
-- were migrated since number $3 (-1: nothing is known).  `since` says whether that one is known with its edition, else all
-- must be forgotten.  All as of one moment.
WITH asked AS (SELECT DISTINCT family, key FROM unnest($1::text[], $2::text[]) AS a (family, key))
SELECT 'entry', a.family, a.key, d.slot::int8 FROM asked AS a JOIN outgrow.directory AS d USING (family, key)
UNION ALL SELECT 'edition', '', shard, edition FROM outgrow.editions
UNION ALL SELECT 'migrated', family, key, number FROM outgrow.migrations WHERE number > $3::int8 AND $3::int8 >= 0
UNION ALL SELECT 'since', '', '', 1
          WHERE ($3::int8, $4::int8) = (0, 0) OR EXISTS (SELECT FROM outgrow.migrations
                                                         WHERE number = $3::int8 AND edition = $4::int8)
UNION ALL (SELECT 'latest', m.number::text, '', m.edition FROM outgrow.migrations AS m ORDER BY m.number DESC LIMIT 1);

-- name: directory_assign
-- Entries for keys that have none; one that is there stays.  On disk before it answers: a crash that forgot an entry
-- would hide the rows that were written by it.
WITH lasting AS MATERIALIZED (
    SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit')
                      WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, true) AS done
)
INSERT INTO outgrow.directory (family, key, slot)
SELECT a.family, a.key, a.slot
FROM lasting, unnest($1::text[], $2::text[], $3::int4[]) AS a (family, key, slot)
WHERE lasting.done IS NOT NULL
ORDER BY a.family, a.key COLLATE "C"
ON CONFLICT (family, key) DO NOTHING;

-- name: directory_counts
-- How many keys of each family each slot has.
SELECT family, slot, count(*) FROM outgrow.directory WHERE family = ANY ($1::text[]) GROUP BY family, slot;

-- name: edition
-- On any node: which keys of the directory the shard has.
SELECT edition FROM outgrow.edition;

-- name: edition_snapshot
-- Begins a transaction whose reads, the edition among them, are of one snapshot.
BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY;

-- name: edition_hold
-- Before a write outside of a transaction block, in its own transaction: no key comes or goes until it has ended.  It locks
-- the table, and no row; the comparison is another statement, whose snapshot is taken when the lock is there.
SELECT FROM outgrow.edition LIMIT 0 FOR KEY SHARE;

-- name: edition_check
-- Behind edition_hold: fails (division by zero) where the edition is another one, so that nothing behind it runs.  In an
-- isolation level where the snapshot is older than the lock it fails too: there it takes a transaction block.
SELECT edition / (edition = $1::int8 AND current_setting('transaction_isolation') = 'read committed')::int4::int8
FROM outgrow.edition;

-- name: edition_hold_block
-- In a transaction block, behind BEGIN: the same.  LOCK takes no snapshot, so whatever the isolation level is, the
-- transaction's is taken when the lock is there.
LOCK TABLE outgrow.edition IN ROW SHARE MODE;

-- name: edition_check_block
-- Behind edition_hold_block: the edition; fails (division by zero) where it is not the one that is expected, if any is.
SELECT edition / ($1::int8 IS NULL OR edition = $1::int8)::int4::int8 FROM outgrow.edition;

-- name: edition_close
-- Of a migration, on the two shards: from here to its end nobody writes on them, and who is writing ends first.
LOCK TABLE outgrow.edition IN EXCLUSIVE MODE;

-- name: edition_turn
-- Of a migration, on the two shards: who knows the directory from before must ask again.
UPDATE outgrow.edition SET edition = $1::int8;

-- name: migration_turn
-- Of a migration, on the home shard: the same for who asks.
INSERT INTO outgrow.editions (shard, edition) SELECT shard, $2::int8 FROM unnest($1::text[]) AS a (shard)
ON CONFLICT (shard) DO UPDATE SET edition = excluded.edition;

-- name: migration_entry
-- Of a migration, on the home shard: where the key is now; nobody else changes that until the end.
SELECT slot FROM outgrow.directory WHERE family = $1::text AND key = $2::text FOR UPDATE;

-- name: migration_place
-- Of a migration, on the home shard: where the key will be.
UPDATE outgrow.directory SET slot = $3::int4 WHERE family = $1::text AND key = $2::text;

-- name: migration_record
-- Of a migration, on the home shard, under the lock of definitions: its number.
INSERT INTO outgrow.migrations (number, edition, family, key, source, target, rows)
SELECT coalesce(max(m.number), 0) + 1, $1::int8, $2::text, $3::text, $4::int4, $5::int4, $6::int8
FROM outgrow.migrations AS m
RETURNING number;

-- name: edition_holders
-- Who keeps a migration from closing this shard: backend, application, address, since when, and what it does.
SELECT coalesce(a.pid, 0), coalesce(a.application_name, ''), coalesce(a.client_addr::text, 'local'),
       coalesce(a.xact_start::text, 'prepared'), coalesce(left(a.query, 60), 'a prepared transaction')
FROM pg_locks AS l LEFT JOIN pg_stat_activity AS a USING (pid)
WHERE l.relation = 'outgrow.edition'::regclass AND l.granted AND l.mode <> 'AccessShareLock'
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND l.pid IS DISTINCT FROM pg_backend_pid();

-- name: migration_settings
-- Of a migration, on the two shards: values travel as text, which must say all of them, and no row may be hidden.
SELECT set_config('row_security', 'off', true), set_config('extra_float_digits', '3', true),
       set_config('DateStyle', 'ISO', true), set_config('IntervalStyle', 'postgres', true),
       set_config('bytea_output', 'hex', true), set_config('lc_monetary', 'C', true),
       set_config('xmloption', 'content', true), set_config('client_encoding', 'UTF8', true);

-- name: migration_deferred
-- Of a migration: rows of a ring of foreign keys may come in any order.
SET CONSTRAINTS ALL DEFERRED;

-- name: directory_entries
-- Entries of these families and keys, for people.
SELECT d.family, d.key, d.slot, d.assigned_at::text
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS a (family, key, place) JOIN outgrow.directory AS d USING (family, key)
ORDER BY a.place;

-- name: directory_keys
-- At most $4 entries of these families and slots, behind the key $3.
SELECT family, key, slot, assigned_at::text FROM outgrow.directory
WHERE family = ANY ($1::text[]) AND slot = ANY ($2::int4[]) AND key > $3::text COLLATE "C"
ORDER BY key, family LIMIT $4::int8;
