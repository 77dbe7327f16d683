-- outgrow's own tables, in schema outgrow of every shard's database.
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

-- name: v8_outbox_number
-- The order of this shard's messages; drawn under the key's lock.
CREATE SEQUENCE outgrow.outbox_number;

-- name: v8_outbox
-- Messages that were emitted with what their transaction did, and are not delivered yet.  A message without a key has its
-- id as its key, of family ''.  A short table with many dead rows: vacuum must not wait until a fifth of it is dead.
CREATE TABLE outgrow.outbox (
    topic text COLLATE "C" NOT NULL,
    number int8 NOT NULL DEFAULT nextval('outgrow.outbox_number'),
    id uuid NOT NULL,
    family text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    headers text NOT NULL,
    form text NOT NULL CHECK (form IN ('json', 'bytes')),
    body bytea NOT NULL,
    emitted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (topic, number)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 2000, fillfactor = 100);

-- name: v8_outbox_keys
-- What waits of one key: tried again by itself, and taken along when the key migrates.
CREATE INDEX outbox_keys ON outgrow.outbox (key, family, topic, number);

-- name: v8_outbox_blocked
-- Keys whose first message could not be delivered: the others of the key wait behind it until next_at.
CREATE TABLE outgrow.outbox_blocked (
    topic text COLLATE "C" NOT NULL,
    family text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    number int8 NOT NULL,
    attempts int4 NOT NULL,
    last_error text NOT NULL,
    failed_at timestamptz NOT NULL,
    next_at timestamptz NOT NULL,
    PRIMARY KEY (topic, family, key)
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

-- name: v8_inbox
-- Messages that a consumer here has seen, written with what it did about them.
CREATE TABLE outgrow.inbox (
    id uuid NOT NULL,
    consumer text COLLATE "C" NOT NULL,
    family text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (id, consumer)
);

-- name: v8_inbox_keys
-- A key that migrates takes along what was seen of it.
CREATE INDEX inbox_keys ON outgrow.inbox (key, family);

-- name: v8_inbox_age
-- What is old is forgotten.
CREATE INDEX inbox_age ON outgrow.inbox (seen_at);
