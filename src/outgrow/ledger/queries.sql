-- outgrow's own tables, in schema outgrow of every shard's database, and every statement on them.
-- Queries named vN_… are the steps from version N-1 to version N, run in file order in one transaction per shard.

-- name: v1_schema
-- May be there already, made by an administrator for a role that must not create schemas.
CREATE SCHEMA IF NOT EXISTS outgrow;

-- name: v1_meta
-- One row: the ledger's version.
CREATE TABLE outgrow.meta (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    version int4 NOT NULL,
    domain text NOT NULL,
    upgraded_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- name: v1_generation
-- One row, replicated: which history of the server this is.  A token of another generation means nothing here.
CREATE TABLE outgrow.generation (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    counter int8 NOT NULL,
    timeline int4 NOT NULL,
    system int8 NOT NULL,
    raised_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- name: v1_loads
-- A shard's part of a bulk load that is committed: written in the same transaction as the rows.
CREATE TABLE outgrow.loads (
    load text NOT NULL,
    target text NOT NULL,
    rows int8 NOT NULL,
    finished_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (load, target)
);

-- name: v1_shard_map
-- Home shard only has rows: slot → shard; the greatest epoch holds, older ones are history.  owners[slot + 1] is a
-- zero-based index into shards.
CREATE TABLE outgrow.shard_map (
    domain text NOT NULL,
    epoch int8 NOT NULL,
    shards text[] NOT NULL,
    owners int4[] NOT NULL,
    made_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (domain, epoch)
);

-- name: v1_placements
-- Home shard only has rows: what each table is.
CREATE TABLE outgrow.placements (
    domain text NOT NULL,
    schema_name text NOT NULL,
    table_name text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('sharded', 'copied', 'single')),
    columns text[] NOT NULL DEFAULT '{}',
    shard text,
    PRIMARY KEY (domain, schema_name, table_name)
);

-- name: v1_schema_epoch
-- Home shard only has rows: raised by every DDL, so that other processes read the catalogue again.
CREATE TABLE outgrow.schema_epoch (
    domain text PRIMARY KEY,
    epoch int8 NOT NULL
);

-- name: v1_first_generation
-- The history that this server is on when the ledger arrives.
INSERT INTO outgrow.generation (counter, timeline, system)
SELECT 1, ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int4, system_identifier
FROM pg_control_system();

-- name: v2_definitions
-- Home shard only has rows: every DDL, recorded before the first shard runs it.  What is running or stopped is resumed.
CREATE TABLE outgrow.definitions (
    domain text NOT NULL,
    number int8 NOT NULL,
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    sql text NOT NULL,
    settings text[] NOT NULL,
    shards text[] NOT NULL,
    done text[] NOT NULL DEFAULT '{}',
    state text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'stopped', 'done', 'failed', 'abandoned')),
    failed_shard text,
    error text,
    began_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at timestamptz,
    PRIMARY KEY (domain, number)
);

