-- The catalogue of the one MariaDB database that a connection is in; tables of outgrow's own are nobody's business.

-- name: mariadb_server
-- One row: the version as the server spells it, and the database's character set and collation.
SELECT VERSION(), DEFAULT_CHARACTER_SET_NAME, DEFAULT_COLLATION_NAME
FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = DATABASE();

-- name: mariadb_tables
-- Tables and views, with a view's text.
SELECT t.TABLE_NAME, t.TABLE_TYPE, v.VIEW_DEFINITION
FROM information_schema.TABLES AS t
LEFT JOIN information_schema.VIEWS AS v ON v.TABLE_SCHEMA = DATABASE() AND v.TABLE_NAME = t.TABLE_NAME
WHERE t.TABLE_SCHEMA = DATABASE() AND t.TABLE_TYPE IN ('BASE TABLE', 'VIEW') AND t.TABLE_NAME NOT LIKE 'outgrow\_%';

-- name: mariadb_columns
-- Columns in order: type, NULL or not, default, what is special, and what decides how text compares.
SELECT TABLE_NAME, COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, IS_NULLABLE = 'YES', COLUMN_DEFAULT, EXTRA,
       CHARACTER_SET_NAME, COLLATION_NAME, CHARACTER_MAXIMUM_LENGTH, NUMERIC_PRECISION, NUMERIC_SCALE,
       DATETIME_PRECISION
FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = DATABASE() ORDER BY TABLE_NAME, ORDINAL_POSITION;

-- name: mariadb_keys
-- Unique indexes by name, column by column; PRIMARY is the primary key.  Prefixes of columns are no keys.
SELECT s.TABLE_NAME, s.INDEX_NAME, s.COLUMN_NAME, s.SUB_PART IS NOT NULL
FROM information_schema.STATISTICS AS s
WHERE s.TABLE_SCHEMA = DATABASE() AND s.NON_UNIQUE = 0 ORDER BY s.TABLE_NAME, s.INDEX_NAME, s.SEQ_IN_INDEX;

-- name: mariadb_foreign_keys
-- Foreign keys column by column, with their actions.
SELECT k.TABLE_NAME, k.CONSTRAINT_NAME, k.COLUMN_NAME, k.REFERENCED_TABLE_NAME, k.REFERENCED_COLUMN_NAME,
       r.UPDATE_RULE, r.DELETE_RULE
FROM information_schema.KEY_COLUMN_USAGE AS k
JOIN information_schema.REFERENTIAL_CONSTRAINTS AS r
     ON r.CONSTRAINT_SCHEMA = k.CONSTRAINT_SCHEMA AND r.CONSTRAINT_NAME = k.CONSTRAINT_NAME
    AND r.TABLE_NAME = k.TABLE_NAME
WHERE k.TABLE_SCHEMA = DATABASE() AND r.CONSTRAINT_SCHEMA = DATABASE() AND k.REFERENCED_TABLE_NAME IS NOT NULL
ORDER BY k.TABLE_NAME, k.CONSTRAINT_NAME, k.ORDINAL_POSITION;

-- name: mariadb_triggers
-- Triggers by table; MariaDB has them for rows only.
SELECT EVENT_OBJECT_TABLE, TRIGGER_NAME FROM information_schema.TRIGGERS
WHERE EVENT_OBJECT_SCHEMA = DATABASE() ORDER BY 1, 2;

-- name: object_tables
-- Tables to be asked for one by one, with SHOW CREATE TABLE.
SELECT TABLE_NAME FROM information_schema.TABLES
WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') AND TABLE_NAME NOT LIKE 'outgrow\_%'
ORDER BY 1;

-- name: object_views
-- Views: name, query (without the database's own name), security, CHECK OPTION.
SELECT TABLE_NAME, REPLACE(VIEW_DEFINITION, CONCAT('`', DATABASE(), '`.'), ''), SECURITY_TYPE, CHECK_OPTION
FROM information_schema.VIEWS WHERE TABLE_SCHEMA = DATABASE() ORDER BY 1;

-- name: object_others
-- What is made on each shard by hand: kind, name, table, definition.
SELECT 'trigger', CONCAT(EVENT_OBJECT_TABLE, '.', TRIGGER_NAME), EVENT_OBJECT_TABLE,
       CONCAT_WS(' ', ACTION_TIMING, EVENT_MANIPULATION, ACTION_STATEMENT)
FROM information_schema.TRIGGERS WHERE EVENT_OBJECT_SCHEMA = DATABASE()
UNION ALL
SELECT 'function', CONCAT(LOWER(ROUTINE_TYPE), ' ', ROUTINE_NAME), NULL,
       CONCAT_WS(' ', DTD_IDENTIFIER, SQL_DATA_ACCESS, IS_DETERMINISTIC, SECURITY_TYPE, ROUTINE_DEFINITION)
FROM information_schema.ROUTINES WHERE ROUTINE_SCHEMA = DATABASE()
UNION ALL
SELECT 'sequence', TABLE_NAME, NULL, 'SEQUENCE' FROM information_schema.TABLES
WHERE TABLE_SCHEMA = DATABASE() AND TABLE_TYPE = 'SEQUENCE'
ORDER BY 1, 2
