-- The catalogue of one PostgreSQL database (15 and newer), as names: no OID leaves the server.
-- Columns that newer servers renamed or added are read through to_jsonb(row), so that the text is valid everywhere.
-- Relations of schemas outgrow, pg_toast and pg_temp_* are nobody's business; system relations come without details.

-- name: server
-- One row: version, search_path with implicit schemas, encoding, and all that makes the default collation.
SELECT current_setting('server_version_num')::int4,
       (SELECT array_agg(p.schema::text ORDER BY p.place)
        FROM unnest(current_schemas(true)) WITH ORDINALITY AS p(schema, place) WHERE p.schema NOT LIKE 'pg\_temp\_%'),
       pg_encoding_to_char(d.encoding)::text,
       d.datlocprovider::text,
       d.datcollate::text,
       coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale'),
       d.datctype::text,
       to_jsonb(d) ->> 'datcollversion'
FROM pg_catalog.pg_database AS d
WHERE d.datname = current_database();

-- name: relations
-- Tables, views, sequences: kind, parent partition, view text, row security, user triggers and rewrite rules, and
-- which of the triggers run FOR EACH STATEMENT, behind their tgtype; whether a view is a security barrier; and what
-- outgrow's own triggers say of what is unique in the whole domain.
SELECT n.nspname::text, c.relname::text, c.relkind::text,
       pn.nspname::text, p.relname::text,
       CASE WHEN c.relkind IN ('v', 'm') AND NOT s.system THEN pg_get_viewdef(c.oid) END,
       c.relrowsecurity,
       CASE WHEN c.relhastriggers AND NOT s.system THEN
            (SELECT array_agg(t.tgname::text ORDER BY t.tgname)
             FROM pg_catalog.pg_trigger AS t
             WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgfoid <> ALL (own.functions))
       END,
       CASE WHEN c.relhasrules AND NOT s.system THEN
            (SELECT array_agg(r.rulename::text ORDER BY r.rulename)
             FROM pg_catalog.pg_rewrite AS r WHERE r.ev_class = c.oid AND r.rulename <> '_RETURN')
       END,
       CASE WHEN c.relhastriggers AND NOT s.system THEN
            (SELECT array_agg(t.tgtype::text || ' ' || t.tgname ORDER BY t.tgname)
             FROM pg_catalog.pg_trigger AS t
             WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgtype & 1 = 0 AND t.tgfoid <> ALL (own.functions))
       END,
       c.relkind = 'v' AND coalesce((SELECT o.option_value::bool FROM pg_options_to_table(c.reloptions) AS o
                                     WHERE o.option_name = 'security_barrier'), false),
       CASE WHEN c.relhastriggers AND NOT s.system THEN
            (SELECT array_agg(convert_from(substr(t.tgargs, 1, length(t.tgargs) - 1), 'UTF8') ORDER BY t.tgname)
             FROM pg_catalog.pg_trigger AS t
             WHERE t.tgrelid = c.oid AND t.tgnargs = 1 AND t.tgenabled IN ('O', 'A') AND t.tgfoid = ANY (own.functions))
       END
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN (SELECT coalesce(array_agg(f.oid), '{}') AS functions FROM pg_catalog.pg_proc AS f
            JOIN pg_catalog.pg_namespace AS o ON o.oid = f.pronamespace
            WHERE o.nspname = 'outgrow' AND f.prorettype = 'trigger'::regtype) AS own
CROSS JOIN LATERAL (SELECT n.nspname IN ('pg_catalog', 'information_schema') AS system) AS s
LEFT JOIN pg_catalog.pg_inherits AS i ON c.relispartition AND i.inhrelid = c.oid
LEFT JOIN pg_catalog.pg_class AS p ON p.oid = i.inhparent
LEFT JOIN pg_catalog.pg_namespace AS pn ON pn.oid = p.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
  AND n.nspname NOT IN ('outgrow', 'pg_toast')
  AND n.nspname NOT LIKE 'pg\_temp\_%' AND n.nspname NOT LIKE 'pg\_toast\_temp\_%'
ORDER BY 1, 2;

