-- What the ledger is, the map, the placements and the epochs; where a server stands; bulk loads.

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
INSERT INTO outgrow.shard_map (domain, epoch, shards, owners, splits, directory)
SELECT $1::text, $2::int8, $3::text[], $4::int4[], $5::text::jsonb, $6::text[]
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
SELECT m.epoch, m.shards, m.owners, e.epoch, m.splits::text, m.directory
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

-- name: incarnation
-- Which run of which server answers: after a crash statistics are begun anew, also where the postmaster lived on.
SELECT concat_ws(' ', extract(epoch FROM pg_postmaster_start_time()),
                 extract(epoch FROM pg_stat_get_bgwriter_stat_reset_time()), inet_server_addr(), current_setting('port'));

-- name: guard_named
-- The guard, and which run of which server answers: behind a pooler that may change.
SELECT g.counter, (pg_last_wal_replay_lsn() - '0/0'::pg_lsn)::int8, pg_is_in_recovery(),
       concat_ws(' ', extract(epoch FROM pg_postmaster_start_time()),
                 extract(epoch FROM pg_stat_get_bgwriter_stat_reset_time()), inet_server_addr(), current_setting('port'))
FROM outgrow.generation AS g;

-- name: seen
-- On a replica: the first transaction that it cannot have shown, and which run of which server answers.
SELECT pg_snapshot_xmax(pg_current_snapshot())::text::int8,
       concat_ws(' ', extract(epoch FROM pg_postmaster_start_time()),
                 extract(epoch FROM pg_stat_get_bgwriter_stat_reset_time()), inet_server_addr(), current_setting('port'));

-- name: over
-- On a replica: which of these transactions have committed or rolled back, as far as it has got.
SELECT x FROM unnest($1::int8[]) AS u(x) WHERE pg_xact_status(x::text::xid8) IS DISTINCT FROM 'in progress';

-- name: shown
-- On a primary: generation, and what it shows.
SELECT g.counter, pg_current_snapshot()::text FROM outgrow.generation AS g;

-- name: next_transaction
-- On a primary: a number that no transaction had so far.  It uses one up.
SELECT pg_current_xact_id()::text::int8;

-- name: token
-- On a primary, as a statement after the write: generation, bytes of WAL inserted, recorded and actual timeline.  The
-- two timelines differ after a promotion that nobody has recorded yet: raise the generation, then ask again.
SELECT g.counter, (w.lsn - '0/0'::pg_lsn)::int8, g.timeline,
       ('x' || left(pg_walfile_name(w.lsn), 8))::bit(32)::int4
FROM outgrow.generation AS g, pg_current_wal_insert_lsn() AS w(lsn);

-- name: flushed
-- The same of what is on disk: all that was prepared and committed, and what replicas get.  (What an open transaction has
-- written may lie in memory for long.)
SELECT g.counter, (w.lsn - '0/0'::pg_lsn)::int8, g.timeline,
       ('x' || left(pg_walfile_name(w.lsn), 8))::bit(32)::int4
FROM outgrow.generation AS g, pg_current_wal_flush_lsn() AS w(lsn);

-- name: got
-- On any node, as beat: what a replica has on its disk, replayed or not: all of that it replays before it takes over.
SELECT g.counter,
       (greatest(pg_last_wal_receive_lsn(), pg_last_wal_replay_lsn(), '0/0'::pg_lsn) - '0/0'::pg_lsn)::int8,
       pg_is_in_recovery()
FROM outgrow.generation AS g;

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
