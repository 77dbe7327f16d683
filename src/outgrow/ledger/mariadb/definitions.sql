-- DDL as it is recorded, on the home shard and on each shard; placements.

-- name: part_decider
-- Behind the end of the branch that decided, or was to: its connection is anybody's again.
BEGIN NOT ATOMIC
    SET SESSION innodb_lock_wait_timeout = DEFAULT, lock_wait_timeout = DEFAULT;
    DO RELEASE_LOCK($1);
END;

-- name: part_other
-- Behind the end of every other branch.
SET SESSION innodb_lock_wait_timeout = DEFAULT, lock_wait_timeout = DEFAULT;

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

-- name: definition_patience
-- One try waits so long for a table's lock: everybody else who comes to the table waits behind it.
SET SESSION lock_wait_timeout = $1;

-- name: definition_impatience
-- As it was.
SET SESSION lock_wait_timeout = DEFAULT;

-- name: definition_lock_in_block
-- The lock is a connection's, and has been taken.
SELECT 1;
