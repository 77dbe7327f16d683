-- The catalogue of one PostgreSQL database (15 and newer), as names: no OID leaves the server.
-- Columns that newer servers renamed or added are read through to_jsonb(row), so that the text is valid everywhere.
-- Relations of schemas outgrow, pg_toast and pg_temp_* are nobody's business; system relations come without details.

-- name: server
-- One row: version, search_path with implicit schemas, encoding, and the database's default collation.
SELECT current_setting('server_version_num')::int4,
       (SELECT array_agg(p.schema::text ORDER BY p.place)
        FROM unnest(current_schemas(true)) WITH ORDINALITY AS p(schema, place) WHERE p.schema NOT LIKE 'pg\_temp\_%'),
       pg_encoding_to_char(d.encoding)::text,
       d.datlocprovider::text,
       d.datcollate::text,
       coalesce(to_jsonb(d) ->> 'datlocale', to_jsonb(d) ->> 'daticulocale')
FROM pg_catalog.pg_database AS d
WHERE d.datname = current_database();

-- name: relations
-- Tables, views, sequences: kind, parent partition, view text, row security, user triggers and rewrite rules, and
-- which of the triggers run FOR EACH STATEMENT.
SELECT n.nspname::text, c.relname::text, c.relkind::text,
       pn.nspname::text, p.relname::text,
       CASE WHEN c.relkind IN ('v', 'm') AND NOT s.system THEN pg_get_viewdef(c.oid) END,
       c.relrowsecurity,
       CASE WHEN c.relhastriggers AND NOT s.system THEN
            (SELECT array_agg(t.tgname::text ORDER BY t.tgname)
             FROM pg_catalog.pg_trigger AS t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal)
       END,
       CASE WHEN c.relhasrules AND NOT s.system THEN
            (SELECT array_agg(r.rulename::text ORDER BY r.rulename)
             FROM pg_catalog.pg_rewrite AS r WHERE r.ev_class = c.oid AND r.rulename <> '_RETURN')
       END,
       CASE WHEN c.relhastriggers AND NOT s.system THEN
            (SELECT array_agg(t.tgname::text ORDER BY t.tgname)
             FROM pg_catalog.pg_trigger AS t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgtype & 1 = 0)
       END
FROM pg_catalog.pg_class AS c
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
CROSS JOIN LATERAL (SELECT n.nspname IN ('pg_catalog', 'information_schema') AS system) AS s
LEFT JOIN pg_catalog.pg_inherits AS i ON c.relispartition AND i.inhrelid = c.oid
LEFT JOIN pg_catalog.pg_class AS p ON p.oid = i.inhparent
LEFT JOIN pg_catalog.pg_namespace AS pn ON pn.oid = p.relnamespace
WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
  AND n.nspname NOT IN ('outgrow', 'pg_toast')
  AND n.nspname NOT LIKE 'pg\_temp\_%' AND n.nspname NOT LIKE 'pg\_toast\_temp\_%'
ORDER BY 1, 2;

-- name: columns
-- Columns in order: type by name, default (a domain's counts) and what it calls, identity, generated, collation.
SELECT n.nspname::text, c.relname::text, a.attname::text,
       CASE WHEN tn.nspname = 'pg_catalog' THEN '' ELSE tn.nspname || '.' END || t.typname,
       a.atttypmod, a.attnotnull OR t.typnotnull,
       CASE WHEN a.attgenerated = '' THEN coalesce(pg_get_expr(d.adbin, d.adrelid), t.typdefault) END,
       coalesce(calls.volatile, false), coalesce(calls.draws, false),
       a.attidentity <> '', a.attgenerated <> '',
       CASE WHEN a.attcollation = 0 THEN NULL
            ELSE coalesce((SELECT b.typnamespace <> 'pg_catalog'::regnamespace FROM pg_catalog.pg_type AS b
                           WHERE b.oid = CASE WHEN t.typtype = 'd' THEN t.typbasetype ELSE t.oid END), true) END,
       k.collname::text, k.collprovider::text, k.collcollate::text, k.collisdeterministic
FROM pg_catalog.pg_attribute AS a
JOIN pg_catalog.pg_class AS c ON c.oid = a.attrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_type AS t ON t.oid = a.atttypid
JOIN pg_catalog.pg_namespace AS tn ON tn.oid = t.typnamespace
LEFT JOIN pg_catalog.pg_attrdef AS d ON a.atthasdef AND d.adrelid = a.attrelid AND d.adnum = a.attnum
LEFT JOIN pg_catalog.pg_collation AS k ON k.oid = a.attcollation
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
-- Unique indexes (kind "primary" or "unique") over plain columns, and foreign keys ("foreign") with their actions.
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
ORDER BY 1, 2, 3, 4;

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
