-- What the doctor asks of servers; nothing here writes.  {words in braces} are filled in with quoted names.

-- name: identity
-- On any node: its role, which history and process it is, which database, and its version.
SELECT pg_is_in_recovery(), c.system_identifier, pg_postmaster_start_time()::text, current_database()::text,
       current_setting('server_version_num')::int4, current_setting('server_version')
FROM pg_control_system() AS c;

-- name: own_process
-- Which process answers: behind a pooler not the one that the connection was made with.
SELECT pg_backend_pid();

-- name: blockers
-- On any node: which backends hold the lock that this one waits for; an empty array when it waits for none.
SELECT pg_blocking_pids($1::int4);

-- name: clock
-- On any node: what time it thinks it is, in seconds since 1970.
SELECT extract(epoch FROM clock_timestamp())::float8;

-- name: settings
-- On any node, as this role and this database get them: settings that outgrow depends on, and what waits for a restart.
SELECT s.name, s.setting, s.pending_restart FROM pg_settings AS s
WHERE s.name = ANY ($1::text[]) OR s.pending_restart;

-- name: database
-- On any node: encoding, and the collation versions that the database was made with and that the machine has now.
SELECT pg_encoding_to_char(d.encoding)::text, d.datlocprovider::text, d.datcollate::text, d.datctype::text,
       d.datcollversion, pg_database_collation_actual_version(d.oid)
FROM pg_database AS d WHERE d.datname = current_database();

-- name: collations
-- On any node: collations that columns use and whose version is not the one they were made with.
SELECT DISTINCT c.collname::text, c.collversion, pg_collation_actual_version(c.oid)
FROM pg_attribute AS a JOIN pg_collation AS c ON c.oid = a.attcollation
JOIN pg_class AS t ON t.oid = a.attrelid
WHERE c.collprovider <> 'd' AND t.relkind IN ('r', 'p', 'i', 'm') AND a.attnum > 0 AND NOT a.attisdropped
  AND c.collversion IS DISTINCT FROM pg_collation_actual_version(c.oid)
ORDER BY 1;

-- name: senders
-- On a primary: how many take its log, how many may, and how many replication slots there are and may be.
SELECT (SELECT count(*) FROM pg_stat_replication), current_setting('max_wal_senders')::int4,
       (SELECT count(*) FROM pg_replication_slots), current_setting('max_replication_slots')::int4;

-- name: slots
-- On a primary: replication slots that nobody reads, the bytes of log that each holds back, and what became of it.
SELECT slot_name::text, slot_type, coalesce(pg_current_wal_lsn() - restart_lsn, 0)::int8, coalesce(wal_status, '')
FROM pg_replication_slots WHERE NOT active ORDER BY slot_name;

-- name: written
-- On a primary: bytes of log written.
SELECT (pg_current_wal_lsn() - '0/0'::pg_lsn)::int8 WHERE NOT pg_is_in_recovery();

-- name: replayed
-- On a replica: bytes of log replayed, whether a process receives it, replay's state, and the age in seconds of the
-- last commit that was replayed, by this machine's clock.
SELECT (pg_last_wal_replay_lsn() - '0/0'::pg_lsn)::int8, (SELECT count(*) FROM pg_stat_wal_receiver),
       pg_get_wal_replay_pause_state(),
       extract(epoch FROM clock_timestamp() - pg_last_xact_replay_timestamp())::float8
WHERE pg_is_in_recovery();

-- name: in_doubt
-- Transactions that were prepared in this database and neither committed nor rolled back for longer than so many seconds.
SELECT gid, owner::text, extract(epoch FROM clock_timestamp() - prepared)::float8
FROM pg_prepared_xacts
WHERE database = current_database() AND prepared < clock_timestamp() - make_interval(secs => $1::float8)
ORDER BY prepared;

-- name: stamps_summed
-- The newest transactions over shards that have a part here, none older than $1, at most $2, by slices of 65 seconds and by
-- each shard of their parts: how many, and a digest that is the same elsewhere if they are the same.
SELECT left(s.id::text, 8), m.shard, count(*), bit_xor(('x' || right(s.id::text, 12))::bit(48)::int8)
FROM (SELECT id, shards FROM outgrow.stamps WHERE id > $1::uuid ORDER BY id DESC LIMIT $2::int8) AS s,
     unnest(s.shards) AS m (shard)
GROUP BY 1, 2;

-- name: stamps_within
-- The transactions over shards of some slices of 65 seconds ($1: an array in JSON): number, and the shards of all parts.
SELECT replace(s.id::text, '-', ''), to_json(s.shards)::text
FROM json_array_elements_text($1::json) AS w (slice)
JOIN outgrow.stamps AS s ON s.id BETWEEN (w.slice || repeat('0', 24))::uuid AND (w.slice || repeat('f', 24))::uuid;

-- name: stamps_there
-- Which of these transactions ($1: an array in JSON) are committed here.
SELECT replace(id::text, '-', '') FROM outgrow.stamps
WHERE id IN (SELECT value::uuid FROM json_array_elements_text($1::json) AS asked (value));

