"""The backends, which store activities."""
