"""The page of saved views."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import Error, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from trackmate.conf import get_settings
from trackmate.dashboard.db.results import failure, run_query
from trackmate.dashboard.http.permissions import user_key
from trackmate.dashboard.user_data import saved_views
from trackmate.dashboard.user_data.forms import FIELD_IDS, NewViewForm, ViewForm
from trackmate.dashboard.views.base import DashboardView

if TYPE_CHECKING:
    from trackmate.dashboard.user_data.saved_views import SavedViewItem

MESSAGES = {"changed": _("The view was changed."), "deleted": _("The view was deleted.")}
"""Messages after an action, by the parameter `done`."""


class SavedViewsView(DashboardView):
    """All saved views that a person sees; they are saved, changed and deleted here.

    Each action is a POST that ends in a redirect. Only its owner changes a view; a superuser may
    delete what others share.
    """

    http_method_names = (*DashboardView.http_method_names, "post")

    def get(self, request: HttpRequest) -> HttpResponse:
        """Show the views."""
        return self._render(message=MESSAGES.get(request.GET.get("done", ""), ""))

    def post(self, request: HttpRequest) -> HttpResponse:
        """Run the action of one of the forms, as a whole or not at all."""
        if user_key(request) is None:
            return self._render(error=_("Only users of this site can save views."), status=403)
        try:
            with transaction.atomic(using=get_settings().DATABASE):
                return self._dispatch_action(request.POST.get("do", ""))
        except Error as error:
            context = {"state": failure(error)}
            return self.render("trackmate/errors/unavailable.html", context, status=503)

    def _dispatch_action(self, action: str) -> HttpResponse:
        views = saved_views.visible_views(self.request)
        if action == "save":
            return self._save(views)
        view = next(
            (each for each in views if str(each.key) == self.request.POST.get("view")), None
        )
        if view is None:
            error = _("This view no longer exists, or is no longer shared.")
            return self._render(error=error, status=404)
        if action == "change" and view.is_own:
            return self._change(view)
        if action == "ask" and view.can_delete:
            return self._render(to_confirm=view.key)
        if action == "delete" and view.can_delete:
            saved_views.delete_view(view)
            return _redirect_after("deleted")
        return self._render(error=_("Only its owner can change this view."), status=403)

    def _save(self, views: tuple[SavedViewItem, ...]) -> HttpResponse:
        form = NewViewForm(self.request.POST, auto_id=FIELD_IDS)
        if form.is_valid():
            own = [view.name for view in views if view.is_own]
            if len(own) < saved_views.MAX_VIEWS or form.settings["name"] in own:
                query = form.cleaned_data["query"]
                saved_views.save_view(self.request, query=query, **form.settings)
                return HttpResponseRedirect(f"{reverse('trackmate:activity')}?{query}")
            form.add_error("name", _("You have reached the limit of views. Delete one first."))
        return self._render(form=form, status=400)

    def _change(self, view: SavedViewItem) -> HttpResponse:
        form = ViewForm(self.request.POST)
        if form.is_valid():
            if saved_views.change_view(self.request, view, **form.settings):
                return _redirect_after("changed")
            form.add_error("name", _("Another view of yours has this name."))
        typed = {"typed": form["name"].value(), "errors": form.errors["name"]}
        return self._render(wrong=view.key, **typed, status=400)

    def _render(self, *, status: int = 200, **context: Any) -> HttpResponse:
        result = run_query(lambda: saved_views.visible_views(self.request))
        if result.state is not None:
            context = {"state": result.state}
            return self.render("trackmate/errors/unavailable.html", context, status=503)
        context |= {"views": result.value}
        return self.render("trackmate/saved_view_list.html", context, status=status)


def _redirect_after(action: str) -> HttpResponse:
    return HttpResponseRedirect(f"{reverse('trackmate:views')}?done={action}")