-- name: v2_definition_parts
-- A shard's part of a DDL: written in the DDL's own transaction, or, where the command refuses one, before and after.
-- The id, not the number, is the key: a home shard restored from a backup gives numbers again.
CREATE TABLE outgrow.definition_parts (
    definition uuid PRIMARY KEY,
    number int8 NOT NULL,
    state text NOT NULL CHECK (state IN ('begun', 'done')),
    known oid[],
    backend int4,
    backend_start timestamptz,
    noted_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- name: set_version
-- The last step of each version.
INSERT INTO outgrow.meta (version, domain) VALUES ($1::int4, $2::text)
ON CONFLICT (one) DO UPDATE SET version = excluded.version, upgraded_at = clock_timestamp();

-- name: lock
-- Only one process installs or upgrades in this database at a time; the number is "outgrow" in hexadecimal.
SELECT pg_advisory_xact_lock(x'6f757467726f77'::int8);

-- name: lock_timeout
-- Waiting for another installer for ever would look like a hang.
SET LOCAL lock_timeout = '30s';

-- name: installed
-- Is there a ledger in this database?
SELECT to_regclass('outgrow.meta') IS NOT NULL;

-- name: version
-- The ledger's version and the domain it serves.
SELECT version, domain FROM outgrow.meta;

-- name: seed_map
-- The first map of a domain; one that is there stays.
INSERT INTO outgrow.shard_map (domain, epoch, shards, owners)
SELECT $1::text, $2::int8, $3::text[], $4::int4[]
WHERE NOT EXISTS (SELECT FROM outgrow.shard_map WHERE domain = $1::text)
ON CONFLICT DO NOTHING;

-- name: seed_schema_epoch
-- The first schema epoch of a domain; one that is there stays.
INSERT INTO outgrow.schema_epoch (domain, epoch) VALUES ($1::text, 1) ON CONFLICT DO NOTHING;

-- name: seed_placement
-- A placement that the ledger does not have yet; one that is there stays.
INSERT INTO outgrow.placements (domain, schema_name, table_name, kind, columns, shard)
VALUES ($1::text, $2::text, $3::text, $4::text, $5::text[], $6::text) ON CONFLICT DO NOTHING;

-- name: state
-- Map and schema epoch of a domain; no row before `outgrow init` finished.
SELECT m.epoch, m.shards, m.owners, e.epoch
FROM outgrow.shard_map AS m JOIN outgrow.schema_epoch AS e USING (domain)
WHERE m.domain = $1::text
ORDER BY m.epoch DESC LIMIT 1;

-- name: placements
-- All placements of a domain.
SELECT schema_name, table_name, kind, columns, shard FROM outgrow.placements
WHERE domain = $1::text ORDER BY schema_name, table_name;

-- name: epochs
-- What a process polls to learn that its map or its schema is old.
SELECT (SELECT max(epoch) FROM outgrow.shard_map WHERE domain = $1::text),
       (SELECT epoch FROM outgrow.schema_epoch WHERE domain = $1::text);

-- name: raise_schema_epoch
-- After DDL.
UPDATE outgrow.schema_epoch SET epoch = epoch + 1 WHERE domain = $1::text RETURNING epoch;

-- name: generation
-- The recorded history of this server.
SELECT counter, timeline, system FROM outgrow.generation;

-- name: raise_generation
-- Once per new history: of several processes that meet it, the first writes and the others find it written.
UPDATE outgrow.generation AS g
SET counter = counter + 1, timeline = $1::int4, system = c.system_identifier, raised_at = clock_timestamp()
FROM pg_control_system() AS c
WHERE g.timeline <> $1::int4 OR g.system <> c.system_identifier
RETURNING g.counter, g.timeline, g.system;

-- name: identity
-- On a primary, for whoever meets it: its timeline and cluster now, against those recorded.
SELECT ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int4, c.system_identifier,
       g.counter, g.timeline, g.system
FROM pg_control_system() AS c LEFT JOIN outgrow.generation AS g ON true;

-- name: guard
-- On a replica, as a statement before the read: generation, bytes of WAL replayed, still in recovery.  Cheap.
SELECT g.counter, (pg_last_wal_replay_lsn() - '0/0'::pg_lsn)::int8, pg_is_in_recovery() FROM outgrow.generation AS g;

-- name: token
-- On a primary, as a statement after the write: generation, bytes of WAL inserted, recorded and actual timeline.  The
-- two timelines differ after a promotion that nobody has recorded yet: raise the generation, then ask again.
SELECT g.counter, (w.lsn - '0/0'::pg_lsn)::int8, g.timeline,
       ('x' || left(pg_walfile_name(w.lsn), 8))::bit(32)::int4
FROM outgrow.generation AS g, pg_current_wal_insert_lsn() AS w(lsn);

-- name: load_record
-- In the transaction of a shard's part of a load, after its rows.
INSERT INTO outgrow.loads (load, target, rows) VALUES ($1::text, $2::text, $3::int8);

-- name: load_rows
-- Rows of the part that this shard has of a load into a table; no row when it has none.
SELECT rows FROM outgrow.loads WHERE load = $1::text AND target = $2::text;

-- name: role
-- On any node: is it a replica, and the timeline a primary writes (0 on a replica, where an ordinary role sees a stale one).
SELECT r.in_recovery,
       CASE WHEN r.in_recovery THEN 0
            ELSE ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int4 END
FROM (SELECT pg_is_in_recovery() AS in_recovery) AS r;

-- name: beat
-- On any node, regularly: generation, bytes of WAL replayed or inserted, still in recovery.
SELECT g.counter,
       CASE WHEN r.in_recovery THEN (pg_last_wal_replay_lsn() - '0/0'::pg_lsn)::int8
            ELSE (pg_current_wal_insert_lsn() - '0/0'::pg_lsn)::int8 END,
       r.in_recovery
FROM outgrow.generation AS g, (SELECT pg_is_in_recovery() AS in_recovery) AS r;

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
