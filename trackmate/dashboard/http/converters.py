"""Path converters for values that contain any text."""

from __future__ import annotations

import re

# What browsers and servers change in a path, even percent-encoded: control characters; "." and ".."
# between slashes, which browsers resolve; slashes in a row, which servers merge; a backslash, which
# some take for a slash; a percent sign, which some decode twice. And "~", which escapes all these.
_SPECIAL = re.compile(r"[\x00-\x1f\x7f%\\~]|(?:^|(?<=/))\.(?=\.?(?:/|$))")
_SLASH = re.compile(r"^/|(?<=/)/")
_LAST_SLASH = re.compile(r"/$")
_ESCAPED = re.compile(r"~([0-9A-F]{2})")


class ValueConverter:
    """Any text; characters that a path cannot contain are written `~2F`."""

    regex = ".+"
    escapes: tuple[re.Pattern[str], ...] = (_SPECIAL, _SLASH, _LAST_SLASH)

    def to_python(self, value: str) -> str:
        """Return the text for a part of a path."""
        return _ESCAPED.sub(lambda match: chr(int(match[1], 16)), value)

    def to_url(self, value: object) -> str:
        """Return a text as part of a path."""
        text = str(value)
        for special in self.escapes:
            text = special.sub(lambda match: f"~{ord(match[0]):02X}", text)
        return text


class RouteConverter(ValueConverter):
    """The same for the last part of a path, which may end with a slash."""

    escapes = (_SPECIAL, _SLASH)
