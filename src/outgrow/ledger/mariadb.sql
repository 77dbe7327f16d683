-- outgrow's own tables in MariaDB, `outgrow_…` in every shard's database, and every statement on them: the same names
-- and the same columns in the answers as in queries.sql.  Lists travel as JSON, ids as 16 bytes, times are UTC.
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
-- One row, replicated: which history of the server this is, by the server's own id.  A token of another generation means
-- nothing here.
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
-- The last of `shards` is the one that decides.  `connection` is the one that wrote it: nobody else can finish a prepared
-- branch as long as that lives.
CREATE TABLE IF NOT EXISTS outgrow_stamps (
    id binary(16) NOT NULL PRIMARY KEY,
    shards longtext NOT NULL CHECK (JSON_VALID(shards)),
    connection bigint NOT NULL,
    stamped_at datetime(6) NOT NULL DEFAULT (UTC_TIMESTAMP(6))
) ENGINE = InnoDB CHARACTER SET utf8mb4 COLLATE utf8mb4_bin COMMENT = 'ledger of outgrow';

-- name: v3_first_generation
-- The history that this server is on when the ledger arrives.
INSERT IGNORE INTO outgrow_generation (counter, timeline, `system`) VALUES (1, @@server_id, 0);

-- name: set_version
-- The last step of each version.
INSERT INTO outgrow_meta (version, domain) VALUES ($1, $2)
ON DUPLICATE KEY UPDATE version = VALUES(version), upgraded_at = UTC_TIMESTAMP(6);

-- name: lock
-- Only one process installs or upgrades in this database at a time.  Locks are the whole server's, hence the name.
SELECT GET_LOCK(CONCAT('outgrow/install/', MD5(DATABASE())), 30) = 1;

-- name: unlock
-- The next one may; DDL has committed by itself, and no transaction's end can say so.
DO RELEASE_LOCK(CONCAT('outgrow/install/', MD5(DATABASE())));

-- name: lock_timeout
-- The lock has a limit of its own.
DO 0;

-- name: server
-- What its statements ask of a server: RETURNING, JSON_TABLE, compound statements.
SELECT VERSION(), VERSION() LIKE '%MariaDB%'
                  AND CAST(SUBSTRING_INDEX(VERSION(), '.', 1) AS UNSIGNED) * 100
                      + CAST(SUBSTRING_INDEX(SUBSTRING_INDEX(VERSION(), '.', 2), '.', -1) AS UNSIGNED) >= 1006;

-- name: strangers
-- Tables that are called like ours and are not.
SELECT TABLE_NAME FROM information_schema.TABLES
WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME LIKE 'outgrow\_%' AND TABLE_COMMENT <> 'ledger of outgrow'
ORDER BY TABLE_NAME;

-- name: installed
-- Is there a ledger in this database?
SELECT EXISTS (SELECT 1 FROM information_schema.TABLES
               WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = 'outgrow_meta');

-- name: version
-- The ledger's version and the domain it serves.
SELECT version, domain FROM outgrow_meta;

-- name: seed_map
-- The first map of a domain; one that is there stays.
INSERT IGNORE INTO outgrow_shard_map (domain, epoch, shards, owners, splits)
SELECT $1, $2, $3, $4, $5 FROM DUAL WHERE NOT EXISTS (SELECT 1 FROM outgrow_shard_map WHERE domain = $1);

-- name: seed_schema_epoch
-- The first schema epoch of a domain; one that is there stays.
INSERT IGNORE INTO outgrow_schema_epoch (domain, epoch) VALUES ($1, 1);

-- name: seed_placement
-- A placement that the ledger does not have yet; one that is there stays.
INSERT IGNORE INTO outgrow_placements (domain, schema_name, table_name, kind, columns, shard)
VALUES ($1, $2, $3, $4, $5, $6);

-- name: state
-- Map and schema epoch of a domain; no row before `outgrow init` finished.
SELECT m.epoch, m.shards, m.owners, e.epoch, m.splits
FROM outgrow_shard_map AS m JOIN outgrow_schema_epoch AS e ON e.domain = m.domain
WHERE m.domain = $1
ORDER BY m.epoch DESC LIMIT 1;

-- name: placements
-- All placements of a domain.
SELECT schema_name, table_name, kind, columns, shard FROM outgrow_placements
WHERE domain = $1 ORDER BY schema_name, table_name;

-- name: epochs
-- What a process polls to learn that its map or its schema is old.
SELECT (SELECT MAX(epoch) FROM outgrow_shard_map WHERE domain = $1),
       (SELECT epoch FROM outgrow_schema_epoch WHERE domain = $1);

-- name: raise_schema_epoch
-- After DDL.  (The row is locked before it is read, and UPDATE returns nothing here.)
INSERT INTO outgrow_schema_epoch (domain, epoch)
SELECT o.domain, o.epoch FROM (SELECT domain, epoch FROM outgrow_schema_epoch WHERE domain = $1 FOR UPDATE) AS o
ON DUPLICATE KEY UPDATE epoch = outgrow_schema_epoch.epoch + 1
RETURNING epoch;

-- name: generation
-- The recorded history of this server.
SELECT counter, timeline, `system` FROM outgrow_generation;

-- name: raise_generation
-- Once per new history: of several processes that meet it, the first writes and the others find it written.  No rows
-- come back: what stands is read afterwards.  ($1 is a timeline elsewhere; here the server itself says which it is.)
UPDATE outgrow_generation SET counter = counter + 1, timeline = @@server_id, raised_at = UTC_TIMESTAMP(6)
WHERE timeline <> @@server_id AND $1 IS NOT NULL;

-- name: identity
-- On a primary, for whoever meets it: its own id now, against that recorded.
SELECT @@server_id, 0, g.counter, g.timeline, g.`system`
FROM (SELECT 1 AS one) AS o LEFT JOIN outgrow_generation AS g ON g.one = o.one;

-- name: guard
-- On a replica, as a statement before the read: generation, the number of the last commit applied, still a replica.
SELECT g.counter, CAST(SUBSTRING_INDEX(@@gtid_slave_pos, '-', -1) AS UNSIGNED), @@read_only FROM outgrow_generation AS g;

-- name: token
-- On a primary, as a statement after the write: generation, the number of the last commit, recorded and actual server.
-- The two differ after a promotion that nobody has recorded yet: raise the generation, then ask again.  A shard has one
-- GTID domain, whose numbers order its commits.
SELECT g.counter, CAST(SUBSTRING_INDEX(@@gtid_binlog_pos, '-', -1) AS UNSIGNED), g.timeline, @@server_id
FROM outgrow_generation AS g;

-- name: role
-- On any node: is it a replica, and a primary's generation (0 on a replica): of two primaries the later one is true.
SELECT @@read_only, IF(@@read_only, 0, g.counter) FROM outgrow_generation AS g;

-- name: beat
-- On any node, regularly: generation, the number of the last commit, still a replica.
SELECT g.counter, CAST(SUBSTRING_INDEX(IF(@@read_only, @@gtid_slave_pos, @@gtid_binlog_pos), '-', -1) AS UNSIGNED),
       @@read_only
FROM outgrow_generation AS g;
