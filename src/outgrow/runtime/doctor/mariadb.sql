-- What the doctor asks of MariaDB servers; nothing here writes.  Names that queries.sql has too mean the same.
-- {words in braces} are filled in with quoted names.

-- name: identity
-- On any node: its role, its GTID domain, which process it is, which database, and its version.
SELECT @@read_only <> 0, @@gtid_domain_id,
       CONCAT_WS(' ', @@hostname, @@port, @@datadir,
                 FROM_UNIXTIME(ROUND((UNIX_TIMESTAMP() - (SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS
                                                          WHERE VARIABLE_NAME = 'UPTIME')) / 10) * 10)),
       DATABASE(),
       CAST(CONCAT(SUBSTRING_INDEX(VERSION(), '.', 1), LPAD(SUBSTRING_INDEX(SUBSTRING_INDEX(VERSION(), '.', 2), '.', -1), 2, '0'),
                   LPAD(SUBSTRING_INDEX(SUBSTRING_INDEX(SUBSTRING_INDEX(VERSION(), '-', 1), '.', 3), '.', -1), 2, '0')) AS INT),
       SUBSTRING_INDEX(VERSION(), '-', 1);

-- name: blockers
-- On any node: what the connection $1 waits for, in words; '' when it waits for nothing.  Who holds it is not known
-- without a plugin.
SELECT COALESCE((SELECT 'another connection (see SHOW PROCESSLIST, and XA RECOVER)' FROM information_schema.PROCESSLIST
                 WHERE ID = $1 AND STATE LIKE 'Waiting for%lock' LIMIT 1), '');

-- name: clock
-- On any node: what time it thinks it is, in seconds since 1970.
SET STATEMENT time_zone = '+00:00' FOR SELECT CAST(UNIX_TIMESTAMP(SYSDATE(6)) AS DOUBLE);

-- name: settings
-- On any node, as this connection gets them: settings that outgrow depends on.
SHOW VARIABLES WHERE Variable_name IN (
    'log_bin', 'binlog_format', 'gtid_strict_mode', 'sync_binlog', 'innodb_flush_log_at_trx_commit', 'innodb_doublewrite',
    'log_slave_updates', 'max_connections', 'gtid_domain_id', 'server_id', 'gtid_binlog_pos');

-- name: meanings
-- On any node, as this connection gets them: settings by which the same statement would answer otherwise.
SHOW VARIABLES WHERE Variable_name IN (
    'sql_mode', 'old_mode', 'time_zone', 'system_time_zone', 'lower_case_table_names', 'character_set_database',
    'collation_database', 'collation_connection', 'character_set_collations', 'default_week_format', 'lc_time_names',
    'max_allowed_packet', 'sql_select_limit', 'sql_auto_is_null',
    'max_sort_length', 'tx_isolation', 'transaction_isolation', 'explicit_defaults_for_timestamp', 'foreign_key_checks',
    'unique_checks', 'check_constraint_checks', 'default_storage_engine', 'ft_min_word_len', 'innodb_ft_min_token_size');

-- name: following
-- On any node: the servers that it replicates from, one row each; the columns are found by name.
SHOW ALL SLAVES STATUS;

-- name: places
-- On any node: the GTIDs that it has got to, those of its own log on a primary.
SELECT IF(@@read_only, @@gtid_slave_pos, @@gtid_binlog_pos), @@gtid_domain_id, @@server_id;

