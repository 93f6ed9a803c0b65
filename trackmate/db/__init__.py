"""Database tools: time limits, transactions, primary keys as text, errors without values."""
