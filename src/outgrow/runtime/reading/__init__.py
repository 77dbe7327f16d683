"""Reads of more than one shard, or longer than one answer."""