-- name: overrides
-- On a replica: whether this user may write there, read_only or not.
SELECT PRIVILEGE_TYPE FROM information_schema.USER_PRIVILEGES
WHERE GRANTEE = CONCAT('''', REPLACE(CURRENT_USER(), '@', '''@'''), '''')
  AND (PRIVILEGE_TYPE IN ('READ_ONLY ADMIN', 'READ ONLY ADMIN') OR PRIVILEGE_TYPE = 'SUPER' AND VERSION() NOT RLIKE '^(10\\.1[1-9]|1[1-9])\\.')
ORDER BY 1 LIMIT 1;

-- name: rights
-- Tables of the database with a column that this user may not read, or not write.
SELECT TABLE_NAME, MIN(FIND_IN_SET('select', PRIVILEGES) > 0),
       MIN(FIND_IN_SET('insert', PRIVILEGES) > 0 AND FIND_IN_SET('update', PRIVILEGES) > 0)
FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() GROUP BY TABLE_NAME HAVING MIN(
    FIND_IN_SET('select', PRIVILEGES) > 0 AND FIND_IN_SET('insert', PRIVILEGES) > 0 AND FIND_IN_SET('update', PRIVILEGES) > 0
) = 0;

-- name: tables
-- Tables of the database: engine, whether they have a primary key, the next number, and the column that takes it.
SELECT t.TABLE_NAME, t.ENGINE,
       EXISTS (SELECT 1 FROM information_schema.STATISTICS AS s
               WHERE s.TABLE_SCHEMA = t.TABLE_SCHEMA AND s.TABLE_NAME = t.TABLE_NAME AND s.INDEX_NAME = 'PRIMARY'),
       t.AUTO_INCREMENT,
       (SELECT c.COLUMN_TYPE FROM information_schema.COLUMNS AS c
        WHERE c.TABLE_SCHEMA = t.TABLE_SCHEMA AND c.TABLE_NAME = t.TABLE_NAME AND c.EXTRA LIKE '%auto_increment%' LIMIT 1)
FROM information_schema.TABLES AS t
WHERE t.TABLE_SCHEMA = DATABASE() AND t.TABLE_TYPE = 'BASE TABLE' AND t.TABLE_NAME NOT LIKE 'outgrow\_%';

-- name: objects
-- What the database is made of: kind, the table it belongs to (or its own name), name, and what it is.
SELECT 'table', TABLE_NAME, '', CONCAT_WS(' ', TABLE_TYPE, ENGINE, TABLE_COLLATION, CREATE_OPTIONS)
FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE()
UNION ALL
SELECT 'column', TABLE_NAME, COLUMN_NAME,
       CONCAT_WS(' ', ORDINAL_POSITION, COLUMN_TYPE, COLLATION_NAME, IF(IS_NULLABLE = 'YES', 'NULL', 'NOT NULL'),
                 CONCAT('DEFAULT ', COLUMN_DEFAULT), EXTRA, GENERATION_EXPRESSION)
FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE()
UNION ALL
SELECT 'index', TABLE_NAME, INDEX_NAME,
       CONCAT(IF(NON_UNIQUE, '', 'UNIQUE '), INDEX_TYPE, ' (',
              GROUP_CONCAT(COLUMN_NAME, COALESCE(CONCAT('(', SUB_PART, ')'), '') ORDER BY SEQ_IN_INDEX SEPARATOR ', '), ')')
FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = DATABASE()
GROUP BY TABLE_NAME, INDEX_NAME, NON_UNIQUE, INDEX_TYPE
UNION ALL
SELECT 'check', TABLE_NAME, CONSTRAINT_NAME, CHECK_CLAUSE
FROM information_schema.CHECK_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = DATABASE()
UNION ALL
SELECT 'foreign key', k.TABLE_NAME, k.CONSTRAINT_NAME,
       CONCAT('(', GROUP_CONCAT(k.COLUMN_NAME ORDER BY k.ORDINAL_POSITION), ') REFERENCES ', k.REFERENCED_TABLE_NAME, ' (',
              GROUP_CONCAT(k.REFERENCED_COLUMN_NAME ORDER BY k.ORDINAL_POSITION), ') ON UPDATE ', r.UPDATE_RULE,
              ' ON DELETE ', r.DELETE_RULE)
FROM information_schema.KEY_COLUMN_USAGE AS k
JOIN information_schema.REFERENTIAL_CONSTRAINTS AS r
     ON r.CONSTRAINT_SCHEMA = k.CONSTRAINT_SCHEMA AND r.CONSTRAINT_NAME = k.CONSTRAINT_NAME
    AND r.TABLE_NAME = k.TABLE_NAME
WHERE k.TABLE_SCHEMA = DATABASE() AND r.CONSTRAINT_SCHEMA = DATABASE() AND k.REFERENCED_TABLE_NAME IS NOT NULL
GROUP BY k.TABLE_NAME, k.CONSTRAINT_NAME, k.REFERENCED_TABLE_NAME, r.UPDATE_RULE, r.DELETE_RULE
UNION ALL
SELECT 'trigger', EVENT_OBJECT_TABLE, TRIGGER_NAME, CONCAT_WS(' ', ACTION_TIMING, EVENT_MANIPULATION, ACTION_STATEMENT)
FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = DATABASE()
UNION ALL
SELECT 'view', TABLE_NAME, '', REPLACE(VIEW_DEFINITION, CONCAT('`', DATABASE(), '`.'), '')
FROM information_schema.VIEWS WHERE TABLE_SCHEMA = DATABASE()
UNION ALL
SELECT 'routine', ROUTINE_NAME, ROUTINE_TYPE,
       CONCAT_WS(' ', DTD_IDENTIFIER, SQL_DATA_ACCESS, IS_DETERMINISTIC, SECURITY_TYPE, ROUTINE_DEFINITION)
FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE();

-- name: extents
-- Tables of the database, with about how many rows each has.
SELECT TABLE_NAME, COALESCE(TABLE_ROWS, 0) FROM information_schema.TABLES
WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE = 'BASE TABLE';

-- name: slots_of_rows
-- How many rows of each slot lie in a table, or some rows of it; {slot} is the slot of a row.
SELECT CAST({slot} AS INT), COUNT(*) FROM {part} GROUP BY 1;

-- name: keys_of_rows
-- How many rows of each key lie in a table, or some rows of it; {key} is its first key column.
SELECT k.`key`, COUNT(*)
FROM (SELECT CAST({key} AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_nopad_bin AS `key` FROM {part}) AS k GROUP BY 1;

-- name: keys_there
-- Which of these keys (as hexadecimal UTF-8) have rows in a table.
SELECT DISTINCT CAST({key} AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_nopad_bin AS `key` FROM {part}
WHERE CAST({key} AS CHAR CHARACTER SET utf8mb4) COLLATE utf8mb4_nopad_bin IN (
    SELECT CONVERT(UNHEX(j.name) USING utf8mb4) COLLATE utf8mb4_nopad_bin
    FROM JSON_TABLE($1, '$[*]' COLUMNS (name varchar(6000) PATH '$')) AS j);

-- name: stray
-- The first few rows' key of slots that are not this shard's; {slot} is the slot of a row.
SELECT DISTINCT {key} FROM {part} WHERE {slot} IN ({slots}) LIMIT 3;

-- name: heaviest_key
-- The commonest key of one slot in some rows of a table, and its share of the slot's rows there.
SELECT {key}, COUNT(*) / (SUM(COUNT(*)) OVER () + 0e0) FROM {part} WHERE {slot} = $1 GROUP BY 1 ORDER BY 2 DESC LIMIT 1;

-- name: any_row
-- Does a table have a row here?
SELECT EXISTS (SELECT 1 FROM {table});

-- name: checksum
-- A table's rows, and a sum over them that no order of rows changes; row by row, whatever the engine keeps.
SELECT COUNT(*), CAST(COALESCE(SUM(CAST(CONV(LEFT(MD5({row}), 15), 16, 10) AS UNSIGNED)), 0) AS CHAR) FROM {part};

-- name: in_doubt
-- Branches that were prepared: format, lengths of the two halves of the name, both halves.  Not whose session lives.
XA RECOVER;

-- name: stamps_summed
-- The newest transactions over shards that have a part here, none older than $1, at most $2, by slices of 65 seconds and by
-- each shard of their parts: how many, and a digest that is the same elsewhere if they are the same.
SELECT LOWER(LEFT(HEX(s.id), 8)), m.shard, COUNT(*), BIT_XOR(CAST(CONV(RIGHT(HEX(s.id), 12), 16, 10) AS UNSIGNED))
FROM (SELECT id, shards FROM outgrow_stamps WHERE id > UNHEX($1) ORDER BY id DESC LIMIT $2) AS s,
     JSON_TABLE(s.shards, '$[*]' COLUMNS (shard varchar(255) PATH '$')) AS m
GROUP BY 1, 2;

-- name: stamps_within
-- The transactions over shards of some slices of 65 seconds ($1: an array in JSON): number, and the shards of all parts.
SELECT LOWER(HEX(s.id)), CAST(s.shards AS CHAR)
FROM JSON_TABLE($1, '$[*]' COLUMNS (slice char(8) PATH '$')) AS w
JOIN outgrow_stamps AS s
  ON s.id BETWEEN UNHEX(CONCAT(w.slice, REPEAT('0', 24))) AND UNHEX(CONCAT(w.slice, REPEAT('F', 24)));

-- name: stamps_there
-- Which of these transactions ($1: an array in JSON) are committed here.
SELECT LOWER(HEX(id)) FROM outgrow_stamps
WHERE id IN (SELECT UNHEX(j.id) FROM JSON_TABLE($1, '$[*]' COLUMNS (id char(32) PATH '$')) AS j);

-- name: branches_prepared
-- What is prepared here, both halves of the name in one.
XA RECOVER;

-- name: abandoned
-- Transactions that no connection has any more, as prepared branches whose session has gone: how many, and the age in
-- seconds of the oldest.
SELECT COUNT(*), COALESCE(MAX(TIMESTAMPDIFF(SECOND, trx_started, NOW())), 0) FROM information_schema.INNODB_TRX
WHERE trx_mysql_thread_id = 0;

-- name: long_transactions
-- Connections that sit in a transaction and say nothing for longer than $1 seconds, or work in one for longer than $2.
SELECT p.ID, p.USER, p.HOST, p.COMMAND = 'Sleep', IF(p.COMMAND = 'Sleep', p.TIME, TIMESTAMPDIFF(SECOND, t.trx_started, NOW()))
FROM information_schema.INNODB_TRX AS t JOIN information_schema.PROCESSLIST AS p ON p.ID = t.trx_mysql_thread_id
WHERE p.ID <> CONNECTION_ID()
  AND IF(p.COMMAND = 'Sleep', p.TIME >= $1, TIMESTAMPDIFF(SECOND, t.trx_started, NOW()) >= $2)
ORDER BY 5 DESC
