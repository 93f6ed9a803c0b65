"""The dashboard's URLs, under the namespace `trackmate`."""

from django.urls import path, register_converter

from trackmate.dashboard.addresses import RouteConverter, ValueConverter
from trackmate.dashboard.exports import ExportView
from trackmate.dashboard.look_form import LookView
from trackmate.dashboard.shelf import SavedViewsView
from trackmate.dashboard.views import (
    ActivityListView,
    DetailView,
    FiguresView,
    OverviewView,
    SuggestView,
    TickView,
)

register_converter(ValueConverter, "trackmate_value")
register_converter(RouteConverter, "trackmate_route")

app_name = "trackmate"
urlpatterns = [
    path("", OverviewView.as_view(), name="index"),
    path("activity/", ActivityListView.as_view(), name="activity"),
    path("activity/tick/", TickView.as_view(), name="tick"),
    path("activity/figures/", FiguresView.as_view(), name="figures"),
    path("activity/suggest/", SuggestView.as_view(), name="suggest"),
    path("activity/export/", ExportView.as_view(), name="export"),
    path("activity/export/<str:format>/", ExportView.as_view(), name="export"),
    path("activity/look/", LookView.as_view(), name="look"),
    path("activity/<uuid:pk>/", DetailView.as_view(), name="detail"),
    path("views/", SavedViewsView.as_view(), name="views"),
    path("actor/<trackmate_value:value>/", ActivityListView.as_view(kind="actor"), name="actor"),
    path("object/<trackmate_value:value>/", ActivityListView.as_view(kind="object"), name="object"),
    path("address/<str:value>/", ActivityListView.as_view(kind="address"), name="address"),
    path(
        "request/<trackmate_value:value>/", ActivityListView.as_view(kind="request"), name="request"
    ),
    # A route ends as it likes, and the root's is a slash.
    path("route/<trackmate_route:value>", ActivityListView.as_view(kind="route"), name="route"),
]
