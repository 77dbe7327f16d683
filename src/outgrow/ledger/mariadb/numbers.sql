-- Fleet sequences and worker numbers.

-- name: sequence_lease
-- The next block of at most $8 numbers; no row where the sequence is not known, known otherwise, used up, or was last
-- leased by another server.  (The row is locked before it is read, and UPDATE returns nothing here.)
INSERT INTO outgrow_sequences
SELECT s.* FROM (SELECT * FROM outgrow_sequences
                 WHERE domain = $1 AND schema_name = $2 AND sequence_name = $3
                   AND `increment` = $4 AND minimum = $5 AND maximum = $6 AND `cycle` = $7
                   AND `next` BETWEEN minimum AND maximum AND timeline = @@server_id
                 FOR UPDATE) AS s
ON DUPLICATE KEY UPDATE
    `first` = outgrow_sequences.`next`,
    granted = LEAST((outgrow_sequences.maximum - outgrow_sequences.`next`) DIV outgrow_sequences.`increment` + 1, $8),
    `next` = outgrow_sequences.`next` + outgrow_sequences.`increment` * outgrow_sequences.granted
RETURNING `first`, granted;

-- name: sequence_open
-- Make the sequence known, or known as it is defined now, no earlier than at $8.  On a promoted server what was leased
-- last may be forgotten: $9 steps are left out.  The same where that was less than a day ago, for a sequence whose very
-- row was lost.
INSERT INTO outgrow_sequences
SELECT $1, $2, $3,
       $8 + IF(g.timeline <> @@server_id OR (g.counter > 1 AND g.raised_at > UTC_TIMESTAMP(6) - INTERVAL 1 DAY),
               $9 * $4, 0),
       $4, $5, $6, $7, $8, 0, @@server_id, 0
FROM outgrow_generation AS g
ON DUPLICATE KEY UPDATE
    `next` = IF((outgrow_sequences.`increment` <> $4 OR outgrow_sequences.minimum <> $5
                 OR outgrow_sequences.maximum <> $6) AND outgrow_sequences.`next` NOT BETWEEN $5 AND $6,
                $8, GREATEST(outgrow_sequences.`next`, $8))
             + IF(outgrow_sequences.timeline = @@server_id, 0, $9 * $4),
    `increment` = $4, minimum = $5, maximum = $6, `cycle` = $7, timeline = @@server_id;

-- name: sequence_skip
-- Move a known sequence on, never back: its next number is $4 or beyond.
INSERT INTO outgrow_sequences
SELECT s.* FROM (SELECT * FROM outgrow_sequences
                 WHERE domain = $1 AND schema_name = $2 AND sequence_name = $3 FOR UPDATE) AS s
ON DUPLICATE KEY UPDATE `next` = GREATEST(outgrow_sequences.`next`, $4)
RETURNING `next`;

-- name: sequence_patience
-- What looks at tables has a limit of its own.
DO 0;

-- name: sequence_place
-- On one shard: the next number that it would give itself; {sequence} is the table, as a string.
SELECT AUTO_INCREMENT, 0 FROM information_schema.TABLES
WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = {sequence} AND AUTO_INCREMENT IS NOT NULL;

-- name: sequence_used
-- On one shard: the greatest and the least number within $1 and $2 that a column holds already.
SET STATEMENT lock_wait_timeout = 3 FOR
SELECT CAST(MAX({column}) AS CHAR), CAST(MIN({column}) AS CHAR) FROM {table} WHERE {column} BETWEEN $1 AND $2;

-- name: worker_take
-- A worker number whose last holder's milliseconds are over at $2: ours until $3.  Each generation of the server has a
-- quarter of the numbers, because a lossy failover may have forgotten who held one of the last generation's.  (A search
-- locks all that it looks at, so that SKIP LOCKED would find none beside another's.)
INSERT INTO outgrow_workers (number, holder, until_ms)
SELECT f.number, f.holder, f.until_ms
FROM (SELECT number, holder, until_ms FROM outgrow_workers
      WHERE number DIV 1024 = (SELECT counter % 4 FROM outgrow_generation) AND until_ms < $2
      ORDER BY until_ms, number LIMIT 1 FOR UPDATE) AS f
ON DUPLICATE KEY UPDATE holder = $1, until_ms = $3
RETURNING number;

-- name: worker_numbers
-- At the first need in a generation: its quarter of the numbers, held by nobody.
INSERT IGNORE INTO outgrow_workers (number, holder, until_ms)
SELECT g.counter % 4 * 1024 + n.seq, '', -1 FROM outgrow_generation AS g JOIN seq_0_to_1023 AS n;

-- name: worker_keep
-- The holder's milliseconds go on until $4; no row where they were over at $3, because then others may have had it.
INSERT INTO outgrow_workers (number, holder, until_ms)
SELECT f.number, f.holder, f.until_ms
FROM (SELECT number, holder, until_ms FROM outgrow_workers
      WHERE number = $1 AND holder = $2 AND until_ms >= $3 FOR UPDATE) AS f
ON DUPLICATE KEY UPDATE until_ms = $4
RETURNING number;

-- name: worker_end
-- The holder needs it no longer; others may have what comes after $3.
UPDATE outgrow_workers SET holder = '', until_ms = $3 WHERE number = $1 AND holder = $2;
