"""The order desk's APIs: plain Django views, and DRF's under `v1/`."""

from django.urls import include, path
from rest_framework.routers import DefaultRouter

from desk.api import plain, rest

router = DefaultRouter()
router.register("orders", rest.OrderViewSet)
router.register("customers", rest.CustomerViewSet)

app_name = "desk-api"
urlpatterns = [
    path("products/", plain.products, name="products"),
    path("quotes/", plain.quote, name="quotes"),
    path("v1/", include(router.urls)),
]