-- name: branches_prepared
-- The names of what is prepared here.
SELECT gid FROM pg_prepared_xacts WHERE database = current_database();

-- name: sagas
-- Sagas that are stuck, with what the last of them met, and those that have been due for longer than so many seconds.
SELECT name, version, count(*) FILTER (WHERE stuck), max(trouble) FILTER (WHERE stuck),
       count(*) FILTER (WHERE wake_at < clock_timestamp() - make_interval(secs => $1::float8))
FROM outgrow.sagas
WHERE wake_at IS NOT NULL AND (stuck OR wake_at < clock_timestamp() - make_interval(secs => $1::float8))
GROUP BY name, version ORDER BY name, version;

-- name: long_transactions
-- Sessions of this database that sit in a transaction and say nothing, or work in one, for longer than so many seconds.
SELECT pid, coalesce(usename::text, ''), coalesce(application_name, ''), state,
       extract(epoch FROM clock_timestamp() - CASE WHEN state = 'active' THEN xact_start ELSE state_change END)::float8
FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()
  AND (state LIKE 'idle in transaction%' AND state_change < clock_timestamp() - make_interval(secs => $1::float8)
       OR state = 'active' AND xact_start < clock_timestamp() - make_interval(secs => $2::float8))
ORDER BY 5 DESC;

-- name: ages
-- How many transactions and multixacts ago this database was last frozen, and which tables hold it back.
SELECT age(d.datfrozenxid), mxid_age(d.datminmxid),
       (SELECT array_agg(t.name) FROM (SELECT c.oid::regclass::text AS name FROM pg_class AS c
                                       WHERE c.relkind IN ('r', 'm', 't') ORDER BY age(c.relfrozenxid) DESC LIMIT 3) AS t)
FROM pg_database AS d WHERE d.datname = current_database();

-- name: table_rights
-- Of these tables (schema, name), those that this role may not read, and those that it may not write.
SELECT t.schema, t.name, r.readable, r.writable
FROM unnest($1::text[], $2::text[]) AS t(schema, name)
JOIN pg_namespace AS n ON n.nspname = t.schema
JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = t.name AND c.relkind IN ('r', 'p', 'f')
CROSS JOIN LATERAL (
    SELECT has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'SELECT') AS readable,
           has_schema_privilege(n.oid, 'USAGE') AND has_table_privilege(c.oid, 'INSERT')
           AND has_table_privilege(c.oid, 'UPDATE') AND has_table_privilege(c.oid, 'DELETE') AS writable
) AS r
WHERE NOT (r.readable AND r.writable)
ORDER BY 1, 2;

-- name: read_only
-- Whether transactions of this role in this database begin read-only; and the role.
SELECT current_setting('default_transaction_read_only') = 'on', current_user::text;

-- name: unproven
-- Constraints that were added NOT VALID and never validated: schema, table, name, kind.
SELECT n.nspname::text, c.relname::text, k.conname::text,
       CASE k.contype WHEN 'f' THEN 'foreign key' WHEN 'n' THEN 'not-null constraint' ELSE 'check' END
FROM pg_constraint AS k JOIN pg_class AS c ON c.oid = k.conrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE NOT k.convalidated AND k.conparentid = 0 AND n.nspname NOT IN ('outgrow', 'pg_catalog', 'information_schema')
ORDER BY 1, 2, 3;

-- name: invalid_indexes
-- Indexes that queries do not use, because their building ended in the middle, and that nobody is building now.
SELECT n.nspname::text, c.relname::text, i.relname::text, x.indisunique
FROM pg_index AS x
JOIN pg_class AS i ON i.oid = x.indexrelid
JOIN pg_class AS c ON c.oid = x.indrelid
JOIN pg_namespace AS n ON n.oid = i.relnamespace
WHERE NOT x.indisvalid AND i.relkind IN ('i', 'I') AND n.nspname NOT IN ('outgrow', 'pg_catalog', 'pg_toast')
  AND NOT EXISTS (SELECT FROM pg_stat_progress_create_index AS p
                  WHERE p.index_relid = x.indexrelid AND p.datname = current_database())
ORDER BY 1, 2, 3;

-- name: silent_triggers
-- Triggers that do not fire: the user's own by name, those of foreign keys by their constraint.
SELECT n.nspname::text, c.relname::text,
       CASE WHEN t.tgisinternal THEN coalesce(k.conname, t.tgname) ELSE t.tgname END::text AS name, t.tgisinternal
FROM pg_trigger AS t
JOIN pg_class AS c ON c.oid = t.tgrelid
JOIN pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_constraint AS k ON k.oid = t.tgconstraint
WHERE t.tgenabled = 'D' AND n.nspname NOT IN ('outgrow', 'pg_catalog', 'information_schema')
GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3;

