"""The names of tables in statements."""

from __future__ import annotations

import re

_BETWEEN = re.compile(r"""["`\]]\.["`\[]""")


def table_name(name: str) -> str:
    """Return the name by which a table is compared: `"sales"."Order"` is "order".

    A model may have `sales"."order`, to which Django adds the outer quotation marks. Databases fold
    the case of names without them, each in its own way.
    """
    last = _BETWEEN.split(name)[-1]
    if last[0] in '"`[':
        last = last[1:-1].replace('""', '"')
    return last.rstrip('"`]').casefold()
