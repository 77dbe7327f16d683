"""DDL on every shard: recorded, run once and only once, and compared."""
