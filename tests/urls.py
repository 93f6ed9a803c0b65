"""URLs of the test project."""

from django.contrib import admin
from django.urls import include, path

from tests.shop.urls import urlpatterns as shop_urls

urlpatterns = [
    path("admin/", admin.site.urls),
    path("trackmate/", include("trackmate.urls")),
    *shop_urls,
]
