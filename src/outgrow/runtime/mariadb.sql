-- The questions of `generation.py` to a MariaDB server.  A shard has one GTID domain, whose numbers order its commits.

-- name: place
-- On a primary, behind a commit or a read: generation, the number of the last commit, recorded and actual timeline.
SELECT 1, CAST(SUBSTRING_INDEX(@@gtid_binlog_pos, '-', -1) AS UNSIGNED), 1, 1;

-- name: guard
-- On a replica, before a read: generation, the number of the last commit applied, still a replica.
SELECT 1, CAST(SUBSTRING_INDEX(@@gtid_slave_pos, '-', -1) AS UNSIGNED), @@read_only;

-- name: beat
-- On any node: what the heartbeat wants to know.
SELECT 1, CAST(SUBSTRING_INDEX(IF(@@read_only, @@gtid_slave_pos, @@gtid_binlog_pos), '-', -1) AS UNSIGNED), @@read_only;

-- name: role
-- On any node: is it a replica, and the timeline it writes (0 on a replica).
SELECT @@read_only, IF(@@read_only, 0, 1)
