"""The directory strategy at work: keys looked up, assigned and migrated."""