-- name: columns
-- Columns in order: type by name, default (a domain's counts) and what it calls, identity, generated, collation,
-- and the collation as SQL where it is not the type's.
SELECT n.nspname::text, c.relname::text, a.attname::text,
       CASE WHEN tn.nspname = 'pg_catalog' THEN '' ELSE tn.nspname || '.' END || t.typname,
       a.atttypmod, a.attnotnull OR t.typnotnull,
       CASE WHEN a.attgenerated = '' THEN coalesce(pg_get_expr(d.adbin, d.adrelid), t.typdefault) END,
       coalesce(calls.volatile, false), coalesce(calls.draws, false),
       a.attidentity <> '', a.attgenerated <> '',
       CASE WHEN a.attcollation = 0 THEN NULL
            ELSE coalesce((SELECT b.typnamespace <> 'pg_catalog'::regnamespace FROM pg_catalog.pg_type AS b
                           WHERE b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END), true) END,
       k.collname::text, k.collprovider::text, k.collcollate::text, k.collisdeterministic,
       CASE WHEN a.attcollation <> t.typcollation THEN format('%I.%I', kn.nspname, k.collname) END
FROM pg_catalog.pg_attribute AS a
JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
JOIN pg_catalog.pg_namespace AS tn ON tn.oid = t.typnamespace
LEFT JOIN pg_catalog.pg_attrdef AS d ON a.atthasdef AND d.adrelid = a.attrelid AND d.adnum = a.attnum
LEFT JOIN pg_catalog.pg_collation AS k ON k.oid = a.attcollation
LEFT JOIN pg_catalog.pg_namespace AS kn ON kn.oid = k.collnamespace
LEFT JOIN LATERAL (
    SELECT bool_or(f.provolatile = 'v') AS volatile,
           bool_or(f.pronamespace = 'pg_catalog'::regnamespace AND f.proname = 'nextval') AS draws
    FROM regexp_matches(coalesce(d.adbin, t.typdefaultbin)::text, ':(?:op)?funcid (\d+)', 'g') AS m(ids)
    JOIN pg_catalog.pg_proc AS f ON f.oid = m.ids[1]::oid
) AS calls ON d.oid IS NOT NULL OR t.typdefaultbin IS NOT NULL
WHERE a.attnum > 0 AND NOT a.attisdropped
  AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
  AND n.nspname NOT IN ('outgrow', 'pg_toast')
  AND n.nspname NOT LIKE 'pg\_temp\_%' AND n.nspname NOT LIKE 'pg\_toast\_temp\_%'
ORDER BY c.oid, a.attnum;

-- name: sequences
-- Every sequence as it was made, and the columns that draw from it: schema, table, column and identity kind of each.
SELECT n.nspname::text, c.relname::text, s.seqstart, s.seqincrement, s.seqmin, s.seqmax, s.seqcycle,
       coalesce(users.columns, '{}')
FROM pg_catalog.pg_sequence AS s
JOIN pg_catalog.pg_class AS c ON c.oid = s.seqrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (
    SELECT array_agg(ARRAY[tn.nspname, t.relname, a.attname, a.attidentity]::text[]
                     ORDER BY tn.nspname, t.relname, a.attnum) AS columns
    FROM (SELECT p.refobjid AS relation, p.refobjsubid AS number
          FROM pg_catalog.pg_depend AS p
          WHERE p.classid = 'pg_class'::regclass AND p.objid = s.seqrelid AND p.deptype = 'i'
            AND p.refclassid = 'pg_class'::regclass AND p.refobjsubid > 0
          UNION ALL
          SELECT d.adrelid, d.adnum
          FROM pg_catalog.pg_depend AS p
          JOIN pg_catalog.pg_attrdef AS d ON d.oid = p.objid
          WHERE p.refclassid = 'pg_class'::regclass AND p.refobjid = s.seqrelid
            AND p.classid = 'pg_attrdef'::regclass) AS u
    JOIN pg_catalog.pg_class AS t ON t.oid = u.relation
    JOIN pg_catalog.pg_namespace AS tn ON tn.oid = t.relnamespace
    JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = u.number
) AS users
WHERE n.nspname <> 'outgrow' AND n.nspname NOT LIKE 'pg\_temp\_%'
ORDER BY 1, 2;

-- name: keys
-- Unique indexes (kind "primary" or "unique") over plain columns, and foreign keys ("foreign") with their actions.  What
-- else keeps rows apart ("other": by expressions, under a condition, or by EXCLUDE) comes with its name and those of its
-- columns that it compares for equality.
SELECT CASE WHEN x.indisprimary THEN 'primary' ELSE 'unique' END,
       n.nspname::text, c.relname::text,
       (SELECT array_agg(a.attname::text ORDER BY k.place)
        FROM unnest(x.indkey::int2[]) WITH ORDINALITY AS k(number, place)
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.number
        WHERE k.place <= x.indnkeyatts),
       NULL::text, NULL::text, NULL::text[], ''::text, ''::text
FROM pg_catalog.pg_index AS x
JOIN pg_catalog.pg_class AS c ON c.oid = x.indrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE x.indisunique AND x.indisvalid AND x.indpred IS NULL AND x.indexprs IS NULL
  AND (x.indimmediate OR x.indisprimary)
  AND n.nspname NOT IN ('outgrow', 'pg_toast', 'pg_catalog', 'information_schema')
  AND n.nspname NOT LIKE 'pg\_temp\_%' AND n.nspname NOT LIKE 'pg\_toast\_temp\_%'
UNION ALL
SELECT 'other', n.nspname::text, c.relname::text,
       coalesce((SELECT array_agg(a.attname::text ORDER BY k.place)
                 FROM unnest(x.indkey::int2[]) WITH ORDINALITY AS k(number, place)
                 JOIN pg_catalog.pg_attribute AS a ON a.attrelid = c.oid AND a.attnum = k.number
                 LEFT JOIN pg_catalog.pg_operator AS o ON o.oid = e.conexclop[k.place]
                 WHERE k.place <= x.indnkeyatts AND (x.indisunique OR o.oprname = '=')), '{}'),
       NULL::text, i.relname::text, NULL::text[], ''::text, ''::text
FROM pg_catalog.pg_index AS x
JOIN pg_catalog.pg_class AS c ON c.oid = x.indrelid
JOIN pg_catalog.pg_class AS i ON i.oid = x.indexrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_constraint AS e ON x.indisexclusion AND e.conindid = x.indexrelid AND e.contype = 'x'
WHERE x.indisvalid AND x.indimmediate
  AND (x.indisexclusion OR x.indisunique AND (x.indpred IS NOT NULL OR x.indexprs IS NOT NULL))
  AND n.nspname NOT IN ('outgrow', 'pg_toast', 'pg_catalog', 'information_schema')
  AND n.nspname NOT LIKE 'pg\_temp\_%' AND n.nspname NOT LIKE 'pg\_toast\_temp\_%'
UNION ALL
SELECT 'foreign', n.nspname::text, c.relname::text,
       (SELECT array_agg(a.attname::text ORDER BY k.place)
        FROM unnest(f.conkey) WITH ORDINALITY AS k(number, place)
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = f.conrelid AND a.attnum = k.number),
       rn.nspname::text, r.relname::text,
       (SELECT array_agg(a.attname::text ORDER BY k.place)
        FROM unnest(f.confkey) WITH ORDINALITY AS k(number, place)
        JOIN pg_catalog.pg_attribute AS a ON a.attrelid = f.confrelid AND a.attnum = k.number),
       f.confupdtype::text, f.confdeltype::text
FROM pg_catalog.pg_constraint AS f
JOIN pg_catalog.pg_class AS c ON c.oid = f.conrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_class AS r ON r.oid = f.confrelid
JOIN pg_catalog.pg_namespace AS rn ON rn.oid = r.relnamespace
WHERE f.contype = 'f'
  AND n.nspname <> 'outgrow' AND rn.nspname <> 'outgrow' AND n.nspname NOT LIKE 'pg\_temp\_%'
ORDER BY 1, 2, 3, 4, 6;

-- name: functions
-- Every function name with what its overloads are: kind, volatility, result type by name, set or not, builtin or not.
SELECT DISTINCT n.nspname::text, p.proname::text, p.prokind::text, p.provolatile::text,
       coalesce(CASE WHEN tn.nspname = 'pg_catalog' THEN '' ELSE tn.nspname || '.' END || t.typname, 'void'),
       p.proretset, n.nspname = 'pg_catalog'
FROM pg_catalog.pg_proc AS p
JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
LEFT JOIN pg_catalog.pg_type AS t ON t.oid = p.prorettype
LEFT JOIN pg_catalog.pg_namespace AS tn ON tn.oid = t.typnamespace
WHERE n.nspname <> 'outgrow'
ORDER BY 1, 2, 3, 4, 5, 6;

-- name: types
-- User-defined types that are not a table's row type nor an array.
SELECT n.nspname::text, t.typname::text, t.typtype::text
FROM pg_catalog.pg_type AS t
JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace
LEFT JOIN pg_catalog.pg_class AS c ON c.oid = t.typrelid
WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'outgrow', 'pg_toast')
  AND t.typtype <> 'p' AND t.typcategory <> 'A'
  AND (t.typrelid = 0 OR c.relkind = 'c')
