"""The demo's settings, but for a log that leaves nothing out, not even the favicon."""

from config.settings import *  # noqa: F403
from config.settings import TRACKMATE

from trackmate.conf import DEFAULT_PROCESSORS

TRACKMATE |= {"PROCESSORS": [each for each in DEFAULT_PROCESSORS if not each.endswith(".exclude")]}
