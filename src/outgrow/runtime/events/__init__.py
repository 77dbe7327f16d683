"""Who wants to hear of events, and what they are told."""
