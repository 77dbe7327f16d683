"""What writes may do, where their rows go, and how several parts come together."""
