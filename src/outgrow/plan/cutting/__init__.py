"""The proof that shards can work alone, their fragment, and how its rows are finished."""
