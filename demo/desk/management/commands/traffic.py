"""Live traffic for a running demo."""

import random
import signal
import time
from contextlib import suppress

from django.core.management.base import BaseCommand, CommandError

from desk.traffic.browser import NotLoopback, site
from desk.traffic.personas import personas

# Refused connections in a row after which the server is taken for gone.
PATIENCE = 5


class Command(BaseCommand):
    help = "Send live requests to a demo on this machine, as several people and machines."

    def add_arguments(self, parser):
        parser.add_argument("--url", default="http://127.0.0.1:8000/", help="Where the demo runs.")
        parser.add_argument("--rate", type=float, default=3.0, help="Requests per second (3).")
        parser.add_argument("--seconds", type=float, help="How long; until Ctrl-C if not given.")
        parser.add_argument("--requests", type=int, help="How many; no limit if not given.")
        parser.add_argument("--seed", type=int, help="Start of the dice.")

    def handle(self, *, url, rate, seconds, requests, seed, **_options):
        if not 0 < rate <= 1_000:
            raise CommandError(f"--rate {rate:g}: expected a number above 0, up to 1000.")
        if seconds is not None and not seconds > 0:
            raise CommandError(f"--seconds {seconds:g}: expected a number above 0.")
        if requests is not None and requests < 1:
            raise CommandError(f"--requests {requests}: expected a number above 0.")
        try:
            root = site(url)
        except NotLoopback as error:
            raise CommandError(f"--url {url!r}: {error}") from None
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        self.sent = 0
        with suppress(KeyboardInterrupt):
            dice = random.Random(seed)
            self.run(root=root, rate=rate, seconds=seconds, requests=requests, dice=dice)
        self.stdout.write(f"{self.sent:,} requests sent.")

    def run(self, *, root, rate, seconds, requests, dice):
        """Give one persona after the other its turn, so many a second."""
        crowd = personas(root, dice)
        due = time.monotonic()
        end = due + (seconds or float("inf"))
        refused = 0
        while due < end and self.sent != requests:
            time.sleep(max(0, due - time.monotonic()))
            try:
                next(dice.choices(list(crowd), list(crowd.values()))[0])
                self.sent, refused = self.sent + 1, 0
            except OSError as error:
                refused += 1
                if refused == PATIENCE:
                    raise CommandError(f"Nothing answers at {root}: {error}") from None
                # A generator that raised is over, so everybody begins again.
                crowd = personas(root, dice)
            # What the server could not keep up with is not made up for in a burst.
            due = max(due + 1 / rate, time.monotonic())
