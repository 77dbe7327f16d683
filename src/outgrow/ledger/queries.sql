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

-- name: v2_decisions
-- What became of a transaction over several shards, on the shard that decides it.  The primary key is what settles a
-- race of a slow coordinator with whoever recovers for it.  A commit is refused half a day after the transaction was
-- stamped, long before the abort that may stand against it is forgotten.
CREATE TABLE outgrow.decisions (
    id uuid PRIMARY KEY,
    outcome text NOT NULL CHECK (outcome IN ('committed', 'aborted')),
    shards text[] NOT NULL DEFAULT '{}',
    stamped_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    decided_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK (decided_at < stamped_at + interval '12 hours')
);

-- name: v2_stamps
-- One row in every branch of a transaction over several shards, written with its rows: seen, the branch is committed.
-- The last of `shards` is the one that decides.
CREATE TABLE outgrow.stamps (
    id uuid PRIMARY KEY,
    shards text[] NOT NULL,
    stamped_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- name: v2_sequences
-- Home shard only has rows: how far each fleet sequence has got.  `next` is numeric, because behind the greatest int8
-- there is one more; `first` and `granted` are the block leased last; timeline and system the history it was leased in.
CREATE TABLE outgrow.sequences (
    domain text NOT NULL,
    schema_name text NOT NULL,
    sequence_name text NOT NULL,
    next numeric NOT NULL,
    increment int8 NOT NULL,
    minimum int8 NOT NULL,
    maximum int8 NOT NULL,
    cycle boolean NOT NULL,
    first numeric NOT NULL,
    granted int8 NOT NULL,
    timeline int4 NOT NULL,
    system int8 NOT NULL,
    PRIMARY KEY (domain, schema_name, sequence_name)
);

-- name: v2_workers
-- Home shard only has rows: worker numbers of `new_id`, each with the last millisecond that its holder may use.
CREATE TABLE outgrow.workers (
    number int4 PRIMARY KEY,
    holder text NOT NULL,
    until_ms int8 NOT NULL
);

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

-- name: v3_splits
-- Where keys lie by range: [{"type": …, "points": [text, …]}, …].  Each range is a slot behind the hash slots, in order.
ALTER TABLE outgrow.shard_map ADD COLUMN splits jsonb NOT NULL DEFAULT '[]';

-- name: v4_listed
-- The types of the keys that stand in the directory: {} for none.  Each shard has a slot for them behind all others.
ALTER TABLE outgrow.shard_map ADD COLUMN directory text[] NOT NULL DEFAULT '{}';

-- name: v4_directory
-- Home shard only has rows: which slot a key has.  An entry is on disk before rows of the key are written.
CREATE TABLE outgrow.directory (
    family text NOT NULL,
    key text COLLATE "C" NOT NULL,
    slot int4 NOT NULL,
    assigned_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (family, key)
);

-- name: v4_edition
-- One row, replicated: which keys of the directory this shard has, as a number that is another one after each migration
-- from or to it.  Who writes holds a lock on the table from before the number is compared until the end.
CREATE TABLE outgrow.edition (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    edition int8 NOT NULL DEFAULT 0
);

-- name: v4_first_edition
-- No key has come or gone yet.
INSERT INTO outgrow.edition DEFAULT VALUES;

-- name: v4_editions
-- Home shard only has rows: the edition that each shard has once the last migration is committed everywhere; 0 where
-- there is no row.
CREATE TABLE outgrow.editions (
    shard text PRIMARY KEY,
    edition int8 NOT NULL
);

-- name: v4_migrations
-- Home shard only has rows: every migration of a key, in order; who knows the directory as of one reads what came later.
CREATE TABLE outgrow.migrations (
    number int8 PRIMARY KEY,
    edition int8 NOT NULL,
    family text NOT NULL,
    key text COLLATE "C" NOT NULL,
    source int4 NOT NULL,
    target int4 NOT NULL,
    rows int8 NOT NULL,
    migrated_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- name: v5_unique_indexes
-- Home shard only has rows: what is unique in the whole domain.  Entries lie on `shards`, in this order, by the hash of
-- their values.  The columns are as they were called when it was built; which table it belongs to its triggers say.
CREATE TABLE outgrow.unique_indexes (
    number int4 PRIMARY KEY,
    name text NOT NULL,
    schema_name text NOT NULL,
    table_name text NOT NULL,
    columns text[] NOT NULL,
    shards text[] NOT NULL,
    built_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- name: v5_unique_numbers
-- Of the home shard: no number is given twice, so that what a transaction in doubt still brings for an index that was
-- dropped meanwhile is nobody's.
CREATE SEQUENCE outgrow.unique_numbers AS int4;

-- name: v5_unique_values
-- An entry for each value that a row has somewhere, with the shard key of that row: two rows cannot both have it.
CREATE TABLE outgrow.unique_values (
    index int4 NOT NULL,
    value text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    PRIMARY KEY (index, value)
);

-- name: v5_unique_changes
-- What a transaction has done to such values and nobody has settled yet: written by triggers, gone before it commits, so
-- that nothing of it is worth logging.  `place` is the entry's shard, by its number in the index; `first` marks the row
-- that the check at the end hangs on.
CREATE UNLOGGED TABLE outgrow.unique_changes (
    transaction xid8 NOT NULL,
    index int4 NOT NULL,
    place int4 NOT NULL,
    value text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    sign int4 NOT NULL,
    first boolean NOT NULL
);

-- name: v5_unique_changes_transaction
-- A transaction finds its own, however many dead ones there are.
CREATE INDEX ON outgrow.unique_changes (transaction);

-- name: v5_unique_place
-- Which of so many shards has a value's entry.
CREATE FUNCTION outgrow.unique_place(value text, shards int4) RETURNS int4 LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN ((hashtextextended(value COLLATE "C", 0) & 9223372036854775807) % shards)::int4;

-- name: v5_unique_note
-- For the triggers of indexed tables.  The setting ends with the transaction, or with the savepoint that undoes the row.
CREATE FUNCTION outgrow.unique_note(index int4, shards int4, value text, key text, sign int4) RETURNS boolean
LANGUAGE plpgsql AS $body$
DECLARE
    this xid8 := pg_current_xact_id();
    first boolean := current_setting('outgrow.unique_noted', true) IS DISTINCT FROM this::text;
BEGIN
    IF first THEN
        PERFORM set_config('outgrow.unique_noted', this::text, true);
    END IF;
    INSERT INTO outgrow.unique_changes
    VALUES (this, index, outgrow.unique_place(value, shards), value, key, sign, first);
    RETURN first;
END
$body$;

-- name: v5_unique_settled
-- No transaction ends with changes that nobody has brought to the index: whoever writes past outgrow is refused.
CREATE FUNCTION outgrow.unique_settled() RETURNS trigger LANGUAGE plpgsql AS $body$
BEGIN
    IF EXISTS (SELECT FROM outgrow.unique_changes WHERE transaction = pg_current_xact_id()) THEN
        RAISE EXCEPTION 'values that are unique in the whole fleet were written without telling its index'
        USING ERRCODE = 'OGU01', HINT = 'Write through outgrow, which keeps the index in the same transaction.';
    END IF;
    RETURN NULL;
END
$body$;

-- name: v5_unique_settled_trigger
-- At COMMIT or PREPARE; once for all changes since the last settling.
CREATE CONSTRAINT TRIGGER unique_settled AFTER INSERT ON outgrow.unique_changes
DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.first) EXECUTE FUNCTION outgrow.unique_settled();

-- name: v6_sagas
-- Home shard only has rows: how far each saga has come.  wake_at is when it is due for whoever comes: the end of its
-- holder's lease, or of a rest; null when it is over.  epoch grows with each holder, and fences the one before.
CREATE TABLE outgrow.sagas (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    version int4 NOT NULL,
    key text NOT NULL,
    input text NOT NULL,
    state text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'compensating', 'done', 'compensated')),
    step int4 NOT NULL DEFAULT 0,
    results text[] NOT NULL DEFAULT '{}',
    places text[] NOT NULL DEFAULT '{}',
    tries int4 NOT NULL DEFAULT 0,
    stuck boolean NOT NULL DEFAULT false,
    failure text,
    trouble text,
    epoch int8 NOT NULL DEFAULT 0,
    holder text,
    wake_at timestamptz,
    deadline_at timestamptz,
    begun_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at timestamptz,
    UNIQUE (name, key)
) WITH (fillfactor = 60, autovacuum_vacuum_scale_factor = 0.02);

