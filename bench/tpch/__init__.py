"""The 22 queries of TPC-H on a fleet in two layouts, beside one PostgreSQL; see `__main__`."""
