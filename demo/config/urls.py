"""Where everything of the demo is."""

from django.contrib import admin
from django.contrib.auth import views as auth
from django.templatetags.static import static
from django.urls import include, path
from django.views.generic import RedirectView
from rest_framework.authtoken.views import obtain_auth_token

from desk.history.cast import LOGINS, PASSWORD
from desk.views import health

urlpatterns = [
    path("", include("desk.urls")),
    path("api/", include("desk.api.urls")),
    path("api/token/", obtain_auth_token, name="api-token"),
    path(
        "accounts/login/",
        auth.LoginView.as_view(
            template_name="desk/login.html", extra_context={"logins": LOGINS, "password": PASSWORD}
        ),
        name="login",
    ),
    path("accounts/logout/", auth.LogoutView.as_view(), name="logout"),
    path(
        "accounts/password/",
        auth.PasswordChangeView.as_view(template_name="desk/password.html"),
        name="password_change",
    ),
    path(
        "accounts/password/done/",
        auth.PasswordChangeDoneView.as_view(template_name="desk/password_done.html"),
        name="password_change_done",
    ),
    path("healthz", health, name="health"),
    path("favicon.ico", RedirectView.as_view(url=static("desk/icon.svg"))),
    path("admin/", admin.site.urls),
    path("trackmate/", include("trackmate.urls")),
]
