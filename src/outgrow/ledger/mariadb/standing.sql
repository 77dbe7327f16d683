-- What the ledger is, the map, the placements and the epochs; where a server stands; bulk loads.

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

-- name: limit
-- In every other branch.
SET SESSION innodb_lock_wait_timeout = LEAST(@@innodb_lock_wait_timeout, $1),
    lock_wait_timeout = LEAST(@@lock_wait_timeout, $1);

-- name: prepared
-- Every branch that is prepared on this server, in whichever database: format, lengths of the two halves of its name, and
-- both halves.
XA RECOVER;

-- name: look_within
-- Before `in_doubt`: what a prepared branch has written is not committed yet.
SET TRANSACTION ISOLATION LEVEL READ UNCOMMITTED;

-- name: holder
-- The connection that a branch was prepared on, where that can still be the same: numbers begin anew with the server, and
-- a promoted one has others.
SELECT connection FROM outgrow_stamps
WHERE id = $1 AND server = @@server_id AND stamped_at < UTC_TIMESTAMP(6) - INTERVAL 2 SECOND
  AND stamped_at > UTC_TIMESTAMP(6) - INTERVAL (
      SELECT VARIABLE_VALUE - 1 FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'UPTIME') SECOND;

-- name: load_record
-- In the transaction of a shard's part of a load, after its rows.
INSERT INTO outgrow_loads (`load`, target, `rows`) VALUES ($1, $2, $3);

-- name: load_rows
-- How many rows a load has put here; no row: its part is still missing.
SELECT `rows` FROM outgrow_loads WHERE `load` = $1 AND target = $2;

-- name: present
-- Which of these names ($1, a list) are tables or views.
SELECT TABLE_NAME FROM information_schema.TABLES
WHERE TABLE_SCHEMA = DATABASE()
  AND JSON_CONTAINS($1, JSON_QUOTE(TABLE_NAME));

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
