"""Settings of the demo. Each environment variable has a default that just works.

DEMO_DATABASE_URL      where customers, orders and accounts live (SQLite beside manage.py)
DEMO_LOG_DATABASE_URL  where the activity log lives, if not there too
DEMO_SPOOL_DIR         where activities wait while the log's database is away (spool/)
DEMO_DEBUG             1 for Django's debug pages
DEMO_TRAFFIC_IS_PROXY  1 to believe the addresses that `manage.py traffic` claims
"""

import os
from pathlib import Path

from config.databases import database

BASE_DIR = Path(__file__).resolve().parent.parent

DEBUG = os.environ.get("DEMO_DEBUG", "0") == "1"
SECRET_KEY = "public-because-this-is-a-demo"  # noqa: S105 - it guards nothing
ALLOWED_HOSTS = ["127.0.0.1", "localhost", "[::1]"]

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "rest_framework",
    "rest_framework.authtoken",
    "trackmate",
    "desk",
]

MIDDLEWARE = [
    "trackmate.middleware.TrackmateMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "config.csp.content_security_policy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]

TRACKMATE = {
    "SPOOL_DIR": os.environ.get("DEMO_SPOOL_DIR") or BASE_DIR / "spool",
    "EXCLUDE_PATHS": ["health"],
    "CAPTURE_RESPONSE": True,
    "MODELS": {
        "auth.*": {},
        "desk.*": {},
        "desk.Customer": {"exclude": ["internal_note"]},
    },
    "UNDO": True,
}

if os.environ.get("DEMO_TRAFFIC_IS_PROXY") == "1":
    TRACKMATE["CLIENT_IP"] = "config.addresses.told_by_the_traffic"

DATABASES = {
    "default": database(
        os.environ.get("DEMO_DATABASE_URL") or f"sqlite:///{BASE_DIR}/demo.sqlite3"
    ),
}
if log_database := os.environ.get("DEMO_LOG_DATABASE_URL"):
    DATABASES["log"] = database(log_database)
    TRACKMATE["DATABASE"] = "log"
    DATABASE_ROUTERS = ["trackmate.routers.TrackmateRouter"]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    }
]

PASSWORD_HASHERS = ["config.hashers.CheapHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    # The browsable pages need inline scripts, which the policy forbids.
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PAGINATION_CLASS": "rest_framework.pagination.PageNumberPagination",
    "PAGE_SIZE": 25,
}

ROOT_URLCONF = "config.urls"
WSGI_APPLICATION = "config.wsgi.application"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
LOGIN_URL = "login"
LOGIN_REDIRECT_URL = "desk:overview"
LOGOUT_REDIRECT_URL = "login"
STATIC_URL = "/static/"
# A checkout serves its files as they are: no collectstatic stands before the first page.
WHITENOISE_USE_FINDERS = True

USE_TZ = True
TIME_ZONE = "Europe/Berlin"
LANGUAGE_CODE = "en"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "handlers": {"console": {"class": "logging.StreamHandler"}},
    "loggers": {
        # What the traffic gets refused would fill the terminal; it is in the activity log.
        "django.request": {"level": "WARNING" if DEBUG else "CRITICAL"},
        "trackmate": {"handlers": ["console"], "level": "WARNING"},
    },
}
