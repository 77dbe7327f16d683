-- name: create_app
-- The application's role and its database; running it again changes nothing but the password.  The lock waits for the
-- same statements of an `up` that was killed: the server goes on with them.
SELECT pg_advisory_lock(x'6f757467726f77'::int8);
SELECT 'CREATE ROLE app LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'app')
\gexec
ALTER ROLE app PASSWORD :'password';
SELECT 'CREATE DATABASE app OWNER app' WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'app')
\gexec

-- name: create_slot
-- One replica's replication slot, without which its primary could drop log it still needs.  Reserving at once matters:
-- otherwise nothing is kept until the base backup's second connection comes, and another backup's checkpoint may be first.
SELECT pg_create_physical_replication_slot(:'slot', true)
 WHERE NOT EXISTS (SELECT FROM pg_replication_slots WHERE slot_name = :'slot');

-- name: drop_lost_slot
-- A slot whose log is gone: its replica must be copied anew.  Prints a row when there was one.
SELECT pg_drop_replication_slot(slot_name), slot_name FROM pg_replication_slots
 WHERE slot_name = :'slot' AND wal_status = 'lost';

-- name: condition
-- Whether the server replays, and how far its log goes, in bytes: written on a primary, replayed on a replica.
SELECT pg_is_in_recovery(),
       CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_lsn() END - '0/0'::pg_lsn;
