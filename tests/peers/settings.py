"""Settings of a project whose history was kept by other packages, all four at once."""

import os

os.environ.setdefault("TRACKMATE_TEST_DATABASE", "postgresql")

from tests.settings import *  # noqa: F403
from tests.settings import DATABASES as OF_ALL

AUTH_USER_MODEL = "auth.User"
ROOT_URLCONF = "tests.peers.urls"
DATABASES = {"default": OF_ALL["default"]}

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "auditlog",
    "simple_history",
    "easyaudit",
    "pgtrigger",
    "pghistory",
    "trackmate",
    "tests.peers",
]
MIGRATION_MODULES = {"peers": None}

AUDITLOG_STORE_JSON_CHANGES = False
DJANGO_EASY_AUDIT_REGISTERED_CLASSES = ["peers.Book"]
DJANGO_EASY_AUDIT_WATCH_REQUEST_EVENTS = False
DJANGO_EASY_AUDIT_WATCH_AUTH_EVENTS = False
# The tables of the app are made without migrations, and so are the triggers on them.
PGTRIGGER_INSTALL_ON_MIGRATE = True
PGHISTORY_INSTALL_CONTEXT_FUNC_ON_MIGRATE = True
