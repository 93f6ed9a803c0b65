"""Settings of the test project.

`TRACKMATE_TEST_DATABASE` is the database it runs on: "sqlite" (the default, in memory),
"postgresql" or "mariadb" as started by `make services`, or a URL.
"""

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

from tools.services import announced

BASE_DIR = Path(__file__).parent

SECRET_KEY = "for tests only, and as long as HS256 wants it"
DEBUG = False
ALLOWED_HOSTS = ["testserver", "127.0.0.1", "localhost"]
USE_TZ = True
TIME_ZONE = "Europe/Berlin"
LANGUAGE_CODE = "en"
STATIC_URL = "/static/"
ROOT_URLCONF = "tests.urls"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
AUTH_USER_MODEL = os.environ.get("TRACKMATE_TEST_USER_MODEL", "auth.User")
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

ENGINES = {
    "sqlite": "django.db.backends.sqlite3",
    "postgres": "django.db.backends.postgresql",
    "postgresql": "django.db.backends.postgresql",
    "mysql": "django.db.backends.mysql",
}


def database(url: str) -> dict:
    """Return the DATABASES entry of a URL; an empty one is SQLite in memory."""
    parts = urlsplit(url or "sqlite:")
    entry = {"ENGINE": ENGINES[parts.scheme], "NAME": unquote(parts.path[1:]) or ":memory:"}
    if parts.scheme == "mysql":
        entry |= {"OPTIONS": {"charset": "utf8mb4"}, "TEST": {"CHARSET": "utf8mb4"}}
    if parts.hostname:
        entry |= {"HOST": parts.hostname, "PORT": str(parts.port or "")}
        entry |= {"USER": parts.username or "", "PASSWORD": unquote(parts.password or "")}
    return entry


def database_url(name: str) -> str:
    """Return the URL of a database by its name; a URL stands for itself."""
    if name == "sqlite":
        return ""
    if "://" in name:
        return name
    variable = SERVERS[name]
    if variable not in os.environ:
        raise ImproperlyConfigured(f"There is no {variable}: make services")
    return os.environ[variable]


SERVERS = {
    "postgresql": "TRACKMATE_TEST_POSTGRES_URL",
    "mariadb": "TRACKMATE_TEST_MARIADB_URL",
}
for variable, value in announced().items():
    os.environ.setdefault(variable, value)
TEST_DATABASE_URL = database_url(os.environ.get("TRACKMATE_TEST_DATABASE", "sqlite"))
# The second one is for projects that keep the log apart; nothing else uses it.
DATABASES = {"default": database(TEST_DATABASE_URL), "apart": database("")}

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "rest_framework",
    "rest_framework.authtoken",
    "trackmate",
    "tests.library",
    "tests.shop",
]

MIDDLEWARE = [
    "trackmate.middleware.TrackmateMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]

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

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "rest_framework.authentication.SessionAuthentication",
        "rest_framework.authentication.TokenAuthentication",
        "rest_framework_simplejwt.authentication.JWTAuthentication",
    ],
}