ORDER BY 1, 2;

-- What follows compares shards object by object.  The queries named object_… have one shape: kind, identity, schema and
-- name of the table it belongs to, the definition that is compared, and the statements that create, drop and replace it
-- (NULL where outgrow writes them, or nobody can).  They run with an empty search_path, so that every name is qualified.

-- name: objects_search_path
-- First of the queries below, in their transaction: with nothing in the path every name is printed with its schema.
SELECT set_config('search_path', '', true);

-- name: object_schemas
-- Schemas of one's own.
SELECT 'schema', n.nspname::text, NULL::text, NULL::text, '',
       ARRAY[format('CREATE SCHEMA %I', n.nspname)], ARRAY[format('DROP SCHEMA %I', n.nspname)], NULL::text[]
FROM pg_catalog.pg_namespace AS n
WHERE n.nspname NOT IN ('outgrow', 'information_schema') AND n.nspname NOT LIKE 'pg\_%'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS e
                  WHERE e.classid = 'pg_namespace'::regclass AND e.objid = n.oid AND e.deptype = 'e')
ORDER BY n.oid;

-- name: object_extensions
-- Extensions; what belongs to one is not compared any further.
SELECT 'extension', e.extname::text, NULL::text, NULL::text, format('version %s in %s', e.extversion, n.nspname),
       ARRAY[format('CREATE EXTENSION %I SCHEMA %I VERSION %L', e.extname, n.nspname, e.extversion)],
       ARRAY[format('DROP EXTENSION %I', e.extname)],
       ARRAY[format('ALTER EXTENSION %I UPDATE TO %L', e.extname, e.extversion)]
