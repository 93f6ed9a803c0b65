"""A progress bar on a terminal; elsewhere silent."""

import sys
from time import monotonic


class Bar:
    """Draws itself again in the same line, at most ten times a second."""

    def __init__(self, total, *, stream=sys.stderr, width=32):
        self.total, self.done, self.width = total, 0, width
        self.stream, self.shows = stream, stream.isatty()
        self.started, self.drawn = monotonic(), 0.0

    def advance(self, steps):
        """Move on by so many steps."""
        self.done += steps
        if self.shows and (monotonic() - self.drawn > 0.1 or self.done >= self.total):
            self.drawn = monotonic()
            filled = self.width * self.done // self.total
            bar = "█" * filled + "·" * (self.width - filled)
            end = "\n" if self.done >= self.total else ""
            self.stream.write(f"\r{bar} {self.done:,} of {self.total:,}{end}")
            self.stream.flush()

    @property
    def seconds(self):
        """How long it has taken so far."""
        return monotonic() - self.started
