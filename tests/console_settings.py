"""Settings of a project whose activities go to the console."""

from tests.settings import *  # noqa: F403

TRACKMATE = {"BACKEND": "trackmate.backends.console.ConsoleBackend"}
