"""Settings of a project with graphene-django."""

from tests.settings import *  # noqa: F403

ROOT_URLCONF = "tests.graphene.urls"
AUTH_USER_MODEL = "auth.User"

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "graphene_django",
    "trackmate",
]