-- name: v6_sagas_due
-- What workers look for.  A checkpoint leaves wake_at alone, so that it touches no index.
CREATE INDEX sagas_due ON outgrow.sagas (wake_at) WHERE wake_at IS NOT NULL;

-- name: v6_saga_definitions
-- Home shard only has rows: the steps of each version, as it was first used.
CREATE TABLE outgrow.saga_definitions (
    name text NOT NULL,
    version int4 NOT NULL,
    shape text NOT NULL,
    first_used_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (name, version)
);

-- name: v6_applied
-- Which steps of sagas have worked on this shard, written in the transaction that has their rows.  A tombstone stands
-- for a step that was compensated before it came to run, and never will.
CREATE TABLE outgrow.applied (
    saga uuid NOT NULL,
    step int4 NOT NULL,
    kind text NOT NULL CHECK (kind IN ('step', 'compensation')),
    tombstone boolean NOT NULL DEFAULT false,
    result text,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (saga, step, kind)
);

-- name: v7_stamp_xids
-- The server's transaction that wrote a stamp: by it a reader finds what an earlier snapshot of this server did not show.
-- Stamps from before have none, and need none: whoever wrote them has ended before this has the table.
ALTER TABLE outgrow.stamps ADD COLUMN xid xid8;

-- name: v7_stamp_xids_given
-- Also to processes that know nothing of it.
ALTER TABLE outgrow.stamps ALTER COLUMN xid SET DEFAULT pg_current_xact_id();

