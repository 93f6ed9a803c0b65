"""The dashboard's URLs, under the namespace `trackmate`."""

from django.urls import path, register_converter

from trackmate.dashboard.http.converters import RouteConverter, ValueConverter
from trackmate.dashboard.views.activities import (
    ActivityListView,
    FilterFormView,
    NewActivitiesView,
)
from trackmate.dashboard.views.detail import DetailView
from trackmate.dashboard.views.exports import ExportView
from trackmate.dashboard.views.facets import FacetsView
from trackmate.dashboard.views.overview import OverviewView
from trackmate.dashboard.views.preferences import DisplayView
from trackmate.dashboard.views.saved_views import SavedViewsView
from trackmate.dashboard.views.suggestions import SuggestionsView
from trackmate.dashboard.views.timeline import TimelineView
from trackmate.dashboard.views.undo import UndoView

register_converter(ValueConverter, "trackmate_value")
register_converter(RouteConverter, "trackmate_route")

list_of = ActivityListView.as_view

app_name = "trackmate"
urlpatterns = [
    path("", OverviewView.as_view(), name="index"),
    path("activity/", list_of(), name="activity"),
    path("activity/tick/", NewActivitiesView.as_view(), name="tick"),
    path("activity/filters/", FilterFormView.as_view(), name="filters"),
    path("activity/facets/", FacetsView.as_view(), name="facets"),
    path("activity/suggestions/", SuggestionsView.as_view(), name="suggestions"),
    path("activity/timeline/", TimelineView.as_view(), name="timeline"),
    path("activity/export/", ExportView.as_view(), name="export"),
    path("activity/export/<str:format>/", ExportView.as_view(), name="export"),
    path("activity/display/", DisplayView.as_view(), name="display"),
    path("activity/<uuid:pk>/", DetailView.as_view(), name="detail"),
    path("activity/<uuid:pk>/undo/", UndoView.as_view(), name="undo"),
    path("views/", SavedViewsView.as_view(), name="views"),
    path("actor/<trackmate_value:value>/", list_of(entity_type="actor"), name="actor"),
    path("object/<trackmate_value:value>/", list_of(entity_type="object"), name="object"),
    path("address/<str:value>/", list_of(entity_type="address"), name="address"),
    path("request/<trackmate_value:value>/", list_of(entity_type="request"), name="request"),
    # A route may or may not end with a slash.
    path("route/<trackmate_route:value>", list_of(entity_type="route"), name="route"),
    # Dimensions of a project.
    path("by/<slug:entity_type>/<trackmate_value:value>/", list_of(), name="entity"),
]
