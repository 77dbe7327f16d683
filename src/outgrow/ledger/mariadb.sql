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
INSERT IGNORE INTO outgrow_shard_map (domain, epoch, shards, owners, splits, directory)
SELECT $1, $2, $3, $4, $5, $6 FROM DUAL WHERE NOT EXISTS (SELECT 1 FROM outgrow_shard_map WHERE domain = $1);

-- name: seed_schema_epoch
-- The first schema epoch of a domain; one that is there stays.
INSERT IGNORE INTO outgrow_schema_epoch (domain, epoch) VALUES ($1, 1);

-- name: seed_placement
-- A placement that the ledger does not have yet; one that is there stays.
INSERT IGNORE INTO outgrow_placements (domain, schema_name, table_name, kind, columns, shard)
VALUES ($1, $2, $3, $4, $5, $6);

-- name: state
-- Map and schema epoch of a domain; no row before `outgrow init` finished.
SELECT m.epoch, m.shards, m.owners, e.epoch, m.splits, m.directory
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
UPDATE outgrow_generation
SET counter = counter + 1, timeline = @@server_id, `system` = @@GLOBAL.gtid_domain_id, raised_at = UTC_TIMESTAMP(6)
WHERE (timeline <> @@server_id OR `system` <> @@GLOBAL.gtid_domain_id) AND $1 IS NOT NULL;

-- name: identity
-- On a primary, for whoever meets it: its own id and GTID domain now, against those recorded.
SELECT @@server_id, @@GLOBAL.gtid_domain_id, g.counter, g.timeline, g.`system`
FROM (SELECT 1 AS one) AS o LEFT JOIN outgrow_generation AS g ON g.one = o.one;

-- name: guard
-- On a replica, as a statement before the read: generation, the number of the last commit applied, still a replica.
-- The domain is the primary's, whatever the replica would write under itself.
SELECT g.counter,
       CAST(SUBSTRING_INDEX(REGEXP_SUBSTR(@@gtid_slave_pos,
           CONCAT('(^|,)', g.`system`, '-[0-9]+-[0-9]+')), '-', -1) AS UNSIGNED),
       @@read_only
FROM outgrow_generation AS g;

-- name: incarnation
-- Which run of which server answers.
SELECT CONCAT_WS(' ', @@server_uid, @@server_id, UNIX_TIMESTAMP() - VARIABLE_VALUE)
FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'UPTIME';

-- name: written
-- On a primary: where the binary log ends, in the first two columns.
SHOW MASTER STATUS;

-- name: shown
-- Within a consistent snapshot: its place in the binary log, file and position.
SHOW STATUS LIKE 'binlog_snapshot_%';

-- name: token
-- On a primary, as a statement after the write: generation, the number of the last commit, recorded and actual server.
-- The two differ after a promotion that nobody has recorded yet (or a change of domain): raise the generation, then ask
-- again.  A shard has one GTID domain, whose numbers order its commits; what the log has of other domains, in whatever
-- order, is passed over.
SELECT g.counter,
       CAST(SUBSTRING_INDEX(REGEXP_SUBSTR(@@gtid_binlog_pos,
           CONCAT('(^|,)', @@GLOBAL.gtid_domain_id, '-[0-9]+-[0-9]+')), '-', -1) AS UNSIGNED),
       g.timeline, IF(g.`system` = @@GLOBAL.gtid_domain_id, @@server_id, -1)
FROM outgrow_generation AS g;

-- name: role
-- On any node: is it a replica, and a primary's generation (0 on a replica): of two primaries the later one is true.
SELECT @@read_only, IF(@@read_only, 0, g.counter) FROM outgrow_generation AS g;

-- name: beat
-- On any node, regularly: generation, the number of the last commit, still a replica.
SELECT g.counter,
       CAST(SUBSTRING_INDEX(REGEXP_SUBSTR(IF(@@read_only, @@gtid_slave_pos, @@gtid_binlog_pos),
           CONCAT('(^|,)', IF(@@read_only, g.`system`, @@GLOBAL.gtid_domain_id), '-[0-9]+-[0-9]+')), '-', -1) AS UNSIGNED),
       @@read_only
