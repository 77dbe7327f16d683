-- outgrow's own tables in MariaDB, `outgrow_…` in every shard's database, and every statement on them: the same names
-- and the same columns in the answers as in `../postgresql`.  Lists travel as JSON, ids as 16 bytes, times are UTC.
-- The tables began at version 3, with what PostgreSQL's have at that version.  DDL commits by itself: each step may run
-- again where a process has died behind it.

-- name: v3_meta
-- One row: the ledger's version.
CREATE TABLE IF NOT EXISTS outgrow_meta (
    one tinyint NOT NULL DEFAULT 1 PRIMARY KEY CHECK (one = 1),
    version int NOT NULL,
    domain varchar(64) NOT NULL,
    upgraded_at datetime(6) NOT NULL DEFAULT (UTC_TIMESTAMP(6))
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin COMMENT = 'ledger of outgrow';

-- name: v3_generation
-- One row, replicated: which history of the server this is, by the server's own id (`timeline`) and the GTID domain that
-- it writes under (`system`).  A token of another generation means nothing here.
CREATE TABLE IF NOT EXISTS outgrow_generation (
    one tinyint NOT NULL DEFAULT 1 PRIMARY KEY CHECK (one = 1),
    counter bigint NOT NULL,
    timeline bigint NOT NULL,
    `system` bigint NOT NULL,
    raised_at datetime(6) NOT NULL DEFAULT (UTC_TIMESTAMP(6))
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin COMMENT = 'ledger of outgrow';

-- name: v3_shard_map
-- Home shard only has rows: slot → shard; the greatest epoch holds, older ones are history.
CREATE TABLE IF NOT EXISTS outgrow_shard_map (
    domain varchar(64) NOT NULL,
    epoch bigint NOT NULL,
    shards longtext NOT NULL CHECK (JSON_VALID(shards)),
    owners longtext NOT NULL CHECK (JSON_VALID(owners)),
    splits longtext NOT NULL CHECK (JSON_VALID(splits)),
    made_at datetime(6) NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    PRIMARY KEY (domain, epoch)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin COMMENT = 'ledger of outgrow';

-- name: v3_placements
-- Home shard only has rows: what each table is.
CREATE TABLE IF NOT EXISTS outgrow_placements (
    domain varchar(64) NOT NULL,
    schema_name varchar(64) NOT NULL,
    table_name varchar(64) NOT NULL,
    kind varchar(16) NOT NULL CHECK (kind IN ('sharded', 'copied', 'single')),
    columns longtext NOT NULL CHECK (JSON_VALID(columns)),
    shard varchar(64),
    PRIMARY KEY (domain, schema_name, table_name)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin COMMENT = 'ledger of outgrow';

-- name: v3_schema_epoch
-- Home shard only has rows: raised by every DDL, so that other processes read the catalogue again.
CREATE TABLE IF NOT EXISTS outgrow_schema_epoch (
    domain varchar(64) NOT NULL PRIMARY KEY,
    epoch bigint NOT NULL
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin COMMENT = 'ledger of outgrow';

-- name: v3_decisions
-- What became of a transaction over several shards, on the shard that decides it: see queries.sql.
CREATE TABLE IF NOT EXISTS outgrow_decisions (
    id binary(16) NOT NULL PRIMARY KEY,
    outcome varchar(16) NOT NULL CHECK (outcome IN ('committed', 'aborted')),
    shards longtext NOT NULL DEFAULT '[]' CHECK (JSON_VALID(shards)),
    stamped_at datetime(6) NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    decided_at datetime(6) NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    CHECK (decided_at < stamped_at + INTERVAL 12 HOUR)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin COMMENT = 'ledger of outgrow';

-- name: v3_stamps
-- One row in every branch of a transaction over several shards, written with its rows: seen, the branch is committed.
-- The last of `shards` is the one that decides.  `connection` (of that server) wrote it: nobody else can finish a prepared
-- branch as long as it lives.
CREATE TABLE IF NOT EXISTS outgrow_stamps (
    id binary(16) NOT NULL PRIMARY KEY,
    shards longtext NOT NULL CHECK (JSON_VALID(shards)),
    connection bigint NOT NULL,
    server bigint NOT NULL,
    stamped_at datetime(6) NOT NULL DEFAULT (UTC_TIMESTAMP(6))
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin COMMENT = 'ledger of outgrow';

-- name: v3_workers
-- Home shard only has rows: worker numbers of `new_id`, each with the last millisecond that its holder may use.
CREATE TABLE IF NOT EXISTS outgrow_workers (
    number int NOT NULL PRIMARY KEY,
    holder varchar(255) NOT NULL,
    until_ms bigint NOT NULL
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin COMMENT = 'ledger of outgrow';

-- name: v3_definitions
-- Home shard only has rows: every DDL, recorded before the first shard runs it.  What is running or stopped is resumed.
CREATE TABLE IF NOT EXISTS outgrow_definitions (
    domain varchar(64) NOT NULL,
    number bigint NOT NULL,
    id char(36) NOT NULL,
    `sql` longtext NOT NULL,
    settings longtext NOT NULL CHECK (JSON_VALID(settings)),
    shards longtext NOT NULL CHECK (JSON_VALID(shards)),
    done longtext NOT NULL DEFAULT '[]' CHECK (JSON_VALID(done)),
    state varchar(16) NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'stopped', 'done', 'failed', 'abandoned')),
    failed_shard varchar(64),
    error longtext,
    began_at datetime(6) NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    ended_at datetime(6),
    PRIMARY KEY (domain, number)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin COMMENT = 'ledger of outgrow';

-- name: v3_definition_parts
-- A shard's part of a DDL, noted before and after: DDL commits by itself.  `known` is what the objects that it names were
-- like before, so that whoever finds a part begun can see whether it took effect.
CREATE TABLE IF NOT EXISTS outgrow_definition_parts (
    definition char(36) NOT NULL PRIMARY KEY,
    number bigint NOT NULL,
    state varchar(16) NOT NULL CHECK (state IN ('begun', 'done')),
    known longtext NOT NULL DEFAULT '[]' CHECK (JSON_VALID(known)),
    connection bigint NOT NULL,
    noted_at datetime(6) NOT NULL DEFAULT (UTC_TIMESTAMP(6))
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin COMMENT = 'ledger of outgrow';

-- name: v3_first_generation
-- The history that this server is on when the ledger arrives.
INSERT IGNORE INTO outgrow_generation (counter, timeline, `system`) VALUES (1, @@server_id, @@GLOBAL.gtid_domain_id);

-- name: v4_listed
-- The types of the keys that stand in the directory: [] for none.
ALTER TABLE outgrow_shard_map ADD COLUMN IF NOT EXISTS directory longtext NOT NULL DEFAULT '[]';

-- name: v5_sequences
-- Home shard only has rows: how far each fleet sequence has got, by table (`schema_name`) and column.  `next` is a
-- decimal, because behind the greatest bigint there is one more; `first` and `granted` are the block leased last;
-- timeline the server that leased it.
CREATE TABLE IF NOT EXISTS outgrow_sequences (
    domain varchar(64) NOT NULL,
    schema_name varchar(64) NOT NULL,
    sequence_name varchar(64) NOT NULL,
    `next` decimal(20) NOT NULL,
    `increment` bigint NOT NULL,
    minimum bigint NOT NULL,
    maximum bigint NOT NULL,
    `cycle` boolean NOT NULL,
    `first` bigint NOT NULL,
    granted bigint NOT NULL,
    timeline bigint NOT NULL,
    `system` bigint NOT NULL,
    PRIMARY KEY (domain, schema_name, sequence_name)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin COMMENT = 'ledger of outgrow';

-- name: v5_loads
-- One row for each load's part on this shard, written in the same transaction as its rows.
CREATE TABLE IF NOT EXISTS outgrow_loads (
    `load` varchar(255) NOT NULL,
    target varchar(255) NOT NULL,
    `rows` bigint NOT NULL,
    loaded_at datetime(6) NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    PRIMARY KEY (`load`, target)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin COMMENT = 'ledger of outgrow';

-- name: v5_directory
-- Home shard only has rows: which slot a key has.  An entry is on disk before rows of the key are written.
CREATE TABLE IF NOT EXISTS outgrow_directory (
    family varchar(16) NOT NULL,
    `key` varchar(700) NOT NULL,
    slot int NOT NULL,
    assigned_at datetime(6) NOT NULL DEFAULT (UTC_TIMESTAMP(6)),
    PRIMARY KEY (family, `key`)
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin COMMENT = 'ledger of outgrow';

-- name: v5_edition
-- One row, replicated: which keys of the directory this shard has, as a number that is another one after each migration
-- from or to it.  Who writes holds a lock on the row from before the number is compared until the end.
CREATE TABLE IF NOT EXISTS outgrow_edition (
    one tinyint NOT NULL DEFAULT 1 PRIMARY KEY CHECK (one = 1),
    edition bigint NOT NULL DEFAULT 0
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin COMMENT = 'ledger of outgrow';

-- name: v5_first_edition
-- No key has come or gone yet.
INSERT IGNORE INTO outgrow_edition (one, edition) VALUES (1, 0);

-- name: v5_editions
-- Home shard only has rows: the edition that each shard has once the last migration is committed everywhere; 0 where
-- there is no row.
CREATE TABLE IF NOT EXISTS outgrow_editions (
    shard varchar(64) NOT NULL PRIMARY KEY,
    edition bigint NOT NULL
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin COMMENT = 'ledger of outgrow';

-- name: v5_migrations
-- Home shard only has rows: every migration of a key, in order; who knows the directory as of one reads what came later.
CREATE TABLE IF NOT EXISTS outgrow_migrations (
    number bigint NOT NULL PRIMARY KEY,
    edition bigint NOT NULL,
    family varchar(16) NOT NULL,
    `key` varchar(700) NOT NULL,
    source int NOT NULL,
    target int NOT NULL,
    `rows` bigint NOT NULL,
    migrated_at datetime(6) NOT NULL DEFAULT (UTC_TIMESTAMP(6))
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin COMMENT = 'ledger of outgrow';
