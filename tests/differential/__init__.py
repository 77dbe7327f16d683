"""The same statements on a sharded fleet and on one PostgreSQL: the answers must be the same."""
