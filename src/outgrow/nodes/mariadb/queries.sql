-- What links ask of a MariaDB server beside the users' statements.

-- name: pinned
-- Once for each connection: what decides how a text is read, that a stored value is what was sent, and how many digits
-- a quotient has, which a shard and the finish must agree about.
SET SESSION sql_mode = 'STRICT_ALL_TABLES,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION,NO_ZERO_DATE,NO_ZERO_IN_DATE',
    autocommit = 1, group_concat_max_len = 1048576, div_precision_increment = 4

-- name: read_only
-- Once for each connection: whether its server is a replica.
SELECT @@read_only

-- name: identity
-- What tells one server process from another behind the same address: its id, start and role.
SELECT @@server_id,
       CAST(FROM_UNIXTIME(UNIX_TIMESTAMP() - (SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS
                                              WHERE VARIABLE_NAME = 'UPTIME')) AS CHAR),
       @@read_only

-- name: stop
-- From a second connection: end the statement of a connection, not the connection.
KILL QUERY %s

-- name: absorb
-- Takes the blow of a KILL that came after the statement's end.
DO 0
