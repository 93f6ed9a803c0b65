#!/bin/sh
# Prints the newest interpreter that this machine has and trackmate knows: 3.13, 3.12 or 3.11.
# A name on PATH is not enough, for pyenv's shims stand there for versions that are switched off: it has to run.

say_path='import sys, sqlite3, ssl; sys.version_info >= (3, 11) and print(sys.executable)'

try() {
    path=$("$1" -c "$2$say_path" 2>/dev/null) && [ -n "$path" ] && echo "$path" && exit 0
}

try_all() {
    for version in 3.13 3.12 3.11; do
        try "python$version" "$1"
        for candidate in "${PYENV_ROOT:-$HOME/.pyenv}/versions/$version".*/bin/python; do
            try "$candidate" "$1"
        done
    done
    try python3 "$1"
}

# Debian leaves ensurepip to a package of its own: rather an older interpreter that can make environments.
try_all 'import ensurepip; '
try_all ''
echo "No Python 3.11 or newer is here: install python3 (Debian) or python@3.13 (Homebrew)." >&2
echo python3.11-or-newer
