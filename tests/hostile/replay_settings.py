"""The demo's settings, but for connections that last and a log that leaves nothing out."""

from config.settings import *  # noqa: F403
from config.settings import DATABASES, TRACKMATE

from trackmate.conf import DEFAULT_PROCESSORS

TRACKMATE |= {"PROCESSORS": [each for each in DEFAULT_PROCESSORS if not each.endswith(".exclude")]}

if "postgresql" in DATABASES["log"]["ENGINE"]:
    DATABASES["log"]["CONN_MAX_AGE"] = 60
