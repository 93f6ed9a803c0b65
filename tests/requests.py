"""Requests that reach the middleware by hand."""

from django.http.response import HttpResponseBase

from trackmate.middleware import TrackmateMiddleware


def answered(view, request):
    """Return the answer to a request as Django's handler hands it to the server."""
    response = TrackmateMiddleware(view)(request)
    if isinstance(response, HttpResponseBase):
        response._resource_closers.append(request.close)
    return response
