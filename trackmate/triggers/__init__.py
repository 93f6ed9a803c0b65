"""Triggers that record the changes of models within PostgreSQL, whoever makes them."""
