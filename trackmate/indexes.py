"""Indexes that cost less to keep than they are worth."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models

if TYPE_CHECKING:
    from django.db.backends.base.schema import BaseDatabaseSchemaEditor
    from django.db.backends.ddl_references import Statement


class SparseIndex(models.Index):
    """An index without the rows whose first field is NULL, where the database can leave them out.

    Elsewhere it is an index of all rows. `Index(condition=...)` would be the same, but has every
    project on MariaDB warned of it (models.W037) at each `migrate`.
    """

    def create_sql(
        self,
        model: type[models.Model],
        schema_editor: BaseDatabaseSchemaEditor,
        using: str = "",
        **kwargs: Any,
    ) -> Statement:
        """Return the statement that makes it on the database of a schema editor."""
        there = models.Q((f"{self.fields[0]}__isnull", False))
        partial = models.Index(fields=self.fields, name=self.name, condition=there)
        return partial.create_sql(model, schema_editor, using, **kwargs)
