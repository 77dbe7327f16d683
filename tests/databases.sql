-- name: disconnect
-- End every session of a database, as DROP DATABASE … WITH (FORCE) does.
SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s AND pid <> pg_backend_pid();

-- name: empty
-- Drop every schema with all it has, and make `public` anew, as initdb makes it.
DO $$
DECLARE
    name text;
BEGIN
    SET LOCAL client_min_messages = warning;
    SET LOCAL lock_timeout = '5s';
    FOR name IN SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema' LOOP
        EXECUTE format('DROP SCHEMA %I CASCADE', name);
    END LOOP;
    CREATE SCHEMA public AUTHORIZATION pg_database_owner;
    GRANT USAGE ON SCHEMA public TO PUBLIC;
    COMMENT ON SCHEMA public IS 'standard public schema';
END $$;

-- name: left
-- What a test may have changed besides: objects outside of schemas, rights, settings, what is prepared or replicated.
SELECT
    (SELECT count(*) FROM pg_namespace WHERE nspname !~ '^pg_') AS schemas,
    (SELECT count(*) FROM pg_class WHERE oid >= 16384 AND relnamespace <> 'pg_toast'::regnamespace) AS relations,
    (SELECT count(*) FROM pg_proc WHERE oid >= 16384) AS functions,
    (SELECT count(*) FROM pg_type WHERE oid >= 16384) AS types,
    (SELECT count(*) FROM pg_operator WHERE oid >= 16384) AS operators,
    (SELECT count(*) FROM pg_cast WHERE oid >= 16384) AS casts,
    (SELECT count(*) FROM pg_collation WHERE oid >= 16384) AS collations,
    (SELECT count(*) FROM pg_language WHERE oid >= 16384) AS languages,
    (SELECT count(*) FROM pg_extension) AS extensions,
    (SELECT count(*) FROM pg_event_trigger) AS event_triggers,
    (SELECT count(*) FROM pg_publication) AS publications,
    (SELECT count(*) FROM pg_subscription) AS subscriptions,
    (SELECT count(*) FROM pg_foreign_server) AS foreign_servers,
    (SELECT count(*) FROM pg_largeobject_metadata) AS large_objects,
    (SELECT count(*) FROM pg_default_acl) AS default_rights,
    (SELECT count(*) FROM pg_prepared_xacts WHERE database = current_database()) AS prepared,
    (SELECT count(*) FROM pg_replication_slots WHERE database = current_database()) AS slots,
    (SELECT count(*) FROM pg_db_role_setting s WHERE s.setdatabase = d.oid) AS settings,
    (SELECT md5(string_agg(relname || relacl::text, ',' ORDER BY oid)) FROM pg_class WHERE oid < 16384) AS relation_rights,
    (SELECT md5(string_agg(proname || proacl::text, ',' ORDER BY oid)) FROM pg_proc WHERE oid < 16384) AS function_rights,
    d.datdba::regrole::text AS owner, d.datacl::text AS rights, d.datconnlimit AS connections, d.datallowconn AS allowed
FROM pg_database d WHERE d.datname = current_database();
