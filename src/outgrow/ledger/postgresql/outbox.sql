-- Messages on their way out, and what consumers have seen.

-- name: outbox_emit
-- In the user's transaction: a message with a key.  The key's lock is held until the end of the transaction, prepared or
-- not, and taken before the number is drawn: so whoever has a later number of the key commits later.  The transaction
-- also has its own number before: a snapshot that does not wait for it has seen it end.
WITH held AS MATERIALIZED (
    SELECT pg_advisory_xact_lock(hashtextextended('outgrow outbox ' || $2::text || ' ' || $4::text || ' ' || $5::text,
                                                  8816678312871386365)) IS NOT NULL AS done,
           pg_current_xact_id() IS NOT NULL AS numbered
)
INSERT INTO outgrow.outbox (number, id, topic, family, key, headers, form, body)
SELECT nextval('outgrow.outbox_number'), $1::uuid, $2::text, $4::text, $5::text, $6::text, $7::text, $3::bytea
FROM held WHERE held.done AND held.numbered;

-- name: outbox_emit_free
-- A message without a key: it waits for nobody.
WITH held AS MATERIALIZED (SELECT pg_current_xact_id() IS NOT NULL AS numbered)
INSERT INTO outgrow.outbox (number, id, topic, family, key, headers, form, body)
SELECT nextval('outgrow.outbox_number'), $1::uuid, $2::text, '', $1::uuid::text, $4::text, $5::text, $3::bytea
FROM held WHERE held.numbered;

-- name: outbox_wake
-- Behind the commit, never in a transaction: there it could not be prepared, and all commits that notify wait for each
-- other.
SELECT pg_notify('outgrow_outbox', t.topic) FROM unnest($1::text[]) AS t(topic);

-- name: outbox_vigil
-- On a relay's own connection, first: where its machine is gone without a word, the server shall not keep its claims for
-- the two hours that systems wait, but find out within a dozen seconds.
SELECT set_config('tcp_keepalives_idle', '5', false), set_config('tcp_keepalives_interval', '2', false),
       set_config('tcp_keepalives_count', '3', false), set_config('tcp_user_timeout', '10000', false);

-- name: outbox_listen
-- On a relay's own connection.
LISTEN outgrow_outbox;

-- name: outbox_claim
-- Which of these topics are ours from now on, as long as this connection lives.
SELECT t.topic FROM unnest($1::text[]) AS t(topic)
WHERE pg_try_advisory_lock(hashtextextended('outgrow relay ' || t.topic, 8816678312871386365));

-- name: outbox_release
-- Others may claim them, at once: the server notices late that a connection is closed.
SELECT pg_advisory_unlock_all();

-- name: outbox_read
-- The next messages of a topic behind $2, but for those of keys that are blocked.
SELECT o.number, o.id, o.family, o.key, o.headers, o.form, o.body, o.emitted_at, 0
FROM outgrow.outbox AS o
WHERE o.topic = $1::text AND o.number > $2::int8
  AND NOT EXISTS (SELECT FROM outgrow.outbox_blocked AS b
                  WHERE b.topic = o.topic AND b.family = o.family AND b.key = o.key)
ORDER BY o.number LIMIT $3::int8;

-- name: outbox_due
-- Of blocked keys whose time has come ($2 at most): each one's first messages ($3 at most), or a row of NULLs where it
-- has none any more.
SELECT o.number, o.id, d.family, d.key, o.headers, o.form, o.body, o.emitted_at,
       CASE WHEN o.number = d.number THEN d.attempts ELSE 0 END
FROM (SELECT b.family, b.key, b.number, b.attempts FROM outgrow.outbox_blocked AS b
      WHERE b.topic = $1::text AND b.next_at <= clock_timestamp() ORDER BY b.next_at LIMIT $2::int8) AS d
LEFT JOIN LATERAL (SELECT * FROM outgrow.outbox AS w
                   WHERE w.topic = $1::text AND w.family = d.family AND w.key = d.key
                   ORDER BY w.number LIMIT $3::int8) AS o ON true
ORDER BY d.family, d.key, o.number;

-- name: outbox_look
-- The last number given out (a new sequence has given out none), the oldest transaction that runs, one that has begun
-- just now where that is asked for ($2: it costs a transaction number, else 0); and in how many seconds the next blocked
-- key is due.  (A snapshot's xmax is no such bound: it is one past the last transaction that has *ended*.)
SELECT CASE WHEN s.is_called THEN s.last_value ELSE s.last_value - 1 END,
       pg_snapshot_xmin(n.now)::text::int8,
       CASE WHEN $2::bool THEN pg_current_xact_id()::text::int8 ELSE 0 END,
       (SELECT extract(epoch FROM min(b.next_at) - clock_timestamp())::float8 FROM outgrow.outbox_blocked AS b
        WHERE b.topic = $1::text)
FROM outgrow.outbox_number AS s, (SELECT pg_current_snapshot() AS now) AS n;

-- name: outbox_delivered
-- They are where they should be.  Its own flush is not waited for: what a crash of the server brings back is delivered
-- twice.  By number and id: a server that took over without all of the log gives numbers again.
WITH lazy AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true) AS done)
DELETE FROM outgrow.outbox AS o USING lazy
WHERE lazy.done IS NOT NULL AND o.topic = $1::text AND o.number = ANY ($2::int8[]) AND o.id = ANY ($3::uuid[]);

