"""Rollups: pre-aggregated counts for past hours and days."""
