"""What tests of the dashboard's pages ask with, and read out of the answers."""

FRAGMENT = {"HX-Request": "true"}
"""Headers of a request for a part of a page."""


def text_of(response):
    return response.content.decode()


def log_queries(captured):
    """Return the statements that were about the log, of all that were captured."""
    return [each["sql"] for each in captured if "trackmate_activitylog" in each["sql"]]
