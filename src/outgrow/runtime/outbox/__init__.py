"""The outbox on this fleet's servers: emitting, relaying, what was seen, and how far behind delivery is."""