FROM outgrow_generation AS g;

-- name: attend
-- In the branch that decides, once there is another: waiting for a lock must end, as no server sees a deadlock over
-- shards; and the lock says, as long as its connection lives, that the coordinator is there.
BEGIN NOT ATOMIC
    SET SESSION innodb_lock_wait_timeout = LEAST(@@innodb_lock_wait_timeout, $1),
        lock_wait_timeout = LEAST(@@lock_wait_timeout, $1);
    IF NOT IS_USED_LOCK($2) <=> CONNECTION_ID() THEN DO GET_LOCK($2, 0); END IF;
END;

-- name: limit
-- In every other branch.
SET SESSION innodb_lock_wait_timeout = LEAST(@@innodb_lock_wait_timeout, $1),
    lock_wait_timeout = LEAST(@@lock_wait_timeout, $1);

-- name: part_decider
-- Behind the end of the branch that decided, or was to: its connection is anybody's again.
BEGIN NOT ATOMIC
    SET SESSION innodb_lock_wait_timeout = DEFAULT, lock_wait_timeout = DEFAULT;
    DO RELEASE_LOCK($1);
END;

-- name: part_other
-- Behind the end of every other branch.
SET SESSION innodb_lock_wait_timeout = DEFAULT, lock_wait_timeout = DEFAULT;

-- name: stamp
-- In a branch that will be prepared.
INSERT INTO outgrow_stamps (id, shards, connection, server) VALUES ($1, $2, CONNECTION_ID(), @@server_id);

-- name: decide
-- The last words of the branch that decides, in one: its stamp, the decision and the commit, which is not reached behind
-- a refused decision; and a client that stops just here holds up nobody.  $3 is when the transaction got its id, by its
-- coordinator's clock.
BEGIN NOT ATOMIC
    INSERT INTO outgrow_stamps (id, shards, connection, server) VALUES ($1, $2, CONNECTION_ID(), @@server_id);
    INSERT INTO outgrow_decisions (id, outcome, shards, stamped_at) VALUES ($1, 'committed', $2, $3);
    COMMIT;
END;

-- name: recovery_limits
-- On a connection that recovers: a decision under way is looked at again later.
SET SESSION innodb_lock_wait_timeout = 2, lock_wait_timeout = 2, max_statement_time = 5, tx_read_only = 0;

-- name: prepared
-- Every branch that is prepared on this server, in whichever database: format, lengths of the two halves of its name, and
-- both halves.
XA RECOVER;

-- name: look_within
-- Before `in_doubt`: what a prepared branch has written is not committed yet.
SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED;

-- name: in_doubt
-- Of these transactions, those with a branch in this database: its stamp, and how many seconds ago it was prepared.
SELECT id, shards, TIMESTAMPDIFF(MICROSECOND, stamped_at, UTC_TIMESTAMP(6)) / 1000000
FROM outgrow_stamps
WHERE id IN (SELECT UNHEX(j.id) FROM JSON_TABLE($1, '$[*]' COLUMNS (id char(32) PATH '$')) AS j);

-- name: holder
-- The connection that a branch was prepared on, where that can still be the same: numbers begin anew with the server, and
-- a promoted one has others.
SELECT connection FROM outgrow_stamps
WHERE id = $1 AND server = @@server_id AND stamped_at < UTC_TIMESTAMP(6) - INTERVAL 2 SECOND
  AND stamped_at > UTC_TIMESTAMP(6) - INTERVAL (
      SELECT VARIABLE_VALUE - 1 FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'UPTIME') SECOND;

