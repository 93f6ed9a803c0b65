"""Deciding whether a value is a secret: by its name, its form, and the fields beside it."""
