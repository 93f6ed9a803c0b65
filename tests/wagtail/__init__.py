"""A site made with Wagtail beside trackmate, and its tests.

`pytest --ds=tests.wagtail.settings tests/wagtail`
"""