-- name: rule
-- On the deciding shard: nothing was decided and nobody is about to, so it is aborted.  ($3: whoever is still there is
-- given up.)
INSERT IGNORE INTO outgrow_decisions (id, outcome) SELECT $1, 'aborted' FROM DUAL WHERE $3 OR IS_FREE_LOCK($2);

-- name: ruling
-- What stands.
SELECT outcome FROM outgrow_decisions WHERE id = $1;

-- name: stamped
-- Which of these transactions are committed here.
SELECT id FROM outgrow_stamps
WHERE id IN (SELECT UNHEX(j.id) FROM JSON_TABLE($1, '$[*]' COLUMNS (id char(32) PATH '$')) AS j);

-- name: decisions_old
-- Commits that may be forgotten once every branch has confirmed.  (Ids are in the order of time.)
SELECT id, shards FROM outgrow_decisions
WHERE outcome = 'committed' AND id > $1 AND id < $2 ORDER BY id LIMIT 1000;

-- name: decisions_forget
-- They are confirmed everywhere.
DELETE FROM outgrow_decisions
WHERE id IN (SELECT UNHEX(j.id) FROM JSON_TABLE($1, '$[*]' COLUMNS (id char(32) PATH '$')) AS j);

-- name: aborts_forget
-- Aborts that nobody can run into any more.
DELETE FROM outgrow_decisions
WHERE outcome = 'aborted' AND id < $1 AND decided_at < UTC_TIMESTAMP(6) - INTERVAL 1 DAY LIMIT 1000;

-- name: decisions_standing
-- Which of these are not forgotten yet.
SELECT id FROM outgrow_decisions
WHERE id IN (SELECT UNHEX(j.id) FROM JSON_TABLE($1, '$[*]' COLUMNS (id char(32) PATH '$')) AS j);

-- name: stamps_old
-- Stamps that may be forgotten once their decision is.
SELECT id, JSON_UNQUOTE(JSON_EXTRACT(shards, CONCAT('$[', JSON_LENGTH(shards) - 1, ']'))) FROM outgrow_stamps
WHERE id > $1 AND id < $2 ORDER BY id LIMIT 1000;

-- name: stamps_forget
-- Their decisions are forgotten.
DELETE FROM outgrow_stamps
WHERE id IN (SELECT UNHEX(j.id) FROM JSON_TABLE($1, '$[*]' COLUMNS (id char(32) PATH '$')) AS j);

-- name: load_record
-- In the transaction of a shard's part of a load, after its rows.
INSERT INTO outgrow_loads (`load`, target, `rows`) VALUES ($1, $2, $3);

-- name: load_rows
-- How many rows a load has put here; no row: its part is still missing.
SELECT `rows` FROM outgrow_loads WHERE `load` = $1 AND target = $2;

-- name: sequence_lease
-- The next block of at most $8 numbers; no row where the sequence is not known, known otherwise, used up, or was last
-- leased by another server.  (The row is locked before it is read, and UPDATE returns nothing here.)
INSERT INTO outgrow_sequences
SELECT s.* FROM (SELECT * FROM outgrow_sequences
                 WHERE domain = $1 AND schema_name = $2 AND sequence_name = $3
                   AND `increment` = $4 AND minimum = $5 AND maximum = $6 AND `cycle` = $7
                   AND `next` BETWEEN minimum AND maximum AND timeline = @@server_id
                 FOR UPDATE) AS s
ON DUPLICATE KEY UPDATE
    `first` = outgrow_sequences.`next`,
    granted = LEAST((outgrow_sequences.maximum - outgrow_sequences.`next`) DIV outgrow_sequences.`increment` + 1, $8),
    `next` = outgrow_sequences.`next` + outgrow_sequences.`increment` * outgrow_sequences.granted
RETURNING `first`, granted;

