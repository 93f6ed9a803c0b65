"""The demo's settings, made for many requests: a pool of connections, and few middlewares.

And for a log that leaves nothing out, not even the favicon.
"""

from config.settings import *  # noqa: F403
from config.settings import DATABASES, TRACKMATE

from trackmate.conf import DEFAULT_PROCESSORS

TRACKMATE |= {"PROCESSORS": [each for each in DEFAULT_PROCESSORS if not each.endswith(".exclude")]}

MIDDLEWARE = [
    "trackmate.middleware.TrackmateMiddleware",
    # Under ASGI, Django calls those that are not asynchronous on another thread, which takes longer
    # than all else that the request does.
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
]

# Without one, Django opens a connection for each row under ASGI.
DATABASES["log"]["OPTIONS"] = {"pool": True}