FROM pg_catalog.pg_extension AS e JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace
WHERE e.extname <> 'plpgsql'
ORDER BY e.oid;

-- name: object_types
-- Enums, domains, composite types and ranges.  An enum's definition is its labels, one a line.
SELECT CASE t.typtype WHEN 'e' THEN 'enum' WHEN 'd' THEN 'domain' WHEN 'c' THEN 'composite type' ELSE 'range' END,
       format('%I.%I', n.nspname, t.typname), NULL::text, NULL::text, d.body,
       CASE t.typtype
            WHEN 'e' THEN ARRAY[format('CREATE TYPE %I.%I AS ENUM (%s)', n.nspname, t.typname, d.quoted)]
            WHEN 'd' THEN ARRAY[format('CREATE DOMAIN %I.%I AS %s', n.nspname, t.typname, d.body)]
            WHEN 'c' THEN ARRAY[format('CREATE TYPE %I.%I AS (%s)', n.nspname, t.typname, d.body)]
       END,
       ARRAY[format('DROP TYPE %I.%I', n.nspname, t.typname)], '{}'::text[]
FROM pg_catalog.pg_type AS t
JOIN pg_catalog.pg_namespace AS n ON n.oid = t.typnamespace
LEFT JOIN pg_catalog.pg_class AS c ON c.oid = t.typrelid
CROSS JOIN LATERAL (
    SELECT coalesce(string_agg(e.enumlabel, E'\n' ORDER BY e.enumsortorder), '') AS body,
           string_agg(quote_literal(e.enumlabel), ', ' ORDER BY e.enumsortorder) AS quoted
    FROM pg_catalog.pg_enum AS e WHERE t.typtype = 'e' AND e.enumtypid = t.oid HAVING t.typtype = 'e'
    UNION ALL
    SELECT concat_ws(' ', format_type(t.typbasetype, t.typtypmod),
                     'DEFAULT ' || t.typdefault, CASE WHEN t.typnotnull THEN 'NOT NULL' END,
                     (SELECT string_agg(format('CONSTRAINT %I %s', k.conname, pg_get_constraintdef(k.oid)), ' '
                                        ORDER BY k.conname)
                      FROM pg_catalog.pg_constraint AS k WHERE k.contypid = t.oid AND k.contype = 'c')), NULL
    WHERE t.typtype = 'd'
    UNION ALL
    SELECT string_agg(format('%I %s', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum), NULL
    FROM pg_catalog.pg_attribute AS a
    WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped HAVING t.typtype = 'c'
    UNION ALL
    SELECT (SELECT format('subtype %s', format_type(r.rngsubtype, NULL))
            FROM pg_catalog.pg_range AS r WHERE r.rngtypid = t.oid), NULL
    WHERE t.typtype = 'r'
) AS d
WHERE n.nspname NOT IN ('outgrow', 'information_schema') AND n.nspname NOT LIKE 'pg\_%'
  AND t.typtype IN ('e', 'd', 'c', 'r') AND (t.typrelid = 0 OR c.relkind = 'c')
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS e
                  WHERE e.classid = 'pg_type'::regclass AND e.objid = t.oid AND e.deptype = 'e')
