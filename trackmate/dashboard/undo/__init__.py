"""Putting back what a recorded change has changed: what would happen, and doing it."""