-- name: v7_stamps_by_xid
-- Readers ask for the newest, and for a few by name.
CREATE INDEX stamps_xid ON outgrow.stamps (xid);

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

-- name: branch_wrote
-- At the end of a branch: has it written, and may its commit still be refused although it has not?
SELECT pg_current_xact_id_if_assigned() IS NOT NULL, current_setting('transaction_isolation') = 'serializable';

-- name: attend
-- In each branch once there are two.  No server sees a deadlock over shards, so that waiting for a lock must end where
-- the user has set no limit; and a dead client's statement must not go on waiting for one.  The lock says, as long as
-- its connection lives, that the coordinator is there.  The other two ("ogtr", "ogts") tell whoever looks for deadlocks that
-- it is a transaction's, and when that began.
SELECT set_config('lock_timeout', CASE current_setting('lock_timeout') WHEN '0' THEN $1::text
                                  ELSE current_setting('lock_timeout') END, true),
       set_config('client_connection_check_interval', '1s', true), pg_try_advisory_xact_lock($2::int8),
       pg_try_advisory_xact_lock_shared(x'6f677472'::int4, $3::int4),
       pg_try_advisory_xact_lock_shared(x'6f677473'::int4, $4::int4);

-- name: waits
-- Who waits for whom in this database, since when and for what; and which backends are branches of a transaction over
-- shards, of which one, begun when.
WITH held AS MATERIALIZED (
    SELECT l.pid, l.granted, l.locktype, l.relation, l.classid::int8 AS high, l.objid::int8 AS low, l.objsubid, l.waitstart
    FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid) WHERE a.datname = current_database()
), waiting AS (
    SELECT pid, pg_blocking_pids(pid) AS blockers, min(waitstart)::text AS since
    FROM held WHERE NOT granted GROUP BY pid
), wanted AS (
    SELECT pid, min(relation::regclass::text) AS what
    FROM held WHERE locktype = 'tuple' OR (NOT granted AND relation IS NOT NULL) GROUP BY pid
), ours AS (
    SELECT one.pid, (two.high << 32) | two.low AS presence, min(three.low) AS begun
    FROM held AS one JOIN held AS two USING (pid) JOIN held AS three USING (pid)
    WHERE one.locktype = 'advisory' AND one.objsubid = 2 AND one.high = x'6f677472'::int8 AND one.low = two.low
      AND two.locktype = 'advisory' AND two.objsubid = 1 AND two.granted
      AND three.locktype = 'advisory' AND three.objsubid = 2 AND three.high = x'6f677473'::int8
    GROUP BY one.pid, two.high, two.low
)
SELECT pid, w.blockers, w.since, m.what, o.presence, o.begun
FROM waiting AS w FULL JOIN ours AS o USING (pid) LEFT JOIN wanted AS m USING (pid);

-- name: stamp
-- In a branch that will be prepared; the first one has met no limit so far, and deferred constraints may wait for locks.
-- While it is prepared, its lock is there, by which a reader can await its end.
INSERT INTO outgrow.stamps (id, shards)
SELECT $1::uuid, $2::text[]
FROM (SELECT set_config('lock_timeout', CASE current_setting('lock_timeout') WHEN '0' THEN $3::text
                                        ELSE current_setting('lock_timeout') END, true),
             set_config('client_connection_check_interval', '1s', true), pg_try_advisory_xact_lock($4::int8)) AS limits;

