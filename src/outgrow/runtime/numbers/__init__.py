"""Numbers without a round trip: the fleet's sequences and ids."""
