"""A project that uses well-known packages beside trackmate, and its tests.

`pytest --ds=tests.packages.settings tests/packages`
"""
