"""Which key values each scan of a statement can need, and which shards those are."""
