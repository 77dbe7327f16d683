-- name: type_names
-- The catalogue names of types by OID: bare in pg_catalog, else with their schema.
SELECT t.oid, CASE WHEN n.nspname = 'pg_catalog' THEN t.typname::text ELSE n.nspname || '.' || t.typname END
FROM pg_catalog.pg_type t JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
WHERE t.oid = ANY ($1::oid[])

-- name: identity
-- What tells one server process from another behind the same address: its system, start and role.
SELECT (SELECT system_identifier FROM pg_catalog.pg_control_system()),
       pg_catalog.pg_postmaster_start_time()::text,
       pg_catalog.pg_is_in_recovery()

-- name: alive
-- The cheapest statement that proves that the backend still answers.
SELECT

-- name: rollback
-- Ends whatever transaction a returned connection still has.
ROLLBACK