-- name: sequence_open
-- Make the sequence known, or known as it is defined now, no earlier than at $8.  On a promoted server what was leased
-- last may be forgotten: $9 steps are left out.  The same where that was less than a day ago, for a sequence whose very
-- row was lost.
INSERT INTO outgrow_sequences
SELECT $1, $2, $3,
       $8 + IF(g.timeline <> @@server_id OR (g.counter > 1 AND g.raised_at > UTC_TIMESTAMP(6) - INTERVAL 1 DAY),
               $9 * $4, 0),
       $4, $5, $6, $7, $8, 0, @@server_id, 0
FROM outgrow_generation AS g
ON DUPLICATE KEY UPDATE
    `next` = IF((outgrow_sequences.`increment` <> $4 OR outgrow_sequences.minimum <> $5
                 OR outgrow_sequences.maximum <> $6) AND outgrow_sequences.`next` NOT BETWEEN $5 AND $6,
                $8, GREATEST(outgrow_sequences.`next`, $8))
             + IF(outgrow_sequences.timeline = @@server_id, 0, $9 * $4),
    `increment` = $4, minimum = $5, maximum = $6, `cycle` = $7, timeline = @@server_id;

-- name: sequence_skip
-- Move a known sequence on, never back: its next number is $4 or beyond.
INSERT INTO outgrow_sequences
SELECT s.* FROM (SELECT * FROM outgrow_sequences
                 WHERE domain = $1 AND schema_name = $2 AND sequence_name = $3 FOR UPDATE) AS s
ON DUPLICATE KEY UPDATE `next` = GREATEST(outgrow_sequences.`next`, $4)
RETURNING `next`;

-- name: sequence_patience
-- What looks at tables has a limit of its own.
DO 0;

-- name: sequence_place
-- On one shard: the next number that it would give itself; {sequence} is the table, as a string.
SELECT AUTO_INCREMENT, 0 FROM information_schema.TABLES
WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = {sequence} AND AUTO_INCREMENT IS NOT NULL;

-- name: sequence_used
-- On one shard: the greatest and the least number within $1 and $2 that a column holds already.
SET STATEMENT lock_wait_timeout = 3 FOR
SELECT CAST(MAX({column}) AS CHAR), CAST(MIN({column}) AS CHAR) FROM {table} WHERE {column} BETWEEN $1 AND $2;

-- name: worker_take
-- A worker number whose last holder's milliseconds are over at $2: ours until $3.  Each generation of the server has a
-- quarter of the numbers, because a lossy failover may have forgotten who held one of the last generation's.  (A search
-- locks all that it looks at, so that SKIP LOCKED would find none beside another's.)
INSERT INTO outgrow_workers (number, holder, until_ms)
SELECT f.number, f.holder, f.until_ms
FROM (SELECT number, holder, until_ms FROM outgrow_workers
      WHERE number DIV 1024 = (SELECT counter % 4 FROM outgrow_generation) AND until_ms < $2
      ORDER BY until_ms, number LIMIT 1 FOR UPDATE) AS f
ON DUPLICATE KEY UPDATE holder = $1, until_ms = $3
RETURNING number;

-- name: worker_numbers
-- At the first need in a generation: its quarter of the numbers, held by nobody.
INSERT IGNORE INTO outgrow_workers (number, holder, until_ms)
SELECT g.counter % 4 * 1024 + n.seq, '', -1 FROM outgrow_generation AS g JOIN seq_0_to_1023 AS n;

-- name: worker_keep
-- The holder's milliseconds go on until $4; no row where they were over at $3, because then others may have had it.
INSERT INTO outgrow_workers (number, holder, until_ms)
SELECT f.number, f.holder, f.until_ms
FROM (SELECT number, holder, until_ms FROM outgrow_workers
      WHERE number = $1 AND holder = $2 AND until_ms >= $3 FOR UPDATE) AS f
ON DUPLICATE KEY UPDATE until_ms = $4
RETURNING number;

-- name: worker_end
-- The holder needs it no longer; others may have what comes after $3.
UPDATE outgrow_workers SET holder = '', until_ms = $3 WHERE number = $1 AND holder = $2;

