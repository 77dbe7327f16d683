-- Branches, decisions and stamps; recovery; snapshots that agree; who waits for whom.

-- name: branch_wrote
-- At the end of a branch: has it written, and may its commit still be refused although it has not?
SELECT pg_current_xact_id_if_assigned() IS NOT NULL, current_setting('transaction_isolation') = 'serializable';

-- name: attend
-- In each branch once there are two.  No server sees a deadlock over shards, so that waiting for a lock must end where
-- the user has set no limit; and a dead client's statement must not go on waiting for one.  The lock says, as long as
-- its connection lives, that the coordinator is there.  The other two ("ogtr", "ogts") tell whoever looks for deadlocks that
-- it is a transaction's, and when that began.
SELECT set_config('lock_timeout', CASE current_setting('lock_timeout') WHEN '0' THEN $1::text
                                  ELSE current_setting('lock_timeout') END, true),
       set_config('client_connection_check_interval', '1s', true), pg_try_advisory_xact_lock($2::int8),
       pg_try_advisory_xact_lock_shared(x'6f677472'::int4, $3::int4),
       pg_try_advisory_xact_lock_shared(x'6f677473'::int4, $4::int4);

-- name: waits
-- Who waits for whom in this database, since when and for what; and which backends are branches of a transaction over
-- shards, of which one, begun when.
WITH held AS MATERIALIZED (
    SELECT l.pid, l.granted, l.locktype, l.relation, l.classid::int8 AS high, l.objid::int8 AS low, l.objsubid, l.waitstart
    FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid) WHERE a.datname = current_database()
), waiting AS (
    SELECT pid, pg_blocking_pids(pid) AS blockers, min(waitstart)::text AS since
    FROM held WHERE NOT granted GROUP BY pid
), wanted AS (
    SELECT pid, min(relation::regclass::text) AS what
    FROM held WHERE locktype = 'tuple' OR (NOT granted AND relation IS NOT NULL) GROUP BY pid
), ours AS (
    SELECT one.pid, (two.high << 32) | two.low AS presence, min(three.low) AS begun
    FROM held AS one JOIN held AS two USING (pid) JOIN held AS three USING (pid)
    WHERE one.locktype = 'advisory' AND one.objsubid = 2 AND one.high = x'6f677472'::int8 AND one.low = two.low
      AND two.locktype = 'advisory' AND two.objsubid = 1 AND two.granted
      AND three.locktype = 'advisory' AND three.objsubid = 2 AND three.high = x'6f677473'::int8
    GROUP BY one.pid, two.high, two.low
)
SELECT pid, w.blockers, w.since, m.what, o.presence, o.begun
FROM waiting AS w FULL JOIN ours AS o USING (pid) LEFT JOIN wanted AS m USING (pid);

-- name: stamp
-- In a branch that will be prepared; the first one has met no limit so far, and deferred constraints may wait for locks.
-- While it is prepared, its lock is there, by which a reader can await its end.
INSERT INTO outgrow.stamps (id, shards)
SELECT $1::uuid, $2::text[]
FROM (SELECT set_config('lock_timeout', CASE current_setting('lock_timeout') WHEN '0' THEN $3::text
                                        ELSE current_setting('lock_timeout') END, true),
             set_config('client_connection_check_interval', '1s', true), pg_try_advisory_xact_lock($4::int8)) AS limits;

-- name: decide
-- The last statement of the branch that decides, with its stamp; COMMIT follows in the same flush.  The commit must be on
-- disk before anyone acts on it, whatever the user has set; and a client that stops just here must not hold up recovery
-- for ever.  stamped_at is when the transaction got its id, by its coordinator's clock.  $4: COMMIT follows, and so it waits
-- for a reader that holds the gate.
WITH stamped AS (INSERT INTO outgrow.stamps (id, shards) VALUES ($1::uuid, $2::text[]) RETURNING id, shards)
INSERT INTO outgrow.decisions (id, outcome, shards, stamped_at)
SELECT s.id, 'committed', s.shards, to_timestamp($3::float8)
FROM stamped AS s,
     (SELECT set_config('synchronous_commit',
                        CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
                             ELSE current_setting('synchronous_commit') END, true),
             set_config('idle_in_transaction_session_timeout', '10s', true),
             CASE WHEN $4::bool THEN pg_advisory_xact_lock_shared(x'6f672067617465'::int8) END) AS safe;

-- name: gate_close
-- On a connection of its own, in a transaction: until it ends, nothing is decided in this database.  Nobody waits long,
-- neither this for those who are deciding, nor they for a reader that has fallen asleep.
SELECT set_config('lock_timeout', $1::text, true), set_config('idle_in_transaction_session_timeout', '2s', true),
       pg_advisory_xact_lock(x'6f672067617465'::int8);

-- name: await_ends
-- In a transaction of its own, before a snapshot: these have ended here, those at least whose branches hold their locks.
SELECT pg_advisory_xact_lock_shared(keys.presence)
FROM (SELECT set_config('lock_timeout', '1s', true)) AS limits, unnest($1::int8[]) AS keys(presence);

