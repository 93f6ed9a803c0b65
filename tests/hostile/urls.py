"""Routes of the hostile tests."""

from django.contrib import admin
from django.urls import include, path, re_path

from tests.hostile import views

urlpatterns = [
    path("admin/", admin.site.urls),
    path("trackmate/", include("trackmate.urls")),
    path("echo/", views.echo),
    path("ignore/", views.ignore),
    path("count/", views.count),
    path("fields/", views.fields),
    path("files/", views.files),
    path("stream/", views.stream),
    path("stream-async/", views.stream_async),
    path("stream-and-fail/", views.stream_and_fail),
    path("stream-and-fail-async/", views.stream_and_fail_async),
    path("read-input/", views.read_input),
    path("report/", views.report),
    path("download/", views.download),
    path("wait/", views.wait),
    path("order/", views.order),
    path("order-then-fail/", views.order_then_fail),
    path("order-and-track/", views.order_and_track),
    path("read-only/", views.read_only),
    path("log-in/", views.log_in),
    path("who/", views.who),
    path("who-async/", views.who_async),
    path("odd/", views.odd),
    path("reset/<token>/", views.reset),
    path("reset-and-fail/<token>/", views.reset_and_fail),
    path("fail-with/", views.fail_with),
    path("fail-with-credentials/", views.fail_with_credentials),
    path("answer/", views.answer),
    path("remark/", views.remark),
    re_path(r"^p/(?P<rest>.*)$", views.ignore),
]