ORDER BY t.oid;

-- name: object_sequences
-- Sequences but those of identity columns: how they count, not how far they are.
SELECT 'sequence', format('%I.%I', n.nspname, c.relname), on_.nspname::text, oc.relname::text, d.body,
       ARRAY[format('CREATE SEQUENCE %I.%I %s', n.nspname, c.relname, d.body)],
       ARRAY[format('DROP SEQUENCE %I.%I', n.nspname, c.relname)],
       ARRAY[format('ALTER SEQUENCE %I.%I %s', n.nspname, c.relname, d.body)]
FROM pg_catalog.pg_sequence AS s
JOIN pg_catalog.pg_class AS c ON c.oid = s.seqrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_depend AS o ON o.classid = 'pg_class'::regclass AND o.objid = c.oid AND o.deptype = 'a'
     AND o.refclassid = 'pg_class'::regclass AND o.refobjsubid > 0
LEFT JOIN pg_catalog.pg_class AS oc ON oc.oid = o.refobjid
LEFT JOIN pg_catalog.pg_namespace AS on_ ON on_.oid = oc.relnamespace
CROSS JOIN LATERAL (
    SELECT format('AS %s INCREMENT BY %s MINVALUE %s MAXVALUE %s START WITH %s CACHE %s%s', format_type(s.seqtypid, NULL),
                  s.seqincrement, s.seqmin, s.seqmax, s.seqstart, s.seqcache,
                  CASE WHEN s.seqcycle THEN ' CYCLE' ELSE ' NO CYCLE' END) AS body
) AS d
WHERE n.nspname NOT IN ('outgrow', 'information_schema') AND n.nspname NOT LIKE 'pg\_%'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS e
                  WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype IN ('e', 'i'))
ORDER BY c.oid;

-- name: object_functions
-- Functions and procedures whole; of aggregates only that they are there.  Bodies that are parsed at once come late.
SELECT CASE WHEN to_jsonb(p) ->> 'prosqlbody' IS NULL THEN 'function' ELSE 'late function' END,
       format('%I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid)), NULL::text, NULL::text,
       CASE WHEN p.prokind = 'a' THEN format('aggregate of %s', format_type(p.prorettype, NULL))
            ELSE pg_get_functiondef(p.oid) END,
       CASE WHEN p.prokind <> 'a' THEN ARRAY[pg_get_functiondef(p.oid)] END,
       ARRAY[format('DROP ROUTINE %I.%I(%s)', n.nspname, p.proname, pg_get_function_identity_arguments(p.oid))],
       CASE WHEN p.prokind <> 'a' THEN ARRAY[pg_get_functiondef(p.oid)] ELSE '{}' END
FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
WHERE n.nspname NOT IN ('outgrow', 'information_schema') AND n.nspname NOT LIKE 'pg\_%'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS e
                  WHERE e.classid = 'pg_proc'::regclass AND e.objid = p.oid AND e.deptype IN ('e', 'i'))
ORDER BY p.oid;