-- name: identities
-- Tables of this database whose rows nothing tells apart for replication: no primary key, and REPLICA IDENTITY DEFAULT.
SELECT n.nspname::text, c.relname::text
FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND c.relreplident IN ('d', 'n')
  AND NOT EXISTS (SELECT FROM pg_index AS x WHERE x.indrelid = c.oid AND x.indisprimary AND c.relreplident = 'd')
  AND n.nspname NOT IN ('outgrow', 'pg_catalog', 'information_schema', 'pg_toast')
ORDER BY 1, 2;

-- name: sequences
-- A shard's own sequences: the last number handed out (NULL: none, or this role may not know), how they count, and
-- whether this role may know.
SELECT schemaname::text, sequencename::text, last_value, increment_by, min_value, max_value, cycle,
       has_sequence_privilege(format('%I.%I', schemaname, sequencename), 'SELECT, USAGE')
FROM pg_sequences WHERE schemaname <> 'outgrow' ORDER BY 1, 2;

-- name: fleet_sequences
-- On the home shard: the next number of each fleet sequence.
SELECT schema_name, sequence_name, next::text, increment, minimum, maximum, cycle
FROM outgrow.sequences WHERE domain = $1::text ORDER BY 1, 2;

-- name: extents
-- Of tables (schema, name): the parts that have pages, whole tables and leaves of partitioned ones, with their pages.
SELECT t.place, p.relid::oid::int8, format('%I.%I', n.nspname, c.relname),
       pg_relation_size(p.relid) / current_setting('block_size')::int8
FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS t(schema, name, place)
JOIN pg_namespace AS tn ON tn.nspname = t.schema
JOIN pg_class AS tc ON tc.relnamespace = tn.oid AND tc.relname = t.name
CROSS JOIN LATERAL (SELECT relid FROM pg_partition_tree(tc.oid) WHERE isleaf AND tc.relkind IN ('p', 'r')
                    UNION SELECT tc.oid WHERE tc.relkind = 'r') AS p
JOIN pg_class AS c ON c.oid = p.relid AND c.relkind = 'r'
JOIN pg_namespace AS n ON n.oid = c.relnamespace
ORDER BY 1, 3;

-- name: slots_of_rows
-- How many rows of each slot lie in some pages of a table; {slot} is the slot of a row.
SELECT s.slot::int4, count(*) FROM (SELECT {slot} AS slot FROM {part}) AS s GROUP BY 1;

-- name: keys_of_rows
-- How many rows of each key lie in some pages of a table; {key} is its first key column.
SELECT k.key, count(*) FROM (SELECT {key}::text AS key FROM {part}) AS k GROUP BY 1;

-- name: keys_there
-- Which of these keys have rows in a table.
SELECT DISTINCT {key}::text FROM {part} WHERE {key}::text = ANY ($1::text[]);

-- name: stray
-- The first few rows' key of slots that are not this shard's; {slot} is the slot of a row.
SELECT DISTINCT {key} FROM {part} WHERE {slot} IN ({slots}) LIMIT 3;

-- name: heaviest_key
-- The commonest key of one slot in some pages of a table, and its share of the slot's rows there.
SELECT {key}, count(*) / sum(count(*)) OVER ()::float8 FROM {part} WHERE {slot} = $1::int8
GROUP BY 1 ORDER BY 2 DESC LIMIT 1;

-- name: work
-- Of tables (schema, name): how often they were scanned and their rows changed here since the statistics were last reset.
SELECT t.schema, t.name,
       sum(coalesce(s.seq_scan, 0) + coalesce(s.idx_scan, 0) + s.n_tup_ins + s.n_tup_upd + s.n_tup_del)::int8
FROM unnest($1::text[], $2::text[]) AS t(schema, name)
JOIN pg_namespace AS n ON n.nspname = t.schema
JOIN pg_class AS c ON c.relnamespace = n.oid AND c.relname = t.name
CROSS JOIN LATERAL (SELECT relid FROM pg_partition_tree(c.oid) UNION SELECT c.oid) AS p
JOIN pg_stat_user_tables AS s ON s.relid = p.relid
GROUP BY 1, 2 ORDER BY 1, 2;

-- name: any_row
-- Does a table have a row here?
SELECT EXISTS (SELECT FROM {table});

-- name: sums
-- A table's rows in 64 heaps: how many, and the sum of their hashes, which no order of rows changes.
SELECT (hashtextextended({identity}, 0) & 63)::int4, count(*), sum(hashtextextended({row}, 1)::numeric)::text
FROM {rows} GROUP BY 1;

-- name: heap
-- Each row of one such heap: what tells it apart, and its hash.
SELECT {identity}, hashtextextended({row}, 1) FROM {rows} WHERE hashtextextended({identity}, 0) & 63 = $1::int8 LIMIT 10000;

-- name: same_text
-- For the transaction: what the text of values depends on is the same on every shard.
SELECT set_config('TimeZone', 'UTC', true), set_config('DateStyle', 'ISO', true),
       set_config('IntervalStyle', 'postgres', true), set_config('extra_float_digits', '1', true),
       set_config('bytea_output', 'hex', true), set_config('lc_monetary', 'C', true);