-- name: decide
-- The last statement of the branch that decides, with its stamp; COMMIT follows in the same flush.  The commit must be on
-- disk before anyone acts on it, whatever the user has set; and a client that stops just here must not hold up recovery
-- for ever.  stamped_at is when the transaction got its id, by its coordinator's clock.  $4: COMMIT follows, and so it waits
-- for a reader that holds the gate.
WITH stamped AS (INSERT INTO outgrow.stamps (id, shards) VALUES ($1::uuid, $2::text[]) RETURNING id, shards)
INSERT INTO outgrow.decisions (id, outcome, shards, stamped_at)
SELECT s.id, 'committed', s.shards, to_timestamp($3::float8)
FROM stamped AS s,
     (SELECT set_config('synchronous_commit',
                        CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
                             ELSE current_setting('synchronous_commit') END, true),
             set_config('idle_in_transaction_session_timeout', '10s', true),
             CASE WHEN $4::bool THEN pg_advisory_xact_lock_shared(x'6f672067617465'::int8) END) AS safe;

-- name: gate_close
-- On a connection of its own, in a transaction: until it ends, nothing is decided in this database.  Nobody waits long,
-- neither this for those who are deciding, nor they for a reader that has fallen asleep.
SELECT set_config('lock_timeout', $1::text, true), set_config('idle_in_transaction_session_timeout', '2s', true),
       pg_advisory_xact_lock(x'6f672067617465'::int8);

-- name: await_ends
-- In a transaction of its own, before a snapshot: these have ended here, those at least whose branches hold their locks.
SELECT pg_advisory_xact_lock_shared(keys.presence)
FROM (SELECT set_config('lock_timeout', '1s', true)) AS limits, unnest($1::int8[]) AS keys(presence);

-- name: mark
-- What this server shows now, and which run of it says so.
SELECT pg_current_snapshot()::text,
       concat_ws(' ', extract(epoch FROM pg_postmaster_start_time()),
                 extract(epoch FROM pg_stat_get_bgwriter_stat_reset_time()), inet_server_addr(), current_setting('port'));

-- name: prepared_names
-- All that is prepared in this database.
SELECT gid FROM pg_prepared_xacts WHERE database = current_database();

-- name: see
-- In a snapshot: its mark; whether the next statement has the same one; and the transactions over several shards that it
-- shows and the mark $1 did not, or that are among $2.  (A stamp that was restored from a dump has another server's xid: it
-- may lie in the future here.)
SELECT pg_current_snapshot()::text,
       concat_ws(' ', extract(epoch FROM pg_postmaster_start_time()),
                 extract(epoch FROM pg_stat_get_bgwriter_stat_reset_time()), inet_server_addr(), current_setting('port')),
       current_setting('transaction_isolation') IN ('repeatable read', 'serializable'),
       ARRAY(SELECT s.id::text || ' ' || array_to_string(s.shards, ' ') FROM (
           (SELECT id, shards FROM outgrow.stamps
            WHERE xid >= pg_snapshot_xmax($1::pg_snapshot) AND xid < pg_snapshot_xmax(pg_current_snapshot())
            ORDER BY xid DESC LIMIT $3::int8)
           UNION ALL
           SELECT id, shards FROM outgrow.stamps WHERE xid = ANY (ARRAY(SELECT pg_snapshot_xip($1::pg_snapshot)))
           UNION ALL
           SELECT id, shards FROM outgrow.stamps WHERE id = ANY ($2::uuid[])) AS s);

-- name: recovery_limits
-- On a connection that recovers: a decision under way is looked at again later, and habits of the role do not matter.
-- What it decides is on disk before anyone acts on it.
SELECT set_config('lock_timeout', '2s', false), set_config('statement_timeout', '5s', false),
       set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
                                        ELSE current_setting('synchronous_commit') END, false),
       set_config('default_transaction_read_only', 'off', false),
       set_config('default_transaction_isolation', 'read committed', false);

-- name: recovery_limits_in_block
-- The same limits where a pooler stands before the server: for one transaction.
SELECT set_config('lock_timeout', '2s', true), set_config('statement_timeout', '5s', true),
       set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
                                        ELSE current_setting('synchronous_commit') END, true);

-- name: prepared_max
-- Why a branch was not prepared.
SHOW max_prepared_transactions;

-- name: in_doubt
-- The prepared branches of a domain in this database, and those that carry a decision: name and age.
SELECT gid, extract(epoch FROM clock_timestamp() - prepared)::float8
FROM pg_prepared_xacts
WHERE database = current_database() AND (starts_with(gid, $1::text) OR starts_with(gid, $2::text));

-- name: prepared_by
-- Only the role that prepared a branch (or a superuser) may finish it.
SELECT quote_ident(owner::text) FROM pg_prepared_xacts WHERE gid = $1::text;

