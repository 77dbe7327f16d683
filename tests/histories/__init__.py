"""Histories of real sessions, and a checker in the manner of Elle that says which anomalies they have."""
