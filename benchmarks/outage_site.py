"""The project that `benchmarks.outages` serves: one view without a database, one that writes."""

import os
from urllib.parse import urlsplit

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application


def database(url: str) -> dict:
    parts = urlsplit(url)
    return {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": parts.hostname,
        "PORT": parts.port,
        "USER": parts.username,
        "PASSWORD": parts.password,
        "NAME": parts.path[1:],
    }


is_recorded = os.environ["OUTAGE_RECORDED"] == "1"
ours = ["trackmate"] if is_recorded else []
middleware = ["trackmate.middleware.TrackmateMiddleware"] if is_recorded else []

settings.configure(
    SECRET_KEY="of a benchmark",
    ALLOWED_HOSTS=["*"],
    DATABASES={
        "default": database(os.environ["OUTAGE_DATA_URL"]),
        "log": database(os.environ["OUTAGE_LOG_URL"]),
    },
    DATABASE_ROUTERS=["trackmate.routers.TrackmateRouter"],
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes", *ours],
    MIDDLEWARE=middleware,
    ROOT_URLCONF="benchmarks.outage_urls",
    DEFAULT_AUTO_FIELD="django.db.models.BigAutoField",
    USE_TZ=True,
    LOGGING_CONFIG=None,
    TRACKMATE={"DATABASE": "log", "SPOOL_DIR": os.environ["OUTAGE_SPOOL"]},
)
wsgi, asgi = get_wsgi_application(), get_asgi_application()
