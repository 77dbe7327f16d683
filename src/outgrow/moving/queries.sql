-- What a bulk load asks each shard; {table} is the quoted table.

-- name: has_rows
-- Is there anything in the table already?
SELECT EXISTS (SELECT FROM {table});

-- name: truncate
-- Empty it, in the load's own transaction: if the load fails, the old rows are back.
TRUNCATE {table};
