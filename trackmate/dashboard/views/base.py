"""What every page of the dashboard has: access, fragments, headers, the frame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib.auth.decorators import login_not_required
from django.shortcuts import render
from django.urls import NoReverseMatch, reverse
from django.utils.decorators import method_decorator
from django.utils.functional import cached_property
from django.views.decorators.csrf import csrf_protect
from django.views.generic import View
from django_htmx.http import push_url, reswap
from django_htmx.middleware import HtmxDetails

from trackmate.conf import get_settings
from trackmate.dashboard.db.results import current_timeout, extended_timeout
from trackmate.dashboard.http import login, permissions
from trackmate.dashboard.http.query_stats import count_queries
from trackmate.dashboard.http.security_headers import add_security_headers
from trackmate.dashboard.tables.display_options import DISPLAY_PARAMS, display_options
from trackmate.dashboard.user_data import preferences

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from django.http import HttpRequest, HttpResponse
    from django.http.response import HttpResponseBase

    from trackmate.dashboard.http.query_stats import QueryStats
    from trackmate.dashboard.tables.display_options import DisplayOptions
    from trackmate.selectors import Rows

THEMES = ("light", "dark")
"""Values of the cookie `trackmate_theme`; without it, the system's theme."""


# LoginRequiredMiddleware would redirect a fragment like a page. CSRF protection also where the
# project has no middleware for it.
@method_decorator(login_not_required, name="dispatch")
@method_decorator(csrf_protect, name="dispatch")
class DashboardView(View):
    """A page or fragment for those who may open the dashboard.

    It allows GET only; a page that takes a POST adds it to `http_method_names`.
    """

    http_method_names: Sequence[str] = ("get", "head", "options")

    has_display_options = False
    """Whether the page has lists, which are displayed as the person has chosen."""

    section = ""
    """The entry of the navigation that is marked as current."""

    htmx: HtmxDetails
    query_stats: QueryStats
    display: DisplayOptions

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer those who may open the dashboard, and refuse the others."""
        self.htmx = HtmxDetails(request)
        with count_queries(get_settings().DATABASE) as self.query_stats:
            response = self._dispatch(request, *args, **kwargs)
        add_security_headers(response)
        return response

    def _dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not permissions.may_open(request):
            return self.refuse()
        self.display = display_options(
            request.GET if self.has_display_params else self.saved_preferences
        )
        with self.display.time_zone, extended_timeout(is_extended=self.is_extended):
            return super().dispatch(request, *args, **kwargs)

    def refuse(self) -> HttpResponseBase:
        """Redirect anonymous visitors to the login page; tell others that they have no access."""
        if permissions.user_of(self.request) is None:
            return login.redirect_to_login_page(self.request, self.htmx)
        return self.render("trackmate/errors/forbidden.html", status=403)

    @property
    def is_fragment(self) -> bool:
        """Return True if htmx asks for a part of the page."""
        htmx = self.htmx
        return bool(htmx) and not htmx.boosted and not htmx.history_restore_request

    @property
    def has_display_params(self) -> bool:
        """Return True if the address has display options."""
        return any(name in self.request.GET for name in DISPLAY_PARAMS)

    @cached_property
    def saved_preferences(self) -> Mapping[str, str]:
        """The display options that this person has saved; a part of a page has its page's."""
        is_page = self.has_display_options and not self.is_fragment
        return preferences.saved_preferences(self.request) if is_page else {}

    @property
    def is_extended(self) -> bool:
        """Return True if this person asks to search without the limit."""
        return self.request.GET.get("extended") == "1"

    @cached_property
    def rows(self) -> Rows:
        """The rows that this person may see."""
        return permissions.visible_rows(self.request)

    def render(
        self, template: str, context: Mapping[str, Any] | None = None, *, status: int = 200
    ) -> HttpResponse:
        """Render a template with what the frame needs."""
        user = permissions.user_of(self.request)
        theme = self.request.COOKIES.get("trackmate_theme", "")
        frame = {
            "viewer": user,
            "section": self.section,
            "admin_url": _admin_url(user),
            "logout_url": login.logout_url(user) if user is not None else "",
            "theme": theme if theme in THEMES else "",
            "refresh": max(0, get_settings().DASHBOARD_REFRESH),
            "timeout": current_timeout(),
            "extended_url": "" if self.is_extended else _extended_url(self.request),
            "saved_preferences": self.saved_preferences,
            "is_fragment": self.is_fragment,
            # Evaluated last, when nearly all queries have been made.
            "query_stats": self.query_stats if getattr(user, "is_superuser", False) else None,
        }
        return render(self.request, template, {**frame, **(context or {})}, status=status)

    def respond(self, name: str, context: Mapping[str, Any], *, status: int = 200) -> HttpResponse:
        """Return a page, or the fragment of that name, which always has to be a success."""
        if self.is_fragment:
            name = f"includes/{name.rpartition('/')[2]}"
            return self.render(f"trackmate/{name}.html", context)
        return self.render(f"trackmate/{name}.html", context, status=status)

    def render_form(self, template: str, context: Mapping[str, Any]) -> HttpResponse:
        """Render a form with errors, or one that is not complete yet; the rest of the page, and its
        address, stay."""
        form = self.render(template, context)
        return reswap(push_url(form, url=False), "none")


def _extended_url(request: HttpRequest) -> str:
    """Return the address of the same page with more time for each query."""
    query = request.GET.copy()
    query["extended"] = "1"
    return f"{request.path}?{query.urlencode()}"


def _admin_url(user: Any) -> str:
    try:
        return reverse("admin:index") if permissions.is_staff(user) else ""
    except NoReverseMatch:
        return ""
