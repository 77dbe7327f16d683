"""Queries over several domains: what each gives, what may be asked of it, what is made of it."""
