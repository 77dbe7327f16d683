"""SQL text + schema → what it is, what it touches, and its relational tree.  The only import of the SQL parser."""
