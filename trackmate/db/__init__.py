"""Databases: deadlines, transactions, keys as text, and error messages without values."""
