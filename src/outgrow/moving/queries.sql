-- What a bulk load asks each shard; {table} is the quoted table.

-- name: has_rows
-- Is there anything in the table already?
SELECT EXISTS (SELECT 1 FROM {table});
