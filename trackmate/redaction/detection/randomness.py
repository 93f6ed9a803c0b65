"""Distinguish random strings from text written by people."""

from __future__ import annotations

import re
from itertools import pairwise

from trackmate.redaction.detection.vocabulary import AUTHENTICATION

LONG = 20
"""Minimum length of a random value that is a credential by itself."""
SHORT = 16
"""Minimum length of one with a suspicious name, such as `code`."""
FEW = 7
"""Minimum number of different characters in a random token."""
LONGEST = 96
"""Maximum length that is examined."""
SLACK = 4
"""How many separators a random value may contain."""

_PAIRS = """
th he in er an re on at en nd ti es or te of ed is it al ar st to nt ng se ha as ou io le ve co
me de hi ri ro ic ne ea ra ce li ch ll be ma si om ur ca el ta la ns di fo ho pe ec pr no ct us
ac ot il tr ly nc et ut ss so rs un lo wa ge ie wh ee wi em ad ol rt po we na ul ni ts mo ow pa
im mi ai sh ir su id os iv ia am fi ci vi pl ig tu ev ld ry mp fe bl ab gh ty op wo sa ay ex ke
fr oo av ag if ap gr od bo sp rd do uc bu ei ov by rm ep tt oc fa ef cu rn sc gi da yo cr cl du
ga qu ue ff ba ey ls va um pp ua up lu go ht ru ug ds lt pi rc rr eg au ck ew mu br bi pt ak pu
ui rg ib tl ny ki rk ys ob mm fu ph og ms ye ud mb ip ub oi rl gu dr hr cc tw ft wn nu af hu nn
eo vo rv nf xp gn sm fl iz ok nl my gl aw ju oa eq sy sl ps jo lf nv je nk kn gs dy hy ze ks xt
bs ik dd pm lm rp eb rf
"""
# The most frequent pairs of letters in English, German and French. Words consist almost entirely of
# them, random strings to two fifths.
_COMMON = frozenset(_PAIRS.split())
_SIGNS = re.compile(r"[-_.~=+/:]+")
_UUID = re.compile(
    r"(?<![^\W_])[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?![^\W_])", re.IGNORECASE
)
_LETTERS = re.compile(r"[a-z]+")
_HEX = re.compile(r"[0-9a-f]+")
# The signs of many languages, some of which look alike.
_AROUND = " \t\r\n.,;:!?\"'()[]„“”«»‘’…–—-+*%€$£#&/~"  # noqa: RUF001
"""Characters around words."""
_BETWEEN = re.compile(r"[-/:.,'’&+_–—|()]+")  # noqa: RUF001
"""Separators within them: "2026-spring", "10:00-11:00", "user_pass"."""
_WORD = re.compile(
    r"[^\W\d_]{1,24}|\d{1,8}|\d{1,4}[a-z]{1,3}|[A-Z]{1,4}\d{1,4}|\d{1,2}T\d{1,2}|\d{2}Z"
)
_NUMBERED = re.compile(r"[A-Z]{1,10}-?\d{1,10}")
"""Numbered things: "INC0012345"."""
_NOTHING = frozenset(("false", "no", "none", "null", "off", "on", "true", "undefined", "yes"))
_SENTENCE = 3
"""Minimum number of words in a sentence."""
LONGEST_PROSE = 1_000
"""Maximum length of a text that is examined for words."""
_SCHEMES = ("basic ", "bearer ", "digest ", "negotiate ", "token ")
_SYMBOL = re.compile(r"[A-Za-z]{2,20}(?:[_.][A-Za-z]{1,20}){0,8}")


def looks_random(text: str, length: int = LONG) -> bool:
    """Return True if a text of at least `length` characters is no word, number or UUID."""
    if len(text) < length or not text.isascii() or " " in text:
        return False
    # Bounded, since the client chooses the length.
    parts = _SIGNS.split(_UUID.sub("", text[:LONGEST]))
    joined = "".join(parts)
    if not joined.isalnum() or joined.isdigit() or len(set(joined)) < FEW:
        return False
    is_hexadecimal = not joined.isalpha() and _HEX.fullmatch(joined.lower())
    if len(joined) >= length - SLACK and (is_hexadecimal or _is_random(parts)):
        return True
    # With a prefix: "live_4f9d2b7c61e8".
    return any(len(part) >= LONG // 2 and _is_mixed(part) for part in parts)


def _is_random(parts: list[str]) -> bool:
    runs = [run for part in parts for run in _LETTERS.findall(part.lower())]
    pairs = [run[at : at + 2] for run in runs for at in range(len(run) - 1)]
    changes = _changes(parts)
    if len(pairs) < SLACK:
        return changes >= 1 / 4
    share = sum(pair in _COMMON for pair in pairs) / len(pairs)
    # The more the types of characters change, the more common pairs are allowed.
    return share < (0.8 if changes >= 0.3 else 0.7 if changes >= 0.12 else 0.55)  # noqa: PLR2004 (measured)


def _is_mixed(part: str) -> bool:
    return not part.isdigit() and not part.isalpha() and _changes([part]) >= 1 / 4


def _changes(parts: list[str]) -> float:
    """Return how often the type of character changes: digit, lowercase, uppercase."""
    changes = 0
    for part in parts:
        types = [0 if each.isdigit() else 1 if each.islower() else 2 for each in part]
        changes += sum(a != b for a, b in pairwise(types))
    return changes / sum(map(len, parts))


def reads_like_words(text: str) -> bool:
    """Return True for numbers, words and sentences, as in `session: "Spring 2026"`."""
    if text.isdigit():
        return True
    if len(text) > LONGEST_PROSE or text.lower().startswith(_SCHEMES):
        return False
    words = text.split()
    if len(words) == 1:
        return _is_word(text) or _NUMBERED.fullmatch(text) is not None or _is_url(text)
    return all(_is_word(each) or _is_url(each) for each in words)


def _is_word(text: str) -> bool:
    parts = [part for part in _BETWEEN.split(text.strip(_AROUND)) if part]
    return all(
        _WORD.fullmatch(part) is not None or part.lower() in AUTHENTICATION for part in parts
    ) and not looks_random("".join(parts))


def _is_url(text: str) -> bool:
    """Return True for a URL, which is masked as such."""
    return text.startswith(("https://", "http://"))


def is_blank(text: str) -> bool:
    """Return True for an empty text or a boolean word."""
    return len(text) < 10 and (text.isspace() or not text or text.lower() in _NOTHING)  # noqa: PLR2004


def is_message(text: str, *, any_prose: bool) -> bool:
    """Return True for a message in a response: "This field is required."

    It must be a sentence, or with `any_prose` any words.
    """
    words = len(text.split())
    is_sentence = words >= _SENTENCE and text[0].isupper() and text.rstrip()[-1] in ".!"
    return words > 1 and (is_sentence or any_prose) and reads_like_words(text)


def is_uuid(text: str) -> bool:
    return _UUID.fullmatch(text) is not None


def is_symbol(text: str) -> bool:
    """Return True for symbolic names: `token_not_valid`."""
    return _SYMBOL.fullmatch(text) is not None and not looks_random(text)
