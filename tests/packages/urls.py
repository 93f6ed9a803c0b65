"""The URLs of these packages, as their documentation includes them."""

from django.contrib import admin
from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.urls import include, path
from django.views.decorators.csrf import csrf_exempt
from knox.views import LoginView as KnoxLoginView
from rest_framework.authentication import BasicAuthentication
from rest_framework_simplejwt.views import TokenObtainPairView, TokenRefreshView
from sesame.views import LoginView as SesameLoginView
from two_factor.urls import urlpatterns as two_factor_urls

from tests.packages import graphql_schemas


class BasicKnoxLoginView(KnoxLoginView):
    authentication_classes = (BasicAuthentication,)


def what_home_does(_request):
    """Do what a test wants."""


def home(request):
    return what_home_does(request) or HttpResponse("home")


urlpatterns = [
    path("", home),
    path("private/", login_required(home)),
    path("admin/", admin.site.urls),
    path("accounts/", include("allauth.urls")),
    path("_allauth/", include("allauth.headless.urls")),
    path("rest/", include("dj_rest_auth.urls")),
    path("jwt/", TokenObtainPairView.as_view()),
    path("jwt/refresh/", TokenRefreshView.as_view()),
    path("knox/login/", BasicKnoxLoginView.as_view()),
    path("o/", include("oauth2_provider.urls", namespace="oauth2_provider")),
    path("sesame/", SesameLoginView.as_view()),
    path("django/", include("django.contrib.auth.urls")),
    path("strawberry/", csrf_exempt(graphql_schemas.strawberry_view)),
    path("strawberry/async/", csrf_exempt(graphql_schemas.async_strawberry_view)),
    path("page-with-query/", csrf_exempt(graphql_schemas.PageWithQuery.as_view())),
    path("ariadne/", graphql_schemas.ariadne_view),
    path("", include(two_factor_urls)),
    path("hijack/", include("hijack.urls")),
    path("impersonate/", include("impersonate.urls")),
    path("loginas/", include("loginas.urls")),
    path("trackmate/", include("trackmate.urls")),
]