-- name: rule
-- On the deciding shard: nothing was decided and nobody is about to, so it is aborted.  ($3: whoever is still there is
-- given up.)
INSERT INTO outgrow.decisions (id, outcome)
SELECT $1::uuid, 'aborted' FROM (SELECT $3::bool OR pg_try_advisory_xact_lock($2::int8)) AS asked(absent) WHERE absent
ON CONFLICT DO NOTHING;

-- name: ruling
-- What stands.
SELECT outcome FROM outgrow.decisions WHERE id = $1::uuid;

-- name: stamped
-- Which of these transactions are committed here.
SELECT id FROM outgrow.stamps WHERE id = ANY ($1::uuid[]);

-- name: decisions_old
-- Commits that may be forgotten once every branch has confirmed.  (Ids are in the order of time.)
SELECT id, shards FROM outgrow.decisions
WHERE outcome = 'committed' AND id > $1::uuid AND id < $2::uuid ORDER BY id LIMIT 1000;

-- name: decisions_forget
-- They are confirmed everywhere.
DELETE FROM outgrow.decisions WHERE id = ANY ($1::uuid[]);

-- name: aborts_forget
-- Aborts that nobody can run into any more.
DELETE FROM outgrow.decisions WHERE id IN (
    SELECT id FROM outgrow.decisions
    WHERE outcome = 'aborted' AND id < $1::uuid AND decided_at < clock_timestamp() - interval '1 day' LIMIT 1000
);

-- name: decisions_standing
-- Which of these are not forgotten yet.
SELECT id FROM outgrow.decisions WHERE id = ANY ($1::uuid[]);

-- name: stamps_old
-- Stamps that may be forgotten once their decision is.
SELECT id, shards[cardinality(shards)] FROM outgrow.stamps
WHERE id > $1::uuid AND id < $2::uuid ORDER BY id LIMIT 1000;

-- name: stamps_forget
-- Their decisions are forgotten.
DELETE FROM outgrow.stamps WHERE id = ANY ($1::uuid[]);
-- name: sequence_lease
-- The next block of at most $8 numbers; no row where the sequence is not known, known otherwise, used up, or was last
-- leased in another history of this server.  Its commit is on disk before it answers, whatever the database's default.
WITH lasting AS MATERIALIZED (
    SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit')
                      WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, true) AS done
), history AS MATERIALIZED (
    SELECT ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int4 AS timeline, system_identifier
    FROM pg_control_system()
)
UPDATE outgrow.sequences AS s
SET (first, granted, next) = (
    SELECT s.next, least(room, $8::int8),
           CASE WHEN s.cycle AND room <= $8::int8 THEN CASE WHEN s.increment > 0 THEN s.minimum ELSE s.maximum END
                ELSE s.next + s.increment * least(room, $8::int8) END
    FROM (SELECT div(CASE WHEN s.increment > 0 THEN s.maximum ELSE s.minimum END - s.next, s.increment) + 1 AS room) AS r)
FROM lasting, history
WHERE lasting.done IS NOT NULL AND s.domain = $1::text AND s.schema_name = $2::text AND s.sequence_name = $3::text
  AND (s.increment, s.minimum, s.maximum, s.cycle) = ($4::int8, $5::int8, $6::int8, $7::boolean)
  AND s.next BETWEEN s.minimum AND s.maximum
  AND s.timeline = history.timeline AND s.system = history.system_identifier
RETURNING s.first::int8, s.granted;

-- name: sequence_open
-- Make the sequence known, or known as it is defined now, no earlier than at $8.  In a new history of the server what
-- was leased last may be forgotten: $9 steps are left out.  The same where the history is younger than a day, for a
-- sequence whose very row was lost.
WITH lasting AS MATERIALIZED (
    SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit')
                      WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, true) AS done
), history AS MATERIALIZED (
    SELECT ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int4 AS timeline, system_identifier
    FROM pg_control_system()
), young AS MATERIALIZED (
    SELECT (g.timeline, g.system) <> (h.timeline, h.system_identifier)
        OR (g.counter > 1 AND g.raised_at > clock_timestamp() - interval '1 day') AS lossy
    FROM outgrow.generation AS g, history AS h
)
INSERT INTO outgrow.sequences AS s
SELECT $1::text, $2::text, $3::text, $8::numeric + CASE WHEN young.lossy THEN $9::int8 * $4::int8 ELSE 0 END,
       $4::int8, $5::int8, $6::int8, $7::boolean, $8::numeric, 0, history.timeline, history.system_identifier
