-- The directory: its entries, each shard's edition, migrations.

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
