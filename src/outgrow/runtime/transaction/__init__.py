"""Transactions over one or more shards: their branches, their writes, and how they end."""