FROM history, young, lasting
WHERE lasting.done IS NOT NULL
ON CONFLICT (domain, schema_name, sequence_name) DO UPDATE
SET next = CASE WHEN (s.increment, s.minimum, s.maximum) <> ($4::int8, $5::int8, $6::int8)
                 AND s.next NOT BETWEEN excluded.minimum AND excluded.maximum THEN $8::numeric
                WHEN excluded.increment > 0 THEN greatest(s.next, $8::numeric)
                ELSE least(s.next, $8::numeric) END
         + CASE WHEN (s.timeline, s.system) = (excluded.timeline, excluded.system) THEN 0 ELSE $9::int8 * $4::int8 END,
    increment = excluded.increment, minimum = excluded.minimum, maximum = excluded.maximum, cycle = excluded.cycle,
    timeline = excluded.timeline, system = excluded.system;

-- name: sequence_skip
-- Move a known sequence on, never back: its next number is $4 or beyond.
UPDATE outgrow.sequences AS s
SET next = CASE WHEN s.increment > 0 THEN greatest(s.next, $4::numeric) ELSE least(s.next, $4::numeric) END
WHERE s.domain = $1::text AND s.schema_name = $2::text AND s.sequence_name = $3::text
RETURNING s.next;

-- name: sequence_patience
-- Before looking at tables: who holds their locks may be waiting for us.
SET LOCAL lock_timeout = '3s';

-- name: sequence_place
-- On one shard: how far its own sequence has got; {sequence} is the quoted name.
SELECT last_value, is_called FROM {sequence};

-- name: sequence_used
-- On one shard: the greatest and the least number within $1 and $2 that a column holds already.
SELECT max({column})::numeric::text, min({column})::numeric::text FROM {table}
WHERE {column} BETWEEN $1::int8 AND $2::int8;

-- name: own_sequence_take
-- The next $2 numbers of a server's own sequence.
SELECT nextval($1::text::regclass) FROM generate_series(1, $2::int8);

-- name: own_sequence_skip
-- Move a server's own sequence on to $2, unless it is there already; {sequence} is the quoted name.
SELECT setval($1::text::regclass, $2::int8, false) FROM {sequence}
WHERE CASE WHEN $3::int8 > 0 THEN last_value < $2::int8 ELSE last_value > $2::int8 END;
-- name: worker_take
-- A worker number whose last holder's milliseconds are over at $2: ours until $3.  Each generation of the server has a
-- quarter of the numbers, because a lossy failover may have forgotten who held one of the last generation's.
WITH lasting AS MATERIALIZED (
    SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit')
                      WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, true) AS done
)
UPDATE outgrow.workers AS w SET holder = $1::text, until_ms = $3::int8
FROM lasting
WHERE lasting.done IS NOT NULL AND w.number = (
    SELECT f.number FROM outgrow.workers AS f
    WHERE f.number / 1024 = (SELECT counter % 4 FROM outgrow.generation) AND f.until_ms < $2::int8
    ORDER BY f.until_ms, f.number LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING w.number;

-- name: worker_numbers
-- At the first need in a generation: its quarter of the numbers, held by nobody.
INSERT INTO outgrow.workers (number, holder, until_ms)
SELECT g.counter % 4 * 1024 + n, '', -1 FROM outgrow.generation AS g, generate_series(0, 1023) AS n
ON CONFLICT (number) DO NOTHING;

-- name: worker_keep
-- The holder's milliseconds go on until $4; no row where they were over at $3, because then others may have had it.
WITH lasting AS MATERIALIZED (
    SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit')
                      WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, true) AS done
)
UPDATE outgrow.workers AS w SET until_ms = $4::int8
FROM lasting
WHERE lasting.done IS NOT NULL AND w.number = $1::int4 AND w.holder = $2::text AND w.until_ms >= $3::int8
RETURNING w.number;

-- name: worker_end
-- The holder needs it no longer; others may have what comes after $3.
UPDATE outgrow.workers SET holder = '', until_ms = $3::int8 WHERE number = $1::int4 AND holder = $2::text;

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

-- name: saga_define
-- The steps of a version are those that it was first used with.
INSERT INTO outgrow.saga_definitions (name, version, shape) VALUES ($1::text, $2::int4, $3::text) ON CONFLICT DO NOTHING;

-- name: saga_shape
-- Which those were.
SELECT shape FROM outgrow.saga_definitions WHERE name = $1::text AND version = $2::int4;

