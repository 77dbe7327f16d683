-- Branches, decisions and stamps; recovery; snapshots that agree; who waits for whom.

-- name: attend
-- In the branch that decides, once there is another: waiting for a lock must end, as no server sees a deadlock over
-- shards; and the lock says, as long as its connection lives, that the coordinator is there.
BEGIN NOT ATOMIC
    SET SESSION innodb_lock_wait_timeout = LEAST(@@innodb_lock_wait_timeout, $1),
        lock_wait_timeout = LEAST(@@lock_wait_timeout, $1);
    IF NOT IS_USED_LOCK($2) <=> CONNECTION_ID() THEN DO GET_LOCK($2, 0); END IF;
END;

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

-- name: in_doubt
-- Of these transactions, those with a branch in this database: its stamp, and how many seconds ago it was prepared.
SELECT id, shards, TIMESTAMPDIFF(MICROSECOND, stamped_at, UTC_TIMESTAMP(6)) / 1000000
FROM outgrow_stamps
WHERE id IN (SELECT UNHEX(j.id) FROM JSON_TABLE($1, '$[*]' COLUMNS (id char(32) PATH '$')) AS j);

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
