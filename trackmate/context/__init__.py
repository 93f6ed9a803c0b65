"""What surrounds the running code: the scope of its request, `bind()` and `suppress()`."""