-- name: put_placement
-- A placement, instead of the one that is there.
INSERT INTO outgrow_placements (domain, schema_name, table_name, kind, columns, shard)
VALUES ($1, $2, $3, $4, $5, $6)
ON DUPLICATE KEY UPDATE kind = VALUES(kind), columns = VALUES(columns), shard = VALUES(shard);

-- name: drop_placement
-- The table is gone, or has another name.
DELETE FROM outgrow_placements WHERE domain = $1 AND schema_name = $2 AND table_name = $3;

-- name: definition_lock
-- One DDL, or placement, of a domain at a time; held by the connection.  Home is the domain's database.
SELECT GET_LOCK(CONCAT('outgrow/define/', MD5(DATABASE())), 0) = 1;

-- name: definition_unlock
-- The next one may begin.
DO RELEASE_LOCK(CONCAT('outgrow/define/', MD5(DATABASE())));

-- name: definition_lock_holder
-- Who holds the lock: connection, user, address, and for how many seconds it has done what it does.
SELECT ID, USER, HOST, CONCAT(TIME, ' s') FROM information_schema.PROCESSLIST
WHERE ID = IS_USED_LOCK(CONCAT('outgrow/define/', MD5(DATABASE())));

-- name: present
-- Which of these names ($1, a list) are tables or views.
SELECT TABLE_NAME FROM information_schema.TABLES
WHERE TABLE_SCHEMA = DATABASE()
  AND JSON_CONTAINS($1, JSON_QUOTE(TABLE_NAME));

-- name: definition_record
-- A DDL that is about to begin; under the lock.
INSERT INTO outgrow_definitions (domain, number, id, `sql`, settings, shards)
SELECT $1, COALESCE(MAX(d.number), 0) + 1, UUID(), $2, $3, $4 FROM outgrow_definitions AS d WHERE d.domain = $1
RETURNING number, id;

-- name: definitions
-- DDL of a domain by state, oldest first; all states where none is named.
SELECT number, id, `sql`, settings, shards, done, state, failed_shard, error
FROM outgrow_definitions
WHERE domain = $1 AND ($2 = '[]' OR JSON_CONTAINS($2, JSON_QUOTE(state)))
ORDER BY number;

-- name: definition_note
-- A DDL's progress: which shards have it.
UPDATE outgrow_definitions SET done = $3, state = 'running', failed_shard = NULL, error = NULL
WHERE domain = $1 AND number = $2;

-- name: definition_end
-- A DDL's end, or where it stopped.
UPDATE outgrow_definitions
SET state = $3, failed_shard = $4, error = $5, ended_at = IF($3 = 'stopped', NULL, UTC_TIMESTAMP(6))
WHERE domain = $1 AND number = $2;

-- name: part
-- What this shard knows of its part of a DDL, and whether the connection that began it is still at work.
SELECT p.state, p.known,
       EXISTS (SELECT 1 FROM information_schema.PROCESSLIST AS c
               WHERE c.ID = p.connection AND c.ID <> CONNECTION_ID() AND c.COMMAND <> 'Sleep')
       AND p.noted_at > UTC_TIMESTAMP(6) - INTERVAL (
           SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'UPTIME') SECOND
FROM outgrow_definition_parts AS p WHERE p.definition = $1;

-- name: part_begin
-- Before the command: who runs it, and what was there beforehand.
INSERT INTO outgrow_definition_parts (definition, number, state, known, connection)
VALUES ($1, $2, 'begun', $3, CONNECTION_ID())
ON DUPLICATE KEY UPDATE known = VALUES(known), connection = CONNECTION_ID(), noted_at = UTC_TIMESTAMP(6);

-- name: part_done
-- The command that was begun has been done.
UPDATE outgrow_definition_parts SET state = 'done', noted_at = UTC_TIMESTAMP(6) WHERE definition = $1;

