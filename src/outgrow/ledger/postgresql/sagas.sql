-- Sagas, and the marks of their steps.

-- name: saga_define
-- The steps of a version are those that it was first used with.
INSERT INTO outgrow.saga_definitions (name, version, shape) VALUES ($1::text, $2::int4, $3::text) ON CONFLICT DO NOTHING;

-- name: saga_shape
-- Which those were.
SELECT shape FROM outgrow.saga_definitions WHERE name = $1::text AND version = $2::int4;

-- name: saga_begin
-- Many at once; those whose name and key are there already are left out.  (What commits is on disk before anyone acts on
-- it, whatever the database's default.)
INSERT INTO outgrow.sagas (id, name, version, key, input, places, epoch, holder, wake_at, deadline_at)
SELECT u.id, u.name, u.version, u.key, u.input, CASE WHEN u.place IS NULL THEN '{}' ELSE ARRAY[u.place] END, u.epoch,
       u.holder, clock_timestamp() + u.wake * interval '1 second', clock_timestamp() + u.deadline * interval '1 second'
FROM unnest($1::uuid[], $2::text[], $3::int4[], $4::text[], $5::text[], $6::text[], $7::int8[], $8::text[], $9::float8[],
            $10::float8[]) AS u(id, name, version, key, input, place, epoch, holder, wake, deadline),
     (SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
                        ELSE current_setting('synchronous_commit') END, true)) AS safe
ON CONFLICT DO NOTHING
RETURNING id;

-- name: saga_notify
-- Workers of other processes look at once.
SELECT pg_notify('outgrow_sagas', '');

-- name: saga_listen
-- Be told of sagas that are due.
LISTEN outgrow_sagas;

-- name: saga_checkpoint
-- Many at once.  A row that another holder has, or that has come further, is left as it is, and not returned.
UPDATE outgrow.sagas AS s
SET state = u.state, step = u.step, tries = u.tries, stuck = u.stuck, trouble = u.trouble,
    failure = COALESCE(u.failure, s.failure),
    results = CASE WHEN u.result IS NULL THEN s.results ELSE array_append(s.results, u.result) END,
    places = CASE WHEN u.place IS NULL THEN s.places ELSE array_append(s.places[1:u.step], u.place) END,
    holder = CASE WHEN u.rest IS NULL AND u.state NOT IN ('done', 'compensated') THEN s.holder END,
    wake_at = CASE WHEN u.state IN ('done', 'compensated') THEN NULL
                   WHEN u.rest IS NULL THEN s.wake_at ELSE clock_timestamp() + u.rest * interval '1 second' END,
    ended_at = CASE WHEN u.state IN ('done', 'compensated') THEN clock_timestamp() END
FROM unnest($1::uuid[], $2::int8[], $3::text[], $4::int4[], $5::text[], $6::int4[], $7::int4[], $8::text[], $9::text[],
            $10::bool[], $11::text[], $12::text[], $13::float8[])
         AS u(id, epoch, was_state, was_step, state, step, tries, result, place, stuck, failure, trouble, rest),
     (SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
                        ELSE current_setting('synchronous_commit') END, true)) AS safe
WHERE s.id = u.id AND s.epoch = u.epoch AND s.state = u.was_state AND s.step = u.was_step
RETURNING s.id;

-- name: saga_keep
-- Their holder is alive: nobody else takes them for so long.  Those that somebody has taken, or that rest, are not
-- returned; those that were aborted are, as fenced: their compensation must not begin while the holder's step goes on.
UPDATE outgrow.sagas AS s SET wake_at = clock_timestamp() + u.lease * interval '1 second'
FROM unnest($1::uuid[], $2::int8[], $3::float8[]) AS u(id, epoch, lease)
WHERE s.id = u.id AND s.holder = $4::text AND s.wake_at IS NOT NULL
RETURNING s.id, s.epoch = u.epoch;

-- name: saga_claim
-- At most so many that are due, each for one of those who ask at the same time, of these definitions and no others.
WITH known AS (
    SELECT * FROM unnest($1::text[], $2::int4[], $3::float8[]) AS k(name, version, lease)
), due AS MATERIALIZED (
    SELECT s.id, k.lease FROM outgrow.sagas AS s JOIN known AS k ON k.name = s.name AND k.version = s.version
    WHERE s.wake_at <= clock_timestamp()
    ORDER BY s.wake_at LIMIT $5::int4 FOR UPDATE OF s SKIP LOCKED
)
UPDATE outgrow.sagas AS s
SET epoch = s.epoch + 1, holder = $4::text, wake_at = clock_timestamp() + due.lease * interval '1 second'
FROM due,
     (SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
                        ELSE current_setting('synchronous_commit') END, true)) AS safe
WHERE s.id = due.id
RETURNING s.id, s.name, s.version, s.key, s.input, s.state, s.step, s.results, s.places, s.tries, s.stuck, s.failure,
          s.trouble, s.epoch, extract(epoch FROM s.deadline_at - clock_timestamp())::float8;

