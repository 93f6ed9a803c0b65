"""Masking secrets in command lines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from trackmate.redaction.known_secrets import MASK
from trackmate.redaction.redactor import Redactor


def mask_arguments(
    arguments: Iterable[str], options: Mapping[str, Any], redactor: Redactor
) -> list[str]:
    """Return the arguments of a command line with the secrets in them masked.

    `options` are the parsed ones: they know the names of positional arguments and of short options.
    """
    redactor.mask_data({name: value for name, value in options.items() if _is_text(value)})
    masked: list[str] = []
    is_value = False
    for argument in arguments:
        is_option = _is_option(argument)
        name, sign, value = argument.partition("=")
        if is_value and not is_option:
            masked.append(redactor.mask(argument))
        elif is_option and sign and _is_secret(name, redactor):
            redactor.known_secrets.add(value)
            masked.append(f"{name}={MASK}")
        elif argument in redactor.known_secrets:
            masked.append(MASK)
        else:
            masked.append(redactor.mask_text(argument))
        is_value = is_option and not sign and _is_secret(argument, redactor)
    return [redactor.known_secrets.mask(each) for each in masked]


def _is_text(value: Any) -> bool:
    return isinstance(value, (str, int, list, tuple)) and not isinstance(value, bool)


def _is_option(argument: str) -> bool:
    return argument.startswith("-") and not argument[1:2].isdigit() and argument != "-"


def _is_secret(option: str, redactor: Redactor) -> bool:
    return option.lstrip("-") in redactor.names