-- name: object_tables
-- Tables without what hangs on them: what stands before and behind the list of columns, and row security.
SELECT CASE WHEN c.relkind = 'f' THEN 'foreign table' ELSE 'table' END,
       format('%I.%I', n.nspname, c.relname), n.nspname::text, c.relname::text,
       concat_ws(' ', CASE WHEN c.relpersistence = 'u' THEN 'UNLOGGED' END, d.behind,
                 CASE WHEN c.relrowsecurity THEN 'ROW LEVEL SECURITY' END,
                 CASE WHEN c.relforcerowsecurity THEN 'FORCED' END),
       CASE WHEN c.relkind <> 'f' THEN ARRAY[
            format('CREATE %sTABLE %I.%I', CASE WHEN c.relpersistence = 'u' THEN 'UNLOGGED ' ELSE '' END,
                   n.nspname, c.relname), d.behind] END,
       ARRAY[format('DROP %sTABLE %I.%I', CASE WHEN c.relkind = 'f' THEN 'FOREIGN ' ELSE '' END, n.nspname, c.relname)],
       ARRAY[format('ALTER TABLE %I.%I SET %s', n.nspname, c.relname,
                    CASE WHEN c.relpersistence = 'u' THEN 'UNLOGGED' ELSE 'LOGGED' END),
             format('ALTER TABLE %I.%I %s ROW LEVEL SECURITY', n.nspname, c.relname,
                    CASE WHEN c.relrowsecurity THEN 'ENABLE' ELSE 'DISABLE' END),
             format('ALTER TABLE %I.%I %s ROW LEVEL SECURITY', n.nspname, c.relname,
                    CASE WHEN c.relforcerowsecurity THEN 'FORCE' ELSE 'NO FORCE' END)]
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (
    SELECT string_agg(format('%I.%I', pn.nspname, p.relname), ', ' ORDER BY i.inhseqno) AS parents
    FROM pg_catalog.pg_inherits AS i
    JOIN pg_catalog.pg_class AS p ON p.oid = i.inhparent JOIN pg_catalog.pg_namespace AS pn ON pn.oid = p.relnamespace
    WHERE i.inhrelid = c.oid
) AS i
CROSS JOIN LATERAL (
    SELECT concat_ws(' ',
        CASE WHEN c.relispartition THEN format('PARTITION OF %s %s', i.parents, pg_get_expr(c.relpartbound, c.oid))
             WHEN i.parents IS NOT NULL THEN format('INHERITS (%s)', i.parents) END,
        CASE WHEN c.relkind = 'p' THEN 'PARTITION BY ' || pg_get_partkeydef(c.oid) END) AS behind
) AS d
WHERE c.relkind IN ('r', 'p', 'f')
  AND n.nspname NOT IN ('outgrow', 'information_schema') AND n.nspname NOT LIKE 'pg\_%'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS e
                  WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
ORDER BY c.oid;

-- name: object_owners
-- Which column a sequence goes with: serial columns' sequences are dropped with their table.
SELECT 'owner of sequence', format('%I.%I', n.nspname, c.relname), tn.nspname::text, t.relname::text,
       format('%I.%I.%I', tn.nspname, t.relname, a.attname),
       ARRAY[format('ALTER SEQUENCE %I.%I OWNED BY %I.%I.%I', n.nspname, c.relname, tn.nspname, t.relname, a.attname)],
       ARRAY[format('ALTER SEQUENCE %I.%I OWNED BY NONE', n.nspname, c.relname)],
       ARRAY[format('ALTER SEQUENCE %I.%I OWNED BY %I.%I.%I', n.nspname, c.relname, tn.nspname, t.relname, a.attname)]
FROM pg_catalog.pg_depend AS o
JOIN pg_catalog.pg_class AS c ON c.oid = o.objid AND c.relkind = 'S'
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_class AS t ON t.oid = o.refobjid
JOIN pg_catalog.pg_namespace AS tn ON tn.oid = t.relnamespace
JOIN pg_catalog.pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = o.refobjsubid
WHERE o.classid = 'pg_class'::regclass AND o.refclassid = 'pg_class'::regclass AND o.deptype = 'a'
  AND n.nspname NOT IN ('outgrow', 'information_schema') AND n.nspname NOT LIKE 'pg\_%'
ORDER BY c.oid;