-- name: saga_begin
-- Many at once; those whose name and key are there already are left out.  (What commits is on disk before anyone acts on
-- it, whatever the database's default.)
INSERT INTO outgrow.sagas (id, name, version, key, input, places, epoch, holder, wake_at, deadline_at)
SELECT u.id, u.name, u.version, u.key, u.input, CASE WHEN u.place IS NULL THEN '{}' ELSE ARRAY[u.place] END, u.epoch,
       u.holder, clock_timestamp() + u.wake * interval '1 second', clock_timestamp() + u.deadline * interval '1 second'
FROM unnest($1::uuid[], $2::text[], $3::int4[], $4::text[], $5::text[], $6::text[], $7::int8[], $8::text[], $9::float8[],
            $10::float8[]) AS u(id, name, version, key, input, place, epoch, holder, wake, deadline),
     (SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
                        ELSE current_setting('synchronous_commit') END, true)) AS safe
ON CONFLICT DO NOTHING
RETURNING id;

-- name: saga_notify
-- Workers of other processes look at once.
SELECT pg_notify('outgrow_sagas', '');

-- name: saga_listen
-- Be told of sagas that are due.
LISTEN outgrow_sagas;

-- name: saga_checkpoint
-- Many at once.  A row that another holder has, or that has come further, is left as it is, and not returned.
UPDATE outgrow.sagas AS s
SET state = u.state, step = u.step, tries = u.tries, stuck = u.stuck, trouble = u.trouble,
    failure = COALESCE(u.failure, s.failure),
    results = CASE WHEN u.result IS NULL THEN s.results ELSE array_append(s.results, u.result) END,
    places = CASE WHEN u.place IS NULL THEN s.places ELSE array_append(s.places[1:u.step], u.place) END,
    holder = CASE WHEN u.rest IS NULL AND u.state NOT IN ('done', 'compensated') THEN s.holder END,
    wake_at = CASE WHEN u.state IN ('done', 'compensated') THEN NULL
                   WHEN u.rest IS NULL THEN s.wake_at ELSE clock_timestamp() + u.rest * interval '1 second' END,
    ended_at = CASE WHEN u.state IN ('done', 'compensated') THEN clock_timestamp() END
FROM unnest($1::uuid[], $2::int8[], $3::text[], $4::int4[], $5::text[], $6::int4[], $7::int4[], $8::text[], $9::text[],
            $10::bool[], $11::text[], $12::text[], $13::float8[])
         AS u(id, epoch, was_state, was_step, state, step, tries, result, place, stuck, failure, trouble, rest),
     (SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
                        ELSE current_setting('synchronous_commit') END, true)) AS safe
WHERE s.id = u.id AND s.epoch = u.epoch AND s.state = u.was_state AND s.step = u.was_step
RETURNING s.id;

-- name: saga_keep
-- Their holder is alive: nobody else takes them for so long.  Those that somebody has taken are not returned.
UPDATE outgrow.sagas AS s SET wake_at = clock_timestamp() + u.lease * interval '1 second'
FROM unnest($1::uuid[], $2::int8[], $3::float8[]) AS u(id, epoch, lease)
WHERE s.id = u.id AND s.epoch = u.epoch AND s.wake_at IS NOT NULL
RETURNING s.id;

-- name: saga_claim
-- At most so many that are due, each for one of those who ask at the same time, of these definitions and no others.
WITH known AS (
    SELECT * FROM unnest($1::text[], $2::int4[], $3::float8[]) AS k(name, version, lease)
), due AS MATERIALIZED (
    SELECT s.id, k.lease FROM outgrow.sagas AS s JOIN known AS k ON k.name = s.name AND k.version = s.version
    WHERE s.wake_at <= clock_timestamp()
    ORDER BY s.wake_at LIMIT $5::int4 FOR UPDATE OF s SKIP LOCKED
)
UPDATE outgrow.sagas AS s
SET epoch = s.epoch + 1, holder = $4::text, wake_at = clock_timestamp() + due.lease * interval '1 second'
FROM due,
     (SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
                        ELSE current_setting('synchronous_commit') END, true)) AS safe
WHERE s.id = due.id
RETURNING s.id, s.name, s.version, s.key, s.input, s.state, s.step, s.results, s.places, s.tries, s.stuck, s.failure,
          s.trouble, s.epoch, extract(epoch FROM s.deadline_at - clock_timestamp())::float8;

-- name: saga_next_due
-- How long until the next one of these definitions is due; null where none is.
SELECT extract(epoch FROM min(s.wake_at) - clock_timestamp())::float8
FROM outgrow.sagas AS s JOIN unnest($1::text[], $2::int4[]) AS k(name, version) USING (name, version)
WHERE s.wake_at IS NOT NULL;

