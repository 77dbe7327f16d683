"""Random writes against one PostgreSQL: chapters of statements and transactions that change what both sides hold."""