-- name: object_constraints
-- Primary, unique, check and exclusion constraints, then foreign keys; what is inherited comes with the parent's.
SELECT CASE WHEN k.contype = 'f' THEN 'foreign key' ELSE 'constraint' END,
       format('%I.%I.%I', n.nspname, c.relname, k.conname), n.nspname::text, c.relname::text,
       pg_get_constraintdef(k.oid),
       ARRAY[format('ALTER TABLE %I.%I ADD CONSTRAINT %I %s', n.nspname, c.relname, k.conname, pg_get_constraintdef(k.oid))],
       ARRAY[format('ALTER TABLE %I.%I DROP CONSTRAINT %I', n.nspname, c.relname, k.conname)], NULL::text[]
FROM pg_catalog.pg_constraint AS k
JOIN pg_catalog.pg_class AS c ON c.oid = k.conrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE k.contype IN ('p', 'u', 'c', 'x', 'f') AND k.conparentid = 0 AND k.coninhcount = 0
  AND n.nspname NOT IN ('outgrow', 'information_schema') AND n.nspname NOT LIKE 'pg\_%'
ORDER BY k.oid;

-- name: object_indexes
-- Indexes that no constraint made.  One that is not valid is none; one that is only a partition's part is its parent's.
SELECT 'index', format('%I.%I', n.nspname, i.relname), n.nspname::text, c.relname::text,
       pg_get_indexdef(i.oid) || CASE WHEN x.indisvalid THEN '' ELSE ' INVALID' END,
       CASE WHEN x.indisvalid THEN ARRAY[
            CASE WHEN i.relkind = 'i' THEN regexp_replace(pg_get_indexdef(i.oid), ' INDEX ', ' INDEX CONCURRENTLY ')
                 ELSE regexp_replace(pg_get_indexdef(i.oid), ' ON ONLY ', ' ON ') END] END,
       ARRAY[format('DROP INDEX %s%I.%I', CASE WHEN i.relkind = 'i' THEN 'CONCURRENTLY ' ELSE '' END, n.nspname, i.relname)],
       CASE WHEN NOT x.indisvalid THEN '{}'::text[] END
FROM pg_catalog.pg_index AS x
JOIN pg_catalog.pg_class AS i ON i.oid = x.indexrelid
JOIN pg_catalog.pg_class AS c ON c.oid = x.indrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE NOT i.relispartition AND c.relkind IN ('r', 'p', 'm', 'f')
  AND n.nspname NOT IN ('outgrow', 'information_schema') AND n.nspname NOT LIKE 'pg\_%'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint AS k WHERE k.conindid = i.oid AND k.contype IN ('p', 'u', 'x'))
ORDER BY i.oid;

-- name: object_views
-- Views and materialized views.
SELECT CASE WHEN c.relkind = 'v' THEN 'view' ELSE 'materialized view' END,
       format('%I.%I', n.nspname, c.relname), NULL::text, NULL::text, d.body,
       ARRAY[format('CREATE %s %I.%I%s', CASE WHEN c.relkind = 'v' THEN 'OR REPLACE VIEW' ELSE 'MATERIALIZED VIEW' END,
                    n.nspname, c.relname, d.body)],
       ARRAY[format('DROP %s %I.%I', CASE WHEN c.relkind = 'v' THEN 'VIEW' ELSE 'MATERIALIZED VIEW' END, n.nspname,
                    c.relname)],
       NULL::text[]
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (
    SELECT coalesce(' WITH (' || array_to_string(c.reloptions, ', ') || ')', '') || ' AS '
           || rtrim(pg_get_viewdef(c.oid), ';') AS body
) AS d
WHERE c.relkind IN ('v', 'm')
  AND n.nspname NOT IN ('outgrow', 'information_schema') AND n.nspname NOT LIKE 'pg\_%'
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS e
                  WHERE e.classid = 'pg_class'::regclass AND e.objid = c.oid AND e.deptype = 'e')
ORDER BY c.oid;

-- name: object_triggers
-- The users' triggers and whether they fire.
SELECT 'trigger', format('%I.%I.%I', n.nspname, c.relname, t.tgname), n.nspname::text, c.relname::text,
       pg_get_triggerdef(t.oid) || coalesce(' ' || f.firing, ''),
       array_remove(ARRAY[pg_get_triggerdef(t.oid),
                          format('ALTER TABLE %I.%I ', n.nspname, c.relname) || f.firing || format(' TRIGGER %I', t.tgname)],
                    NULL),
       ARRAY[format('DROP TRIGGER %I ON %I.%I', t.tgname, n.nspname, c.relname)], NULL::text[]
