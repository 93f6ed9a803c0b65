"""Routes of the test shop."""

from django.urls import include, path, re_path
from django.views.decorators.csrf import csrf_exempt
from rest_framework.routers import SimpleRouter

from tests.shop import drf, tracked, views
from tests.shop.ninja_api import api

router = SimpleRouter()
router.register("orders", drf.Orders, basename="order")

urlpatterns = [
    # Plain Django
    path("", views.index, name="index"),
    path("status/<int:code>/", views.status, name="status"),
    path("orders/", csrf_exempt(views.Orders.as_view()), name="orders"),
    path("orders/<int:pk>/", views.order, name="order"),
    path("echo/", csrf_exempt(views.echo), name="echo"),
    path("say-json/", csrf_exempt(views.say_json), name="say-json"),
    path("swallow/", csrf_exempt(views.swallow), name="swallow"),
    path("upload/", csrf_exempt(views.upload), name="upload"),
    path("stream/", views.stream, name="stream"),
    path("download/", views.download, name="download"),
    path("broken/", views.broken, name="broken"),
    path("place-order/", csrf_exempt(views.place_order), name="place-order"),
    path("whoami/", views.whoami, name="whoami"),
    path("look-at-session/", views.look_at_session, name="look-at-session"),
    path("sign-in/", csrf_exempt(views.sign_in), name="sign-in"),
    path("sign-in/card/", csrf_exempt(views.sign_in_by_card)),
    path("sign-in/twice/", csrf_exempt(views.sign_in_twice)),
    path("sign-out/", csrf_exempt(views.sign_out), name="sign-out"),
    re_path(r"^files/(?P<name>.+)$", views.index, name="files"),
    path("reset/<str:token>/", views.index, name="reset"),
    path("health/", views.index, name="health"),
    path("static/shop.css", views.index),
    path("media/photo.jpg", views.index),
    path("favicon.ico", views.index),
    path("async/", views.async_index, name="async-index"),
    path("async/broken/", views.async_broken, name="async-broken"),
    path("async/stream/", views.async_stream, name="async-stream"),
    path("async/whoami/", views.async_whoami, name="async-whoami"),
    path("async/sign-in/", csrf_exempt(views.async_sign_in), name="async-sign-in"),
    path("async/orders/", csrf_exempt(views.AsyncOrders.as_view()), name="async-orders"),
    # Tracked
    path("tracked/bare/", tracked.bare),
    path("tracked/called/", tracked.called),
    path("tracked/approve/<uuid:pk>/", tracked.approve),
    path("tracked/checked/", tracked.checked),
    path("tracked/answered/", csrf_exempt(tracked.answered)),
    path("tracked/missing/", tracked.missing),
    path("tracked/broken/", tracked.broken),
    path("tracked/async/", tracked.async_view),
    path("tracked/async-broken/", tracked.async_broken),
    path("tracked/async-approve/<uuid:pk>/", tracked.async_approve),
    path("tracked/class/", tracked.TrackedClass.as_view()),
    path("tracked/dispatch/", tracked.TrackedDispatch.as_view()),
    path("tracked/method/<int:code>/", csrf_exempt(tracked.TrackedMethod.as_view())),
    path("tracked/decorated/", tracked.TrackedByMethodDecorator.as_view()),
    path("tracked/async-class/", tracked.TrackedAsyncClass.as_view()),
    path("tracked/async-method/", tracked.TrackedAsyncMethod.as_view()),
    path("tracked/inside/", tracked.TrackedInside.as_view()),
    path("tracked/nested/", tracked.nested),
    path("tracked/sign-in-and-export/", tracked.sign_in_and_export),
    path("tracked/everything/", tracked.everything),
    path("tracked/async-everything/", tracked.async_everything),
    path("tracked/bound/", tracked.bound),
    path("tracked/suppressed/", tracked.suppressed),
    # Django REST framework
    path("drf/plain/", drf.plain),
    path("drf/outside/", drf.tracked_outside),
    path("drf/inside/", drf.tracked_inside),
    path("drf/me/", drf.Me.as_view()),
    path("drf/class/", drf.TrackedView.as_view()),
    path("drf/", include(router.urls)),
    # Django Ninja
    path("ninja/", api.urls),
]
