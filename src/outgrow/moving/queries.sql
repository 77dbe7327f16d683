-- What a bulk load asks each shard; {table} is the quoted table.

-- name: begin
-- A shard's part is one transaction.
BEGIN;

-- name: has_rows
-- Is there anything in the table already?
SELECT EXISTS (SELECT FROM {table});

-- name: truncate
-- Empty it, in the load's own transaction: if the load fails, the old rows are back.
TRUNCATE {table};

-- name: commit
-- The shard's part stands.
COMMIT;

-- name: rollback
-- Nothing of the shard's part stands.
ROLLBACK;
