-- Fleet sequences and worker numbers.

-- name: sequence_lease
-- The next block of at most $8 numbers; no row where the sequence is not known, known otherwise, used up, or was last
-- leased in another history of this server.  Its commit is on disk before it answers, whatever the database's default.
WITH lasting AS MATERIALIZED (
    SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit')
                      WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, true) AS done
), history AS MATERIALIZED (
    SELECT ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int4 AS timeline, system_identifier
    FROM pg_control_system()
)
UPDATE outgrow.sequences AS s
SET (first, granted, next) = (
    SELECT s.next, least(room, $8::int8),
           CASE WHEN s.cycle AND room <= $8::int8 THEN CASE WHEN s.increment > 0 THEN s.minimum ELSE s.maximum END
                ELSE s.next + s.increment * least(room, $8::int8) END
    FROM (SELECT div(CASE WHEN s.increment > 0 THEN s.maximum ELSE s.minimum END - s.next, s.increment) + 1 AS room) AS r)
FROM lasting, history
WHERE lasting.done IS NOT NULL AND s.domain = $1::text AND s.schema_name = $2::text AND s.sequence_name = $3::text
  AND (s.increment, s.minimum, s.maximum, s.cycle) = ($4::int8, $5::int8, $6::int8, $7::boolean)
  AND s.next BETWEEN s.minimum AND s.maximum
  AND s.timeline = history.timeline AND s.system = history.system_identifier
RETURNING s.first::int8, s.granted;

-- name: sequence_open
-- Make the sequence known, or known as it is defined now, no earlier than at $8.  In a new history of the server what
-- was leased last may be forgotten: $9 steps are left out.  The same where the history is younger than a day, for a
-- sequence whose very row was lost.
WITH lasting AS MATERIALIZED (
    SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit')
                      WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, true) AS done
), history AS MATERIALIZED (
    SELECT ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::int4 AS timeline, system_identifier
    FROM pg_control_system()
), young AS MATERIALIZED (
    SELECT (g.timeline, g.system) <> (h.timeline, h.system_identifier)
        OR (g.counter > 1 AND g.raised_at > clock_timestamp() - interval '1 day') AS lossy
    FROM outgrow.generation AS g, history AS h
)
INSERT INTO outgrow.sequences AS s
SELECT $1::text, $2::text, $3::text, $8::numeric + CASE WHEN young.lossy THEN $9::int8 * $4::int8 ELSE 0 END,
       $4::int8, $5::int8, $6::int8, $7::boolean, $8::numeric, 0, history.timeline, history.system_identifier
FROM history, young, lasting
WHERE lasting.done IS NOT NULL
ON CONFLICT (domain, schema_name, sequence_name) DO UPDATE
SET next = CASE WHEN (s.increment, s.minimum, s.maximum) <> ($4::int8, $5::int8, $6::int8)
                 AND s.next NOT BETWEEN excluded.minimum AND excluded.maximum THEN $8::numeric
                WHEN excluded.increment > 0 THEN greatest(s.next, $8::numeric)
                ELSE least(s.next, $8::numeric) END
         + CASE WHEN (s.timeline, s.system) = (excluded.timeline, excluded.system) THEN 0 ELSE $9::int8 * $4::int8 END,
    increment = excluded.increment, minimum = excluded.minimum, maximum = excluded.maximum, cycle = excluded.cycle,
    timeline = excluded.timeline, system = excluded.system;

-- name: sequence_skip
-- Move a known sequence on, never back: its next number is $4 or beyond.
UPDATE outgrow.sequences AS s
SET next = CASE WHEN s.increment > 0 THEN greatest(s.next, $4::numeric) ELSE least(s.next, $4::numeric) END
WHERE s.domain = $1::text AND s.schema_name = $2::text AND s.sequence_name = $3::text
RETURNING s.next;

-- name: sequence_patience
-- Before looking at tables: who holds their locks may be waiting for us.
SET LOCAL lock_timeout = '3s';

-- name: sequence_place
-- On one shard: how far its own sequence has got; {sequence} is the quoted name.
SELECT last_value, is_called FROM {sequence};

-- name: sequence_used
-- On one shard: the greatest and the least number within $1 and $2 that a column holds already.
SELECT max({column})::numeric::text, min({column})::numeric::text FROM {table}
WHERE {column} BETWEEN $1::int8 AND $2::int8;

-- name: own_sequence_take
-- The next $2 numbers of a server's own sequence.
SELECT nextval($1::text::regclass) FROM generate_series(1, $2::int8);

-- name: own_sequence_skip
-- Move a server's own sequence on to $2, unless it is there already; {sequence} is the quoted name.
SELECT setval($1::text::regclass, $2::int8, false) FROM {sequence}
WHERE CASE WHEN $3::int8 > 0 THEN last_value < $2::int8 ELSE last_value > $2::int8 END;

-- name: worker_take
-- A worker number whose last holder's milliseconds are over at $2: ours until $3.  Each generation of the server has a
-- quarter of the numbers, because a lossy failover may have forgotten who held one of the last generation's.
WITH lasting AS MATERIALIZED (
    SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit')
                      WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, true) AS done
)
UPDATE outgrow.workers AS w SET holder = $1::text, until_ms = $3::int8
FROM lasting
WHERE lasting.done IS NOT NULL AND w.number = (
    SELECT f.number FROM outgrow.workers AS f
    WHERE f.number / 1024 = (SELECT counter % 4 FROM outgrow.generation) AND f.until_ms < $2::int8
    ORDER BY f.until_ms, f.number LIMIT 1 FOR UPDATE SKIP LOCKED)
RETURNING w.number;

-- name: worker_numbers
-- At the first need in a generation: its quarter of the numbers, held by nobody.
INSERT INTO outgrow.workers (number, holder, until_ms)
SELECT g.counter % 4 * 1024 + n, '', -1 FROM outgrow.generation AS g, generate_series(0, 1023) AS n
ON CONFLICT (number) DO NOTHING;

-- name: worker_keep
-- The holder's milliseconds go on until $4; no row where they were over at $3, because then others may have had it.
WITH lasting AS MATERIALIZED (
    SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit')
                      WHEN 'off' THEN 'on' ELSE current_setting('synchronous_commit') END, true) AS done
)
UPDATE outgrow.workers AS w SET until_ms = $4::int8
FROM lasting
WHERE lasting.done IS NOT NULL AND w.number = $1::int4 AND w.holder = $2::text AND w.until_ms >= $3::int8
RETURNING w.number;

-- name: worker_end
-- The holder needs it no longer; others may have what comes after $3.
UPDATE outgrow.workers SET holder = '', until_ms = $3::int8 WHERE number = $1::int4 AND holder = $2::text;