-- name: saga_take
-- One of them, by its holder's name, as long as nobody holds it.
UPDATE outgrow.sagas AS s
SET epoch = s.epoch + 1, holder = $2::text, wake_at = clock_timestamp() + $3::float8 * interval '1 second'
WHERE s.id = $1::uuid AND s.wake_at <= clock_timestamp()
RETURNING s.id, s.name, s.version, s.key, s.input, s.state, s.step, s.results, s.places, s.tries, s.stuck, s.failure,
          s.trouble, s.epoch, extract(epoch FROM s.deadline_at - clock_timestamp())::float8;

-- name: saga_by_key
-- The saga that a key belongs to.
SELECT id, version, input FROM outgrow.sagas WHERE name = $1::text AND key = $2::text;

-- name: saga_look
-- One saga, for whoever wants to know.
SELECT id, name, version, key, state, stuck, step, results, tries, failure, trouble, holder, epoch, input,
       begun_at::text, ended_at::text, deadline_at::text, wake_at::text,
       extract(epoch FROM wake_at - clock_timestamp())::float8,
       (SELECT shape FROM outgrow.saga_definitions AS d WHERE d.name = s.name AND d.version = s.version)
FROM outgrow.sagas AS s WHERE id = $1::uuid;

-- name: saga_list
-- Those in these states (`stuck` counts as one of its own), the latest first, behind an id.
SELECT id, name, version, key, state, stuck, step, results, tries, failure, trouble, holder, epoch, input,
       begun_at::text, ended_at::text, deadline_at::text, wake_at::text,
       extract(epoch FROM wake_at - clock_timestamp())::float8,
       (SELECT shape FROM outgrow.saga_definitions AS d WHERE d.name = s.name AND d.version = s.version)
FROM outgrow.sagas AS s
WHERE (CASE WHEN stuck THEN 'stuck' ELSE state END) = ANY ($1::text[])
  AND ($2::text IS NULL OR name = $2::text) AND ($3::uuid IS NULL OR id < $3::uuid)
ORDER BY id DESC LIMIT $4::int4;

-- name: saga_retry
-- By an operator: it is due now, its tries are counted anew.  Whoever holds it is left in peace.
UPDATE outgrow.sagas SET stuck = false, tries = 0, epoch = epoch + 1, wake_at = clock_timestamp()
WHERE id = $1::uuid AND wake_at IS NOT NULL AND (holder IS NULL OR wake_at < clock_timestamp())
RETURNING id;

-- name: saga_abort
-- By an operator: it is undone from where it is, the step at work included.  Whoever holds it is fenced, but may trust
-- its lease until that is over: a step that it begins meanwhile must not come behind its compensation.
UPDATE outgrow.sagas
SET state = 'compensating', step = step + 1, epoch = epoch + 1, tries = 0, stuck = false, failure = $2::text,
    trouble = NULL, wake_at = CASE WHEN holder IS NULL THEN clock_timestamp() ELSE wake_at END
WHERE id = $1::uuid AND state = 'running'
RETURNING id;

-- name: saga_mark
-- In the transaction of a step or its compensation, before its statements.  Who comes second waits for the first, but
-- not for ever; nor may a process that stands still hold others up.
INSERT INTO outgrow.applied (saga, step, kind, tombstone)
SELECT $1::uuid, $2::int4, $3::text, $4::bool
FROM (SELECT set_config('lock_timeout', CASE current_setting('lock_timeout') WHEN '0' THEN '10s'
                                        ELSE current_setting('lock_timeout') END, true),
             set_config('idle_in_transaction_session_timeout',
                        CASE current_setting('idle_in_transaction_session_timeout') WHEN '0' THEN '60s'
                             ELSE current_setting('idle_in_transaction_session_timeout') END, true),
             set_config('client_connection_check_interval', '1s', true),
             set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
                        ELSE current_setting('synchronous_commit') END, true)) AS limits
ON CONFLICT DO NOTHING
RETURNING true;

-- name: saga_marked
-- The mark of a step.
SELECT tombstone, result FROM outgrow.applied WHERE saga = $1::uuid AND step = $2::int4 AND kind = 'step';

-- name: saga_mark_result
-- What the step has returned.
UPDATE outgrow.applied SET result = $3::text WHERE saga = $1::uuid AND step = $2::int4 AND kind = 'step';

-- name: saga_forget
-- Sagas that have been over for so long; at most a thousand.
DELETE FROM outgrow.sagas WHERE id IN (
    SELECT id FROM outgrow.sagas WHERE ended_at < clock_timestamp() - $1::float8 * interval '1 second' LIMIT 1000
) RETURNING id;

-- name: saga_marks_forget
-- The marks of sagas that are forgotten.
DELETE FROM outgrow.applied WHERE saga = ANY ($1::uuid[]);