-- name: outbox_block
-- These keys' first messages could not be delivered.
INSERT INTO outgrow.outbox_blocked AS b (topic, family, key, number, attempts, last_error, failed_at, next_at)
SELECT $1::text, f.family, f.key, f.number, f.attempts, f.error, clock_timestamp(),
       clock_timestamp() + f.seconds * interval '1 second'
FROM unnest($2::text[], $3::text[], $4::int8[], $5::int4[], $6::text[], $7::float8[])
     AS f(family, key, number, attempts, error, seconds)
ON CONFLICT (topic, family, key) DO UPDATE
SET number = excluded.number, attempts = excluded.attempts, last_error = excluded.last_error,
    failed_at = excluded.failed_at, next_at = excluded.next_at;

-- name: outbox_unblock
-- All that waited of these keys is delivered.
DELETE FROM outgrow.outbox_blocked AS b USING unnest($2::text[], $3::text[]) AS f(family, key)
WHERE b.topic = $1::text AND b.family = f.family AND b.key = f.key;

-- name: outbox_retry
-- Blocked keys are tried again now: all of a topic, one of any family, or those of all topics.
UPDATE outgrow.outbox_blocked AS b SET next_at = clock_timestamp()
WHERE ($1::text IS NULL OR b.topic = $1::text) AND ($2::text IS NULL OR b.key = $2::text)
RETURNING b.topic, b.key;

-- name: outbox_drop
-- A message that nobody shall have.  Its key stays blocked until the relay has looked for the rest, which is now.
WITH dropped AS (DELETE FROM outgrow.outbox WHERE id = $1::uuid RETURNING topic, family, key), due AS (
    UPDATE outgrow.outbox_blocked AS b SET next_at = clock_timestamp() FROM dropped AS d
    WHERE b.topic = d.topic AND b.family = d.family AND b.key = d.key
)
SELECT topic, family, key FROM dropped;

-- name: outbox_lag
-- Per topic: how many wait, since when the first, how many keys are blocked, and what went wrong last.
SELECT t.topic, coalesce(o.waiting, 0), o.oldest, coalesce(b.keys, 0), b.error
FROM (SELECT topic FROM outgrow.outbox UNION SELECT topic FROM outgrow.outbox_blocked) AS t
LEFT JOIN (SELECT topic, count(*) AS waiting,
                  extract(epoch FROM clock_timestamp() - min(emitted_at))::float8 AS oldest
           FROM outgrow.outbox GROUP BY topic) AS o USING (topic)
LEFT JOIN (SELECT topic, count(*) AS keys, (array_agg(last_error ORDER BY failed_at DESC))[1] AS error
           FROM outgrow.outbox_blocked GROUP BY topic) AS b USING (topic)
ORDER BY t.topic;

-- name: outbox_stuck
-- Blocked keys with their first message, those that have failed longest first.
SELECT b.topic, b.family, b.key, o.id, b.attempts, b.last_error,
       extract(epoch FROM b.next_at - clock_timestamp())::float8
FROM outgrow.outbox_blocked AS b
LEFT JOIN outgrow.outbox AS o ON o.topic = b.topic AND o.number = b.number
WHERE $1::text IS NULL OR b.topic = $1::text
ORDER BY b.attempts DESC, b.failed_at LIMIT $2::int8;

-- name: outbox_keep
-- Before a key migrates, on both shards: a relay that has delivered one of its messages deletes it before, or finds it
-- gone; and whoever draws numbers has a transaction number.
SELECT pg_current_xact_id()::text, count(*)
FROM (SELECT FROM outgrow.outbox WHERE family = $1::text AND key = $2::text FOR UPDATE) AS k;

-- name: inbox_once
-- In the consumer's transaction: no row where it has seen the message before.
INSERT INTO outgrow.inbox (id, consumer, family, key) VALUES ($1::uuid, $2::text, $3::text, $4::text)
ON CONFLICT DO NOTHING RETURNING 1;

-- name: inbox_forget
-- What was seen longer ago than $1 seconds; at most ten thousand at a time.
DELETE FROM outgrow.inbox WHERE ctid = ANY (ARRAY(
    SELECT ctid FROM outgrow.inbox WHERE seen_at < clock_timestamp() - $1::float8 * interval '1 second' LIMIT 10000));
