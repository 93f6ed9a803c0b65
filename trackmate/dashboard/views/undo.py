"""The page that shows what putting a change back would do, and does it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import Error
from django.http import Http404, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from trackmate import selectors
from trackmate.conf import get_settings
from trackmate.dashboard import formatting
from trackmate.dashboard.db.results import failure, run_query
from trackmate.dashboard.undo.actions import preview, put_back
from trackmate.dashboard.undo.forms import ReasonForm
from trackmate.dashboard.undo.links import undo_url
from trackmate.dashboard.undo.subjects import missing_permission
from trackmate.dashboard.views.base import DashboardView
from trackmate.db.transactions import protected_transactions

if TYPE_CHECKING:
    from collections.abc import Callable
    from uuid import UUID

    from django.http import HttpRequest, HttpResponse
    from django.http.response import HttpResponseBase

    from trackmate.dashboard.undo.plans import UndoPlan
    from trackmate.models import ActivityLog

UNDO_MESSAGES = {
    "done": _("It was put back."),
    "partly": _("It was put back, except for fields that the project's own code sets."),
    "same": _("It is already as it was. Nothing was changed."),
}
"""Messages after an action, by the parameter `undo` of the activity's page."""


class UndoView(DashboardView):
    """What putting a change back would do: a GET shows it, a POST with a reason does it.

    The parameter `field` limits it to some of the changed fields.
    """

    http_method_names = (*DashboardView.http_method_names, "post")

    def get(self, request: HttpRequest, pk: UUID) -> HttpResponseBase:
        """Show what would happen."""
        return self._answer(pk, self._offer)

    def post(self, request: HttpRequest, pk: UUID) -> HttpResponseBase:
        """Put it back."""
        return self._answer(pk, self._put_back)

    def _answer(self, pk: UUID, act: Callable[[ActivityLog], HttpResponse]) -> HttpResponse:
        """Answer those who may undo the change of this row."""
        if not get_settings().UNDO:
            raise Http404
        result = run_query(lambda: selectors.one(self.rows, pk, with_payload=True))
        if result.state is not None:
            return self.respond("errors/unavailable", {"state": result.state}, status=503)
        row: ActivityLog | None = result.value
        if row is None:
            return self.respond("errors/not_found", {"pk": pk}, status=404)
        if permission := missing_permission(self.request, row):
            refused = {"permission": permission, "list_url": _detail_url(row)}
            return self.render("trackmate/errors/forbidden.html", refused, status=403)
        try:
            # A query that fails leaves a transaction around the request usable.
            with protected_transactions():
                return act(row)
        except Error as error:
            context = {"state": failure(error)}
            return self.respond("errors/unavailable", context, status=503)

    def _offer(self, row: ActivityLog, form: ReasonForm | None = None) -> HttpResponse:
        plan = preview(row, self._names(self.request.GET or self.request.POST))
        status = 400 if form is not None else 200
        return self._show(plan, form=form or ReasonForm(), status=status)

    def _put_back(self, row: ActivityLog) -> HttpResponse:
        form = ReasonForm(self.request.POST)
        if not form.is_valid():
            return self._offer(row, form)
        names = self._names(self.request.POST)
        plan = put_back(self.request, row, names, reason=form.cleaned_data["reason"])
        if not (plan.is_ready or plan.is_done):
            return self._show(plan, form=form, status=409)
        outcome = "same" if plan.is_done else "partly" if plan.lost else "done"
        if self.is_fragment:
            return self._show(plan, message=UNDO_MESSAGES[outcome])
        return HttpResponseRedirect(f"{_detail_url(row)}?undo={outcome}")

    def _names(self, query: Any) -> tuple[str, ...]:
        return tuple(query.getlist("field"))

    def _show(self, plan: UndoPlan, *, status: int = 200, **context: Any) -> HttpResponse:
        possible = plan.possible_names
        context |= {
            "plan": plan,
            "row": plan.row,
            "time": formatting.format_full_time(plan.row.action_time),
            "possible_names": possible,
            "possible_url": undo_url(plan.row.pk, possible) if possible else "",
        }
        return self.respond("undo", context, status=status)


def _detail_url(row: ActivityLog) -> str:
    return reverse("trackmate:detail", args=[row.pk])
