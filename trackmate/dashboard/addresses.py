"""Values as parts of addresses, so written that no browser or server takes them for more."""

from __future__ import annotations

import re

# What a path cannot hold: control characters; "." and ".." between slashes, which browsers resolve,
# whether or not they are percent-encoded; slashes in a row, which servers merge; a backslash, which
# some take for a slash; a percent sign, which some decode twice; and the sign of this itself.
_SPECIAL = re.compile(r"[\x00-\x1f\x7f%\\~]|(?:^|(?<=/))\.(?=\.?(?:/|$))")
_SLASH = re.compile(r"^/|(?<=/)/")
_LAST_SLASH = re.compile(r"/$")
_ESCAPED = re.compile(r"~([0-9A-F]{2})")


class ValueConverter:
    """A path converter for any text; what a path cannot hold becomes `~2F`."""

    regex = ".+"
    escapes: tuple[re.Pattern[str], ...] = (_SPECIAL, _SLASH, _LAST_SLASH)

    def to_python(self, value: str) -> str:
        """Return the text that an address names."""
        return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), value)

    def to_url(self, value: object) -> str:
        """Return a text as an address names it."""
        text = str(value)
        for special in self.escapes:
            text = special.sub(lambda found: f"~{ord(found[0]):02X}", text)
        return text


class RouteConverter(ValueConverter):
    """The same at the end of an address, where a last slash is one."""

    escapes = (_SPECIAL, _SLASH)
