"""Who may open the dashboard, which rows they see, and where they are sent to log in."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from django.conf import global_settings
from django.conf import settings as django_settings
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import ImproperlyConfigured
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import resolve_url
from django.urls import NoReverseMatch, get_script_prefix, is_valid_path, reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.module_loading import import_string
from django.utils.translation import get_language, get_language_from_path, override
from django_htmx.http import HttpResponseClientRedirect

from trackmate.conf import SETTING, get_settings
from trackmate.models import ActivityLog
from trackmate.selectors import every_row

if TYPE_CHECKING:
    from collections.abc import Callable

    from django_htmx.middleware import HtmxDetails

    from trackmate.conf import Dotted
    from trackmate.selectors import Rows


def may_open(request: HttpRequest) -> bool:
    """Say whether this request may see the dashboard."""
    predicate = get_settings().DASHBOARD_ACCESS
    if predicate is not None:
        return bool(load(predicate)(request))
    return is_staff(user_of(request))


def may_see_payload(request: HttpRequest) -> bool:
    """Say whether this request may see request data, responses and changes."""
    return _has_permission(request, "trackmate.view_payload")


def may_export(request: HttpRequest) -> bool:
    """Say whether this request may take activities out of the log."""
    return _has_permission(request, "trackmate.export_activitylog")


def is_staff(user: Any) -> bool:
    """Return True for an active staff member; a user model need not know of staff."""
    return bool(getattr(user, "is_active", True) and getattr(user, "is_staff", False))


def _has_permission(request: HttpRequest, name: str) -> bool:
    # A user model need not know of permissions; then nobody has one.
    has_perm = getattr(user_of(request), "has_perm", None)
    return has_perm is not None and bool(has_perm(name))


def visible_rows(request: HttpRequest) -> Rows:
    """Return the rows that this request may see; every page, count and admin list begins here."""
    limit = get_settings().DASHBOARD_QUERYSET
    if limit is None:
        return every_row()
    rows: Rows = load(limit)(request, every_row())
    if problem := _problem_of(rows):
        name = limit if isinstance(limit, str) else getattr(limit, "__qualname__", repr(limit))
        raise ImproperlyConfigured(
            f"{SETTING}['DASHBOARD_QUERYSET']: {name} returned {problem}. It has to narrow the "
            "queryset that it gets, by filter() or exclude()."
        )
    return rows


def _problem_of(rows: Any) -> str:
    """Say why what a project returned cannot be narrowed further."""
    if not isinstance(rows, QuerySet) or rows.model._meta.concrete_model is not ActivityLog:
        return f"{type(rows).__name__}, which is no queryset of activities"
    if rows.query.is_sliced:
        return "a slice, which cannot be filtered"
    if rows.query.combinator:
        return f"a {rows.query.combinator}, which cannot be filtered"
    if rows._fields is not None:  # type: ignore[attr-defined]
        return "values, which are no activities"
    return ""


def user_of(request: HttpRequest) -> Any:
    """Return the logged-in user, or None (also where no authentication middleware runs)."""
    user = getattr(request, "user", None)
    return user if user is not None and user.is_authenticated else None


def to_login(request: HttpRequest, htmx: HtmxDetails) -> HttpResponseBase:
    """Send an anonymous visitor to log in and come back: a page by a redirect, a fragment by an
    answer that makes htmx leave the page, so that no login form lands inside a table."""
    if not htmx:
        return redirect_to_login(request.get_full_path(), login_url())
    url = redirect_to_login(_page_around(request, htmx), login_url()).url
    response: HttpResponse = HttpResponseClientRedirect(url)
    response.status_code = 401
    return response


def login_url() -> str:
    """Return the project's login page; the admin's where the project has none."""
    url = _own_login_url()
    # What Django assumes unless it is told says nothing of a page in each language, where a
    # project can have one that takes any address.
    if leads_somewhere(url, in_languages=django_settings.is_overridden("LOGIN_URL")):
        return url
    try:
        return reverse("admin:login")
    except NoReverseMatch:
        return url


def _own_login_url() -> str:
    try:
        return resolve_url(django_settings.LOGIN_URL or global_settings.LOGIN_URL)
    except NoReverseMatch:
        # The name of no URL.
        return str(global_settings.LOGIN_URL)


def leads_somewhere(url: str, *, in_languages: bool = True) -> bool:
    """Say whether this site has a page at an address, or below a language, where Django's
    middleware leads; what another site has is taken for one."""
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


def _page_around(request: HttpRequest, htmx: HtmxDetails) -> str:
    """Return the page that asked for a fragment, if it is one of this site."""
    current = htmx.current_url
    if current and url_has_allowed_host_and_scheme(current, {request.get_host()}):
        parts = urlsplit(current)
        page = f"{parts.path}?{parts.query}" if parts.query else parts.path
        if url_has_allowed_host_and_scheme(page, None):
            return page
    return reverse("trackmate:index")


@cache
def load(dotted: Dotted) -> Callable[..., Any]:
    """Return the callable that a setting names. Raise ImportError if there is none."""
    imported: Callable[..., Any] = import_string(dotted) if isinstance(dotted, str) else dotted
    return imported