FROM pg_catalog.pg_trigger AS t
JOIN pg_catalog.pg_class AS c ON c.oid = t.tgrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (
    SELECT CASE t.tgenabled WHEN 'D' THEN 'DISABLE' WHEN 'R' THEN 'ENABLE REPLICA' WHEN 'A' THEN 'ENABLE ALWAYS' END
           AS firing
) AS f
WHERE NOT t.tgisinternal AND t.tgparentid = 0
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_proc AS p JOIN pg_catalog.pg_namespace AS o ON o.oid = p.pronamespace
                  WHERE p.oid = t.tgfoid AND o.nspname = 'outgrow')
  AND n.nspname NOT IN ('outgrow', 'information_schema') AND n.nspname NOT LIKE 'pg\_%'
ORDER BY t.oid;

-- name: object_rules
-- Rewrite rules but those that make views.
SELECT 'rule', format('%I.%I.%I', n.nspname, c.relname, r.rulename), n.nspname::text, c.relname::text,
       pg_get_ruledef(r.oid), ARRAY[pg_get_ruledef(r.oid)],
       ARRAY[format('DROP RULE %I ON %I.%I', r.rulename, n.nspname, c.relname)], NULL::text[]
FROM pg_catalog.pg_rewrite AS r
JOIN pg_catalog.pg_class AS c ON c.oid = r.ev_class
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
WHERE r.rulename <> '_RETURN' AND n.nspname NOT IN ('outgrow', 'information_schema') AND n.nspname NOT LIKE 'pg\_%'
ORDER BY r.oid;

-- name: object_policies
-- Row security policies.
SELECT 'policy', format('%I.%I.%I', p.schemaname, p.tablename, p.policyname), p.schemaname::text, p.tablename::text,
       d.body, ARRAY[format('CREATE POLICY %I ON %I.%I %s', p.policyname, p.schemaname, p.tablename, d.body)],
       ARRAY[format('DROP POLICY %I ON %I.%I', p.policyname, p.schemaname, p.tablename)], NULL::text[]
FROM pg_catalog.pg_policies AS p
CROSS JOIN LATERAL (
    SELECT concat_ws(' ', 'AS ' || p.permissive, 'FOR ' || p.cmd,
                     'TO ' || (SELECT string_agg(CASE WHEN r = 'public' THEN 'public' ELSE quote_ident(r) END, ', ')
                               FROM unnest(p.roles) AS u(r)),
                     'USING (' || p.qual || ')', 'WITH CHECK (' || p.with_check || ')') AS body
) AS d
WHERE p.schemaname NOT IN ('outgrow', 'information_schema') AND p.schemaname NOT LIKE 'pg\_%'
ORDER BY 2;

-- name: object_columns
-- Another shape: schema, table, column (quoted), whether it is the table's own, type with collation, NOT NULL, default, identity
-- (always, by default), generated as.
SELECT n.nspname::text, c.relname::text, quote_ident(a.attname), a.attislocal OR a.attinhcount = 0,
       format_type(a.atttypid, a.atttypmod)
       || coalesce((SELECT format(' COLLATE %I.%I', kn.nspname, k.collname)
                    FROM pg_catalog.pg_collation AS k JOIN pg_catalog.pg_namespace AS kn ON kn.oid = k.collnamespace
                    WHERE k.oid = a.attcollation
                      AND a.attcollation <> (SELECT t.typcollation FROM pg_catalog.pg_type AS t WHERE t.oid = a.atttypid)),
                   ''),
       a.attnotnull,
       CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END,
       CASE a.attidentity WHEN 'a' THEN 'ALWAYS' WHEN 'd' THEN 'BY DEFAULT' END,
       CASE WHEN a.attgenerated <> '' THEN pg_get_expr(d.adbin, d.adrelid) END
FROM pg_catalog.pg_attribute AS a
JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_attrdef AS d ON a.atthasdef AND d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'f')
  AND n.nspname NOT IN ('outgrow', 'information_schema') AND n.nspname NOT LIKE 'pg\_%'
ORDER BY c.oid, a.attnum;
