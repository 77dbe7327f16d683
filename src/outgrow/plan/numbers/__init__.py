"""What is drawn from the fleet's sequences before a statement finds its shards."""
