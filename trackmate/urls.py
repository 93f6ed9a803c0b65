"""The dashboard's URLs, under the namespace `trackmate`."""

from django.urls import path

from trackmate.dashboard.views import ActivityListView, DetailView, TickView

app_name = "trackmate"
urlpatterns = [
    path("", ActivityListView.as_view(), name="index"),
    path("activity/", ActivityListView.as_view(), name="activity"),
    path("activity/tick/", TickView.as_view(), name="tick"),
    path("activity/<uuid:pk>/", DetailView.as_view(), name="detail"),
]
