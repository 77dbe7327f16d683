"""outgrow: the data layer for Python applications that outgrow one database."""
