"""The ways in: the shell (`cli`) and PEP 249 (`dbapi`), each over `runtime`."""