-- name: part_undone
-- The command that was begun has failed, and left nothing.
DELETE FROM outgrow_definition_parts WHERE definition = $1 AND state = 'begun';

-- name: objects
-- What the tables and views of these names ($1, a list) are like: a line for each of their parts.  (No sizes, no numbers
-- of rows, no next AUTO_INCREMENT: those change by themselves.)
SELECT t.TABLE_NAME, CONCAT_WS('|', 'table', t.TABLE_TYPE, t.ENGINE, t.ROW_FORMAT, t.TABLE_COLLATION, t.CREATE_OPTIONS,
                               t.TABLE_COMMENT)
FROM information_schema.TABLES AS t
WHERE t.TABLE_SCHEMA = DATABASE()
  AND JSON_CONTAINS($1, JSON_QUOTE(t.TABLE_NAME))
UNION ALL
SELECT c.TABLE_NAME, CONCAT_WS('|', 'column', c.ORDINAL_POSITION, c.COLUMN_NAME, c.COLUMN_TYPE, c.IS_NULLABLE,
                               IFNULL(c.COLUMN_DEFAULT, '-'), c.EXTRA, c.COLLATION_NAME, c.COLUMN_COMMENT,
                               c.GENERATION_EXPRESSION)
FROM information_schema.COLUMNS AS c
WHERE c.TABLE_SCHEMA = DATABASE()
  AND JSON_CONTAINS($1, JSON_QUOTE(c.TABLE_NAME))
UNION ALL
SELECT s.TABLE_NAME, CONCAT_WS('|', 'index', s.INDEX_NAME, s.SEQ_IN_INDEX, s.COLUMN_NAME, s.NON_UNIQUE,
                               IFNULL(s.SUB_PART, '-'), s.INDEX_TYPE, s.IGNORED, s.INDEX_COMMENT, IFNULL(s.COLLATION, '-'))
FROM information_schema.STATISTICS AS s
WHERE s.TABLE_SCHEMA = DATABASE()
  AND JSON_CONTAINS($1, JSON_QUOTE(s.TABLE_NAME))
UNION ALL
SELECT r.TABLE_NAME, CONCAT_WS('|', 'foreign key', r.CONSTRAINT_NAME, r.REFERENCED_TABLE_NAME, r.UPDATE_RULE,
                               r.DELETE_RULE)
FROM information_schema.REFERENTIAL_CONSTRAINTS AS r
WHERE r.CONSTRAINT_SCHEMA = DATABASE()
  AND JSON_CONTAINS($1, JSON_QUOTE(r.TABLE_NAME))
UNION ALL
SELECT k.TABLE_NAME, CONCAT_WS('|', 'check', k.CONSTRAINT_NAME, k.CHECK_CLAUSE)
FROM information_schema.CHECK_CONSTRAINTS AS k
WHERE k.CONSTRAINT_SCHEMA = DATABASE()
  AND JSON_CONTAINS($1, JSON_QUOTE(k.TABLE_NAME))
UNION ALL
SELECT p.TABLE_NAME, CONCAT_WS('|', 'partition', p.PARTITION_NAME, p.PARTITION_METHOD, p.PARTITION_EXPRESSION,
                               p.PARTITION_DESCRIPTION)
FROM information_schema.PARTITIONS AS p
WHERE p.TABLE_SCHEMA = DATABASE() AND p.PARTITION_NAME IS NOT NULL
  AND JSON_CONTAINS($1, JSON_QUOTE(p.TABLE_NAME))
UNION ALL
SELECT v.TABLE_NAME, CONCAT_WS('|', 'view', v.VIEW_DEFINITION, v.CHECK_OPTION, v.SECURITY_TYPE)
FROM information_schema.VIEWS AS v
WHERE v.TABLE_SCHEMA = DATABASE()
  AND JSON_CONTAINS($1, JSON_QUOTE(v.TABLE_NAME))
ORDER BY 1, 2;

