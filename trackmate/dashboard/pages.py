"""What every page of the dashboard shares: access, fragments, headers, the frame around it."""

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
from trackmate.dashboard import access, preferences
from trackmate.dashboard.answers import budget, patience
from trackmate.dashboard.costs import counted
from trackmate.dashboard.headers import protect
from trackmate.dashboard.looks import NAMES, look_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from django.http import HttpRequest, HttpResponse
    from django.http.response import HttpResponseBase

    from trackmate.dashboard.costs import Cost
    from trackmate.dashboard.looks import Look
    from trackmate.selectors import Rows


# The first, for it tells a fragment from a page when it sends somebody to log in, and
# LoginRequiredMiddleware does not; the second, also where the project has no middleware for it.
@method_decorator(login_not_required, name="dispatch")
@method_decorator(csrf_protect, name="dispatch")
class DashboardView(View):
    """A page or fragment that only those see who may open the dashboard.

    It answers GET alone; a page that takes a POST says so, and is protected like any other.
    """

    http_method_names: Sequence[str] = ("get", "head", "options")

    is_page = False
    """Whether it is a page of lists or times, which look as the person likes it."""

    section = ""
    """What the page's header marks as the place where one is."""

    htmx: HtmxDetails
    cost: Cost
    look: Look

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        """Answer those who may see the page, turn the others away, and protect either answer."""
        self.htmx = HtmxDetails(request)
        with counted(get_settings().DATABASE) as self.cost:
            response = self._answer(request, *args, **kwargs)
        protect(response)
        return response

    def _answer(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not access.may_open(request):
            return self.refuse()
        self.look = self._look()
        with self.look.zone, patience(is_asked=self.waits):
            return super().dispatch(request, *args, **kwargs)

    def refuse(self) -> HttpResponseBase:
        """Send a visitor without a name to log in, and tell the others that they may not."""
        if access.user_of(self.request) is None:
            return access.to_login(self.request, self.htmx)
        return self.show("trackmate/forbidden.html", status=403)

    @property
    def wants_fragment(self) -> bool:
        """Say whether htmx asks for a part of the page, not for the page."""
        htmx = self.htmx
        return bool(htmx) and not htmx.boosted and not htmx.history_restore_request

    @property
    def says_look(self) -> bool:
        """Say whether the address says how lists are to look."""
        return any(name in self.request.GET for name in NAMES)

    def _look(self) -> Look:
        return look_of(self.request.GET if self.says_look else self.remembered)

    @cached_property
    def remembered(self) -> Mapping[str, str]:
        """What this person has chosen for good; a part of a page does as its page says."""
        is_whole = self.is_page and not self.wants_fragment
        return preferences.look_of(self.request) if is_whole else {}

    @property
    def waits(self) -> bool:
        """Say whether this person would rather wait than be told that it takes too long."""
        return self.request.GET.get("anyway") == "1"

    @cached_property
    def rows(self) -> Rows:
        """The rows that this person may see."""
        return access.visible_rows(self.request)

    def show(
        self, template: str, context: Mapping[str, Any] | None = None, *, status: int = 200
    ) -> HttpResponse:
        """Render a template with what the frame needs; nothing is taken from context processors."""
        frame = {
            "viewer": access.user_of(self.request),
            "section": self.section,
            "admin_url": _admin_url(self.request),
            "refresh": max(0, get_settings().DASHBOARD_REFRESH),
            "budget": budget(),
            "anyway_url": "" if self.waits else _anyway_url(self.request),
            "remembered": self.remembered,
            # Read last, when nearly everything has been paid for.
            "cost": self.cost,
        }
        return render(self.request, template, {**frame, **(context or {})}, status=status)

    def show_form(self, template: str, context: Mapping[str, Any]) -> HttpResponse:
        """Render a form that says what is wrong in it, or not finished yet; the page and its
        address stay as they are."""
        form = self.show(template, {**context, "is_fragment": True})
        return reswap(push_url(form, url=False), "none")


def _anyway_url(request: HttpRequest) -> str:
    """Return the address of the same page with more time for each of its queries."""
    query = request.GET.copy()
    query["anyway"] = "1"
    return f"{request.path}?{query.urlencode()}"


def _admin_url(request: HttpRequest) -> str:
    try:
        return reverse("admin:index") if access.is_staff(access.user_of(request)) else ""
    except NoReverseMatch:
        return ""