-- name: mark
-- What this server shows now, and which run of it says so.
SELECT pg_current_snapshot()::text,
       concat_ws(' ', extract(epoch FROM pg_postmaster_start_time()),
                 extract(epoch FROM pg_stat_get_bgwriter_stat_reset_time()), inet_server_addr(), current_setting('port'));

-- name: prepared_names
-- All that is prepared in this database.
SELECT gid FROM pg_prepared_xacts WHERE database = current_database();

-- name: see
-- In a snapshot: its mark; whether the next statement has the same one; and the transactions over several shards that it
-- shows and the mark $1 did not, or that are among $2.  (A stamp that was restored from a dump has another server's xid: it
-- may lie in the future here.)
SELECT pg_current_snapshot()::text,
       concat_ws(' ', extract(epoch FROM pg_postmaster_start_time()),
                 extract(epoch FROM pg_stat_get_bgwriter_stat_reset_time()), inet_server_addr(), current_setting('port')),
       current_setting('transaction_isolation') IN ('repeatable read', 'serializable'),
       ARRAY(SELECT s.id::text || ' ' || array_to_string(s.shards, ' ') FROM (
           (SELECT id, shards FROM outgrow.stamps
            WHERE xid >= pg_snapshot_xmax($1::pg_snapshot) AND xid < pg_snapshot_xmax(pg_current_snapshot())
            ORDER BY xid DESC LIMIT $3::int8)
           UNION ALL
           SELECT id, shards FROM outgrow.stamps WHERE xid = ANY (ARRAY(SELECT pg_snapshot_xip($1::pg_snapshot)))
           UNION ALL
           SELECT id, shards FROM outgrow.stamps WHERE id = ANY ($2::uuid[])) AS s);

-- name: recovery_limits
-- On a connection that recovers: a decision under way is looked at again later, and habits of the role do not matter.
-- What it decides is on disk before anyone acts on it.
SELECT set_config('lock_timeout', '2s', false), set_config('statement_timeout', '5s', false),
       set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
                                        ELSE current_setting('synchronous_commit') END, false),
       set_config('default_transaction_read_only', 'off', false),
       set_config('default_transaction_isolation', 'read committed', false);

-- name: recovery_limits_in_block
-- The same limits where a pooler stands before the server: for one transaction.
SELECT set_config('lock_timeout', '2s', true), set_config('statement_timeout', '5s', true),
       set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
                                        ELSE current_setting('synchronous_commit') END, true);

-- name: prepared_max
-- Why a branch was not prepared.
SHOW max_prepared_transactions;

-- name: in_doubt
-- The prepared branches of a domain in this database, and those that carry a decision: name and age.
SELECT gid, extract(epoch FROM clock_timestamp() - prepared)::float8
FROM pg_prepared_xacts
WHERE database = current_database() AND (starts_with(gid, $1::text) OR starts_with(gid, $2::text));

-- name: prepared_by
-- Only the role that prepared a branch (or a superuser) may finish it.
SELECT quote_ident(owner::text) FROM pg_prepared_xacts WHERE gid = $1::text;

-- name: rule
-- On the deciding shard: nothing was decided and nobody is about to, so it is aborted.  ($3: whoever is still there is
-- given up.)
INSERT INTO outgrow.decisions (id, outcome)
SELECT $1::uuid, 'aborted' FROM (SELECT $3::bool OR pg_try_advisory_xact_lock($2::int8)) AS asked(absent) WHERE absent
ON CONFLICT DO NOTHING;

-- name: ruling
-- What stands.
SELECT outcome FROM outgrow.decisions WHERE id = $1::uuid;

-- name: outlived
-- Whether a decision is older than this server's being primary: then it has it as a replica, and nothing can lose it now.
-- (A transaction's age is how many have begun since.)
SELECT age(d.xmin) > age(g.xmin) FROM outgrow.decisions AS d, outgrow.generation AS g WHERE d.id = $1::uuid;

-- name: stamped
-- Which of these transactions are committed here.
SELECT id FROM outgrow.stamps WHERE id = ANY ($1::uuid[]);

-- name: decisions_old
-- Commits that may be forgotten once every branch has confirmed.  (Ids are in the order of time.)
SELECT id, shards FROM outgrow.decisions
WHERE outcome = 'committed' AND id > $1::uuid AND id < $2::uuid ORDER BY id LIMIT 1000;

-- name: decisions_forget
-- They are confirmed everywhere.
DELETE FROM outgrow.decisions WHERE id = ANY ($1::uuid[]);

-- name: aborts_forget
-- Aborts that nobody can run into any more.
DELETE FROM outgrow.decisions WHERE id IN (
    SELECT id FROM outgrow.decisions
    WHERE outcome = 'aborted' AND id < $1::uuid AND decided_at < clock_timestamp() - interval '1 day' LIMIT 1000
);

-- name: decisions_standing
-- Which of these are not forgotten yet.
SELECT id FROM outgrow.decisions WHERE id = ANY ($1::uuid[]);

-- name: stamps_old
-- Stamps that may be forgotten once their decision is.
SELECT id, shards[cardinality(shards)] FROM outgrow.stamps
WHERE id > $1::uuid AND id < $2::uuid ORDER BY id LIMIT 1000;

-- name: stamps_forget
-- Their decisions are forgotten.
DELETE FROM outgrow.stamps WHERE id = ANY ($1::uuid[]);
