-- DDL as it is recorded, on the home shard and on each shard; placements.

-- name: definition_lock
-- One DDL of a domain at a time; held by the session, or by a transaction that defines.  Home is the domain's database.
SELECT pg_try_advisory_lock(x'6f7567726f7764'::int8);

-- name: definition_lock_in_block
-- The same lock for a transaction with DDL of its own; it ends with the transaction, also a prepared one.
SELECT pg_try_advisory_xact_lock(x'6f7567726f7764'::int8);

-- name: definition_unlock
-- The next DDL may begin.
SELECT pg_advisory_unlock(x'6f7567726f7764'::int8);

-- name: definition_lock_holder
-- Who holds the lock: backend, application, address, and since when its session or transaction has been there.
SELECT a.pid, a.application_name, coalesce(a.client_addr::text, 'local'), coalesce(a.xact_start, a.backend_start)::text
FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND (l.classid::int8 << 32 | l.objid::int8) = x'6f7567726f7764'::int8;

-- name: definition_record
-- A DDL that is about to begin; under the lock.
INSERT INTO outgrow.definitions (domain, number, sql, settings, shards)
SELECT $1::text, coalesce(max(d.number), 0) + 1, $2::text, $3::text[], $4::text[]
FROM outgrow.definitions AS d WHERE d.domain = $1::text
RETURNING number, id::text;

-- name: definitions
-- DDL of a domain by state, oldest first; all states where none is named.
SELECT number, id::text, sql, settings, shards, done, state, failed_shard, error
FROM outgrow.definitions WHERE domain = $1::text AND ($2::text[] = '{}' OR state = ANY($2::text[])) ORDER BY number;

-- name: definition_note
-- A DDL's progress: which shards have it.
UPDATE outgrow.definitions SET done = $3::text[], state = 'running', failed_shard = NULL, error = NULL
WHERE domain = $1::text AND number = $2::int8;

-- name: definition_end
-- A DDL's end, or where it stopped.
UPDATE outgrow.definitions
SET state = $3::text, failed_shard = $4::text, error = $5::text,
    ended_at = CASE WHEN $3::text = 'stopped' THEN NULL ELSE clock_timestamp() END
WHERE domain = $1::text AND number = $2::int8;

-- name: part
-- What this shard knows of its part of a DDL, and whether the backend that began it is still at work.
SELECT p.state, p.known,
       EXISTS (SELECT FROM pg_stat_activity AS a
               WHERE a.pid = p.backend AND a.backend_start = p.backend_start AND a.state = 'active')
FROM outgrow.definition_parts AS p WHERE p.definition = $1::uuid;

-- name: part_claim
-- In the DDL's own transaction, before it: no row when this shard has it already.
INSERT INTO outgrow.definition_parts (definition, number, state) VALUES ($1::uuid, $2::int8, 'done')
ON CONFLICT DO NOTHING RETURNING number;

-- name: part_begin
-- Before a command that refuses transaction blocks: who runs it, and what was there beforehand.
INSERT INTO outgrow.definition_parts (definition, number, state, known, backend, backend_start)
SELECT $1::uuid, $2::int8, 'begun', $3::oid[], a.pid, a.backend_start
FROM pg_stat_activity AS a WHERE a.pid = pg_backend_pid()
ON CONFLICT (definition) DO UPDATE
SET backend = excluded.backend, backend_start = excluded.backend_start, noted_at = clock_timestamp();

-- name: part_done
-- The command that was begun has been done.
UPDATE outgrow.definition_parts SET state = 'done', noted_at = clock_timestamp() WHERE definition = $1::uuid;

-- name: part_undone
-- The command that was begun has failed, and left nothing.
DELETE FROM outgrow.definition_parts WHERE definition = $1::uuid AND state = 'begun';

-- name: put_placement
-- A placement, instead of the one that is there.
INSERT INTO outgrow.placements (domain, schema_name, table_name, kind, columns, shard)
VALUES ($1::text, $2::text, $3::text, $4::text, $5::text[], $6::text)
ON CONFLICT (domain, schema_name, table_name)
DO UPDATE SET kind = excluded.kind, columns = excluded.columns, shard = excluded.shard;

-- name: drop_placement
-- The table is gone, or has another name.
DELETE FROM outgrow.placements WHERE domain = $1::text AND schema_name = $2::text AND table_name = $3::text;
