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