-- name: definition_patience
-- One try waits so long for a table's lock: everybody else who comes to the table waits behind it.
SET SESSION lock_wait_timeout = $1;

-- name: definition_impatience
-- As it was.
SET SESSION lock_wait_timeout = DEFAULT;

-- name: directory_look
-- What stands in the directory of these families and keys (as hexadecimal UTF-8); every shard's edition; the latest
-- migration; and the keys that were migrated since number $3 (-1: nothing is known).  `since` says whether that one is
-- known with its edition, else all must be forgotten.  All as of one moment.
WITH asked AS (
    SELECT f.name AS family, CONVERT(UNHEX(k.name) USING utf8mb4) COLLATE utf8mb4_nopad_bin AS `key`, f.place
    FROM JSON_TABLE($1, '$[*]' COLUMNS (place FOR ORDINALITY, name varchar(16) PATH '$')) AS f
    JOIN JSON_TABLE($2, '$[*]' COLUMNS (place FOR ORDINALITY, name varchar(6000) PATH '$')) AS k ON k.place = f.place
)
SELECT DISTINCT 'entry' AS what, d.family AS one, d.`key` AS other, CAST(d.slot AS SIGNED) AS value
FROM asked AS a JOIN outgrow_directory AS d ON d.family = a.family AND d.`key` = a.`key`
UNION ALL SELECT 'edition', '', shard, edition FROM outgrow_editions
UNION ALL SELECT 'migrated', family, `key`, number FROM outgrow_migrations WHERE number > $3 AND $3 >= 0
UNION ALL SELECT 'since', '', '', 1 FROM DUAL
          WHERE ($3 = 0 AND $4 = 0) OR EXISTS (SELECT 1 FROM outgrow_migrations WHERE number = $3 AND edition = $4)
UNION ALL (SELECT 'latest', CAST(m.number AS CHAR), '', m.edition FROM outgrow_migrations AS m
           ORDER BY m.number DESC LIMIT 1);

-- name: directory_assign
-- Entries for keys that have none; one that is there stays.
INSERT INTO outgrow_directory (family, `key`, slot)
SELECT a.family, a.`key`, s.slot
FROM (SELECT f.name AS family, CONVERT(UNHEX(k.name) USING utf8mb4) COLLATE utf8mb4_nopad_bin AS `key`, f.place
    FROM JSON_TABLE($1, '$[*]' COLUMNS (place FOR ORDINALITY, name varchar(16) PATH '$')) AS f
    JOIN JSON_TABLE($2, '$[*]' COLUMNS (place FOR ORDINALITY, name varchar(6000) PATH '$')) AS k ON k.place = f.place) AS a
    JOIN JSON_TABLE($3, '$[*]' COLUMNS (place FOR ORDINALITY, slot int PATH '$')) AS s ON s.place = a.place
ORDER BY a.family, a.`key`
ON DUPLICATE KEY UPDATE slot = outgrow_directory.slot;

-- name: directory_counts
-- How many keys of each family each slot has.
SELECT family, slot, COUNT(*) FROM outgrow_directory WHERE JSON_CONTAINS($1, JSON_QUOTE(family)) GROUP BY family, slot;

-- name: edition
-- On any node: which keys of the directory the shard has.
SELECT edition FROM outgrow_edition;

-- name: edition_snapshot
-- Begins a transaction whose reads, the edition among them, are of one snapshot.
BEGIN NOT ATOMIC
    SET TRANSACTION ISOLATION LEVEL REPEATABLE READ;
    START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY;
END;

-- name: edition_hold_block
-- In a transaction, behind its beginning: the comparison itself takes the lock here.
DO 0;

-- name: edition_check_block
-- Behind edition_hold_block: the edition as it is now, locked for whoever would change it until the end; fails (a
-- subquery of two rows) where it is not the one that is expected, if any is.  It takes no snapshot, and the transaction's
-- is taken behind it.
SELECT IF($1 IS NULL OR edition = $1, edition, (SELECT 1 UNION ALL SELECT 2)) FROM outgrow_edition LOCK IN SHARE MODE;

