"""Settings of a project with django-tenants."""

import os

os.environ.setdefault("TRACKMATE_TEST_DATABASE", "postgresql")

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES as OF_ALL

AUTH_USER_MODEL = "auth.User"
ROOT_URLCONF = "tests.tenants.urls"
ALLOWED_HOSTS = ["*"]

DATABASES = {"default": OF_ALL["default"] | {"ENGINE": "django_tenants.postgresql_backend"}}
DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]
TENANT_MODEL = "tenants.Client"
TENANT_DOMAIN_MODEL = "tenants.Domain"
SHARED_APPS = [
    "django_tenants",
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "tests.tenants",
]
TENANT_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "trackmate"]
INSTALLED_APPS = list(dict.fromkeys([*SHARED_APPS, *TENANT_APPS]))
MIGRATION_MODULES = {"tenants": None}
MIDDLEWARE = [
    "trackmate.middleware.TrackmateMiddleware",
    "django_tenants.middleware.main.TenantMainMiddleware",
]
