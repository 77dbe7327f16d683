"""What several shards of a MariaDB domain may do, where it differs from PostgreSQL."""
