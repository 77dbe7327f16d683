-- What `outgrow up` says to a MariaDB server, as its root over the socket; {…} are filled in as SQL strings and numbers.

-- name: create_app
-- The application's user and its database, and the user by which replicas follow; running it again changes nothing but
-- the password.  READ ONLY ADMIN, which ALL contains, would let a stray write end a replica's replication.
CREATE DATABASE IF NOT EXISTS app CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;
CREATE USER IF NOT EXISTS app@localhost, app@127.0.0.1, outgrow_replica@127.0.0.1;
ALTER USER app@127.0.0.1 IDENTIFIED BY {password}, outgrow_replica@127.0.0.1 IDENTIFIED BY {password};
GRANT ALL ON *.* TO app@localhost, app@127.0.0.1;
REVOKE READ ONLY ADMIN ON *.* FROM app@localhost, app@127.0.0.1;
GRANT REPLICATION SLAVE ON *.* TO outgrow_replica@127.0.0.1

-- name: follow
-- Follow the primary, from where this server has got to; its port may have changed since.
STOP SLAVE;
CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = {port}, MASTER_USER = 'outgrow_replica',
    MASTER_PASSWORD = {password}, MASTER_CONNECT_RETRY = 1, MASTER_USE_GTID = slave_pos;
START SLAVE

-- name: condition
-- Whether the server only replays, and how far its log goes: written on a primary, replayed on a replica.
SELECT @@read_only, IF(@@read_only, @@gtid_slave_pos, @@gtid_binlog_pos)
