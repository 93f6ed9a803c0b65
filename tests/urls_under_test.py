"""What tests of the dashboard's pages ask with, and read out of the answers."""

from trackmate.urls import urlpatterns

FRAGMENT = {"HX-Request": "true"}
"""Headers of a request for a part of a page."""


def text_of(response):
    return response.content.decode()


def log_queries(captured):
    """Return the statements that were about the log, of all that were captured."""
    return [each["sql"] for each in captured if "trackmate_activitylog" in each["sql"]]


def url_names(patterns=urlpatterns):
    """Return the names of all URLs of the dashboard."""
    return {
        name
        for pattern in patterns
        for name in (
            url_names(pattern.url_patterns) if hasattr(pattern, "url_patterns") else {pattern.name}
        )
    }