-- name: saga_next_due
-- How long until the next one of these definitions is due; null where none is.
SELECT extract(epoch FROM min(s.wake_at) - clock_timestamp())::float8
FROM outgrow.sagas AS s JOIN unnest($1::text[], $2::int4[]) AS k(name, version) USING (name, version)
WHERE s.wake_at IS NOT NULL;

-- name: saga_take
-- One of them, by its holder's name, as long as nobody holds it.
UPDATE outgrow.sagas AS s
SET epoch = s.epoch + 1, holder = $2::text, wake_at = clock_timestamp() + $3::float8 * interval '1 second'
WHERE s.id = $1::uuid AND s.wake_at <= clock_timestamp()
RETURNING s.id, s.name, s.version, s.key, s.input, s.state, s.step, s.results, s.places, s.tries, s.stuck, s.failure,
          s.trouble, s.epoch, extract(epoch FROM s.deadline_at - clock_timestamp())::float8;

-- name: saga_by_key
-- The saga that a key belongs to.
SELECT id, version, input FROM outgrow.sagas WHERE name = $1::text AND key = $2::text;

-- name: saga_look
-- One saga, for whoever wants to know.
SELECT id, name, version, key, state, stuck, step, results, tries, failure, trouble, holder, epoch, input,
       begun_at::text, ended_at::text, deadline_at::text, wake_at::text,
       extract(epoch FROM wake_at - clock_timestamp())::float8,
       (SELECT shape FROM outgrow.saga_definitions AS d WHERE d.name = s.name AND d.version = s.version)
FROM outgrow.sagas AS s WHERE id = $1::uuid;

-- name: saga_list
-- Those in these states (`stuck` counts as one of its own), the latest first, behind an id.
SELECT id, name, version, key, state, stuck, step, results, tries, failure, trouble, holder, epoch, input,
       begun_at::text, ended_at::text, deadline_at::text, wake_at::text,
       extract(epoch FROM wake_at - clock_timestamp())::float8,
       (SELECT shape FROM outgrow.saga_definitions AS d WHERE d.name = s.name AND d.version = s.version)
FROM outgrow.sagas AS s
WHERE (CASE WHEN stuck THEN 'stuck' ELSE state END) = ANY ($1::text[])
  AND ($2::text IS NULL OR name = $2::text) AND ($3::uuid IS NULL OR id < $3::uuid)
ORDER BY id DESC LIMIT $4::int4;

-- name: saga_retry
-- By an operator: it is due now, its tries are counted anew.  Whoever holds it is left in peace.
UPDATE outgrow.sagas SET stuck = false, tries = 0, epoch = epoch + 1, wake_at = clock_timestamp()
WHERE id = $1::uuid AND wake_at IS NOT NULL AND (holder IS NULL OR wake_at < clock_timestamp())
RETURNING id;

-- name: saga_abort
-- By an operator: it is undone from where it is, the step at work included.  Whoever holds it is fenced, but may trust
-- its lease until that is over, and keeps it (`saga_keep`) while its step goes on: a step that it has begun must not come
-- behind its compensation.
UPDATE outgrow.sagas
SET state = 'compensating', step = step + 1, epoch = epoch + 1, tries = 0, stuck = false, failure = $2::text,
    trouble = NULL, wake_at = CASE WHEN holder IS NULL THEN clock_timestamp() ELSE wake_at END
WHERE id = $1::uuid AND state = 'running'
RETURNING id;

-- name: saga_mark
-- In the transaction of a step or its compensation, before its statements.  Who comes second waits for the first, but
-- not for ever; nor may a process that stands still hold others up.
INSERT INTO outgrow.applied (saga, step, kind, tombstone)
SELECT $1::uuid, $2::int4, $3::text, $4::bool
FROM (SELECT set_config('lock_timeout', CASE current_setting('lock_timeout') WHEN '0' THEN '10s'
                                        ELSE current_setting('lock_timeout') END, true),
             set_config('idle_in_transaction_session_timeout',
                        CASE current_setting('idle_in_transaction_session_timeout') WHEN '0' THEN '60s'
                             ELSE current_setting('idle_in_transaction_session_timeout') END, true),
             set_config('client_connection_check_interval', '1s', true),
             set_config('synchronous_commit', CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'
                        ELSE current_setting('synchronous_commit') END, true)) AS limits
ON CONFLICT DO NOTHING
RETURNING true;

-- name: saga_marked
-- The mark of a step.
SELECT tombstone, result FROM outgrow.applied WHERE saga = $1::uuid AND step = $2::int4 AND kind = 'step';

-- name: saga_mark_result
-- What the step has returned.
UPDATE outgrow.applied SET result = $3::text WHERE saga = $1::uuid AND step = $2::int4 AND kind = 'step';

-- name: saga_forget
-- Sagas that have been over for so long; at most a thousand.
DELETE FROM outgrow.sagas WHERE id IN (
    SELECT id FROM outgrow.sagas WHERE ended_at < clock_timestamp() - $1::float8 * interval '1 second' LIMIT 1000
) RETURNING id;

-- name: saga_marks_forget
-- The marks of sagas that are forgotten.
DELETE FROM outgrow.applied WHERE saga = ANY ($1::uuid[]);
