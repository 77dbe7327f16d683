"""Queries that shards cannot answer alone: what is brought, and what one server runs over it."""
