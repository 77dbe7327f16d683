"""Sagas on this fleet: rows written together, leases, the application's functions, and workers."""
