"""Where anonymous visitors are sent to log in."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.conf import global_settings
from django.conf import settings as django_settings
from django.contrib.auth.views import redirect_to_login
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import resolve_url
from django.urls import NoReverseMatch, get_script_prefix, is_valid_path, reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import get_language, get_language_from_path, override
from django_htmx.http import HttpResponseClientRedirect

from trackmate.dashboard.http.permissions import is_staff

if TYPE_CHECKING:
    from django_htmx.middleware import HtmxDetails


def redirect_to_login_page(request: HttpRequest, htmx: HtmxDetails) -> HttpResponseBase:
    """Return a redirect to the login page and back: for a fragment one that makes htmx leave the
    page, so that the login form does not end up inside a table."""
    if not htmx:
        return redirect_to_login(request.get_full_path(), login_url())
    url = redirect_to_login(_current_page(request, htmx), login_url()).url
    response: HttpResponse = HttpResponseClientRedirect(url)
    response.status_code = 401
    return response


def login_url() -> str:
    """Return the project's login page; the admin's if there is none."""
    url = _project_login_url()
    # Django's default says nothing about a page below a language prefix, where a project's
    # catch-all pattern would match.
    if is_page(url, in_languages=django_settings.is_overridden("LOGIN_URL")):
        return url
    try:
        return reverse("admin:login")
    except NoReverseMatch:
        return url


def _project_login_url() -> str:
    try:
        return resolve_url(django_settings.LOGIN_URL or global_settings.LOGIN_URL)
    except NoReverseMatch:
        # It is not the name of a URL.
        return str(global_settings.LOGIN_URL)


def is_page(url: str, *, in_languages: bool = True) -> bool:
    """Return True if this site has a page at a URL, or below a language prefix, to which Django's
    middleware redirects; a URL of another site is taken for one."""
    parts = urlsplit(url)
    if parts.netloc:
        return True
    path = "/" + parts.path.removeprefix(get_script_prefix()).lstrip("/")
    language = get_language_from_path(path) or get_language() or django_settings.LANGUAGE_CODE
    with override(language):
        paths = [path, f"/{language}{path}"] if in_languages else [path]
        if django_settings.APPEND_SLASH and not path.endswith("/"):
            paths += [f"{each}/" for each in paths]
        return any(map(is_valid_path, paths))


def _current_page(request: HttpRequest, htmx: HtmxDetails) -> str:
    """Return the page that a fragment belongs to, if it is on this site."""
    current = htmx.current_url
    if current and url_has_allowed_host_and_scheme(current, {request.get_host()}):
        parts = urlsplit(current)
        page = f"{parts.path}?{parts.query}" if parts.query else parts.path
        if url_has_allowed_host_and_scheme(page, None):
            return page
    return reverse("trackmate:index")


LOGOUT_PAGES = ("logout", "account_logout")
"""Names of URLs that log out: Django's, allauth's."""


def logout_url(user: Any) -> str:
    """Return the URL that logs a user out by POST, or "" if the project has none that we know.

    That of the admin is for staff only.
    """
    for name in (*LOGOUT_PAGES, "admin:logout") if is_staff(user) else LOGOUT_PAGES:
        with suppress(NoReverseMatch):
            return reverse(name)
    return ""