-- name: edition_close
-- Of a migration, on the two shards: from here to its end nobody writes on them, and who is writing ends first.
SET STATEMENT innodb_lock_wait_timeout = 1 FOR SELECT edition FROM outgrow_edition FOR UPDATE;

-- name: edition_turn
-- Of a migration, on the two shards: who knows the directory from before must ask again.
UPDATE outgrow_edition SET edition = $1;

-- name: migration_turn
-- Of a migration, on the home shard: the same for who asks.
INSERT INTO outgrow_editions (shard, edition)
SELECT a.shard, $2 FROM JSON_TABLE($1, '$[*]' COLUMNS (shard varchar(64) PATH '$')) AS a
ON DUPLICATE KEY UPDATE edition = $2;

-- name: migration_entry
-- Of a migration, on the home shard: where the key is now; nobody else changes that until the end.
SELECT slot FROM outgrow_directory WHERE family = $1 AND `key` = $2 FOR UPDATE;

-- name: migration_place
-- Of a migration, on the home shard: where the key will be.
UPDATE outgrow_directory SET slot = $3 WHERE family = $1 AND `key` = $2;

-- name: migration_record
-- Of a migration, on the home shard, under the lock of definitions: its number.
INSERT INTO outgrow_migrations (number, edition, family, `key`, source, target, `rows`)
SELECT COALESCE(MAX(m.number), 0) + 1, $1, $2, $3, $4, $5, $6 FROM outgrow_migrations AS m
RETURNING number;

-- name: edition_holders
-- Who keeps a migration from closing this shard: connection, user, address, since when, and what it does.  Who holds a
-- row's lock is told to whoever has PROCESS.
SELECT r.trx_mysql_thread_id, COALESCE(p.USER, ''), COALESCE(p.HOST, ''), CAST(r.trx_started AS CHAR),
       COALESCE(LEFT(r.trx_query, 60), IF(r.trx_mysql_thread_id = 0, 'a prepared transaction', 'nothing at the moment'))
FROM information_schema.INNODB_TRX AS r LEFT JOIN information_schema.PROCESSLIST AS p ON p.ID = r.trx_mysql_thread_id
WHERE r.trx_mysql_thread_id <> CONNECTION_ID() AND r.trx_rows_locked > 0 ORDER BY r.trx_started LIMIT 3;

-- name: migration_settings
-- Of a migration: its statements bring their own.
DO 0;

-- name: migration_deferred
-- Foreign keys are checked row by row.
DO 0;

-- name: definition_lock_in_block
-- The lock is a connection's, and has been taken.
SELECT 1;

-- name: directory_entries
-- Entries of these families and keys, for people.
SELECT d.family, d.`key`, d.slot, CAST(d.assigned_at AS CHAR)
FROM (SELECT f.name AS family, CONVERT(UNHEX(k.name) USING utf8mb4) COLLATE utf8mb4_nopad_bin AS `key`, f.place
    FROM JSON_TABLE($1, '$[*]' COLUMNS (place FOR ORDINALITY, name varchar(16) PATH '$')) AS f
    JOIN JSON_TABLE($2, '$[*]' COLUMNS (place FOR ORDINALITY, name varchar(6000) PATH '$')) AS k ON k.place = f.place) AS a
    JOIN outgrow_directory AS d ON d.family = a.family AND d.`key` = a.`key`
ORDER BY a.place;

-- name: directory_keys
-- At most $4 entries of these families and slots, behind the key $3.
SELECT family, `key`, slot, CAST(assigned_at AS CHAR) FROM outgrow_directory
WHERE JSON_CONTAINS($1, JSON_QUOTE(family)) AND JSON_CONTAINS($2, CAST(slot AS CHAR)) AND `key` > $3
ORDER BY `key`, family LIMIT $4;
