"""Changes of Django's users and groups: passwords, rights, e-mail addresses."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from functools import partial
from typing import Any, NamedTuple

from django.apps import apps
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import is_password_usable
from django.contrib.auth.models import Group, Permission
from django.db import router
from django.db.models import Field, ManyToManyField, Model
from django.db.models.deletion import Collector
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_save

from trackmate.activity import Target
from trackmate.capture.events.receivers import is_tracked
from trackmate.context.scope import current_scope
from trackmate.enums import ActionType
from trackmate.integrations.account_events import (
    account_by_key,
    is_own,
    record_account_event,
    target_by_key,
)
from trackmate.pipeline import never_raise

_FLAGS = {
    "is_active": ("auth.user.activate", "auth.user.deactivate"),
    "is_staff": ("auth.user.staff_grant", "auth.user.staff_revoke"),
    "is_superuser": ("auth.user.superuser_grant", "auth.user.superuser_revoke"),
}
"""Fields of a user, with the action of each value."""

_PASSWORD = "password"  # noqa: S105 (the name of a field)

_RESET_VIEWS = frozenset(
    {
        "django.contrib.auth.views.PasswordResetConfirmView",
        "dj_rest_auth.views.PasswordResetConfirmView",
    }
)
"""The views in which people choose a new password by a link from an e-mail."""

_CHANGED = "_trackmate_changed"
"""What a save changes, kept on the user until it is done."""

MAX_ACCOUNTS = 100
"""Accounts whose groups are changed at once get a row each up to this number."""

Change = tuple[str, dict[str, Any] | None]


def install() -> None:
    """Connect the signals of the user model, of its proxies and children, and of groups."""
    model = get_user_model()
    for each in apps.get_models():
        if issubclass(each, model):
            # Each class sends its own.
            pre_save.connect(_before_save, sender=each, dispatch_uid="trackmate.accounts")
            post_save.connect(_after_save, sender=each, dispatch_uid="trackmate.accounts")
        if each._meta.concrete_model is model and not _is_deleted_fast(each):
            post_delete.connect(_after_delete, sender=each, dispatch_uid="trackmate.accounts")
    for field in model._meta.many_to_many:
        if issubclass(field.related_model, Group):
            _watch(Members(model, field, "auth.user.groups_change"))
        elif issubclass(field.related_model, Permission):
            _watch(Members(model, field, "auth.user.permissions_change"))
    permissions: Any = Group._meta.get_field("permissions")
    _watch(Members(Group, permissions, "auth.group.permissions_change"))


def _is_deleted_fast(model: type[Model]) -> bool:
    """Return True if a receiver would make Django load the users that it deletes."""
    users = model._base_manager.none()
    return Collector(using=router.db_for_write(model)).can_fast_delete(users)


# --- users -----------------------------------------------------------------------------------


@never_raise
def _before_save(
    *,
    instance: Any,
    raw: bool,
    using: str,
    update_fields: Collection[str] | None,
    **_kwargs: Any,
) -> None:
    instance.__dict__.pop(_CHANGED, None)
    if raw or instance._state.adding or not is_tracked():
        return
    if changes := list(_changes(instance, using, update_fields)):
        instance.__dict__[_CHANGED] = changes


def _changes(user: Any, using: str, update_fields: Collection[str] | None) -> Iterator[Change]:
    """Yield what a save will change, by action."""
    fields = _watched_fields(update_fields)
    password = fields.pop(_PASSWORD, None)
    if password is not None:
        if getattr(user, "_password", None) is not None:
            yield _PASSWORD, None
        elif not _is_rehash(user, update_fields):
            fields[_PASSWORD] = password
    for name, old, new in _different(user, using, fields):
        if name == _PASSWORD:
            yield _PASSWORD, None
        elif name in _FLAGS:
            yield _FLAGS[name][not new], {name: [bool(old), bool(new)]}
        else:
            yield "auth.email.change", {name: [old, new]}


def _watched_fields(update_fields: Collection[str] | None) -> dict[str, Field[Any, Any]]:
    model = get_user_model()
    email = getattr(model, "get_email_field_name", str)()
    names = {_PASSWORD, *_FLAGS, email}
    return {
        field.name: field
        for field in model._meta.concrete_fields
        if field.name in names and (update_fields is None or field.name in update_fields)
    }


def _is_rehash(user: Any, update_fields: Collection[str] | None) -> bool:
    """Return True for what `check_password()` does if the hasher is a newer one."""
    return (
        update_fields is not None
        and {*update_fields} == {_PASSWORD}
        # It has set the password and taken it away again; a hash of one's own leaves no trace.
        and "_password" in user.__dict__
        and is_password_usable(user.password)
    )


def _different(
    user: Any, using: str, fields: dict[str, Field[Any, Any]]
) -> Iterator[tuple[str, Any, Any]]:
    """Yield name, stored value and new value of the fields that differ.

    What a user was like before is nowhere but in the database: a receiver of `post_init` would cost
    each request that loads a user. So a save of the whole user, and only that, costs a query, of
    the row and of the columns that it is about to write; what makes this query fail or wait does
    the same to the save. Logins only save `last_login`, and cost none.
    """
    new = {
        name: user.__dict__[field.attname]
        for name, field in fields.items()
        if field.attname in user.__dict__ and not hasattr(user.__dict__[field.attname], "as_sql")
    }
    if not new:
        return
    rows = get_user_model()._base_manager.using(using).filter(pk=user.pk).values(*new)
    for stored in rows:
        for name, old in stored.items():
            if fields[name].to_python(new[name]) != old:
                yield name, old, new[name]


@never_raise
def _after_save(*, instance: Any, created: bool, raw: bool, using: str, **_kwargs: Any) -> None:
    changes: Iterable[Change] = instance.__dict__.pop(_CHANGED, ())
    if raw or not is_tracked():
        return
    if created:
        record_account_event(
            "auth.user.create",
            instance,
            action_type=ActionType.CREATE,
            alias=using,
            changes=_granted(instance),
        )
    for action, values in changes:
        name = _password_action(instance) if action == _PASSWORD else action
        record_account_event(name, instance, alias=using, changes=values)


def _granted(user: Any) -> dict[str, Any] | None:
    """Return the rights that a new user has been given."""
    names = (name for name in ("is_staff", "is_superuser") if getattr(user, name, False) is True)
    return {name: [None, True] for name in names} or None


def _password_action(user: Model) -> str:
    if _is_reset():
        return "auth.password.reset"
    return "auth.password.change" if is_own(user) else "auth.password.set"


def _is_reset() -> bool:
    """Return True within a request for one of the views that reset a password."""
    scope = current_scope()
    match = scope.request.resolver_match if scope is not None else None
    view: Any = getattr(match.func, "view_class", None) if match is not None else None
    names = (f"{each.__module__}.{each.__qualname__}" for each in getattr(view, "__mro__", ()))
    return not _RESET_VIEWS.isdisjoint(names)


@never_raise
def _after_delete(*, instance: Model, using: str, **_kwargs: Any) -> None:
    if is_tracked():
        action_type = ActionType.DELETE
        record_account_event("auth.user.delete", instance, action_type=action_type, alias=using)


# --- groups and permissions ------------------------------------------------------------------


class Members(NamedTuple):
    """A many-to-many field that gives rights."""

    model: type[Model]
    field: ManyToManyField[Any, Any]
    action: str

    @property
    def through(self) -> type[Model]:
        """Return the model of its table."""
        through: Any = self.field.remote_field.through
        model: type[Model] = through
        return model


def _watch(members: Members) -> None:
    m2m_changed.connect(
        partial(_on_members, members),
        sender=members.through,
        weak=False,
        dispatch_uid=f"trackmate.{members.action}",
    )


@never_raise
def _on_members(
    members: Members,
    *,
    instance: Model,
    action: str,
    reverse: bool,
    pk_set: Collection[Any] | None,
    using: str,
    **_kwargs: Any,
) -> None:
    """Record what is added to the field of one object or several, or removed from it.

    Django passes the keys that are really added, but not those of the others that were there:
    only a query before the removal does.
    """
    if action not in ("post_add", "pre_remove", "pre_clear") or not is_tracked():
        return
    verb = "added" if action == "post_add" else "removed"
    keys = pk_set
    if verb == "removed":
        keys = _present(members, instance, pk_set, using, is_reverse=reverse)
    if not keys:
        return
    if not reverse:
        _record_members(members, instance, verb, keys, using)
    elif len(keys) > MAX_ACCOUNTS:
        extra = {f"{verb}_objects": len(keys)}
        record_account_event(members.action, instance, alias=using, extra=extra)
    else:
        for key in sorted(keys):
            _record_members(members, _owner(members.model, key), verb, [instance.pk], using)


def _owner(model: type[Model], key: Any) -> Model | Target:
    return account_by_key(key) if model is get_user_model() else target_by_key(model, key)


def _record_members(
    members: Members, owner: Model | Target, verb: str, keys: Collection[Any], using: str
) -> None:
    change = {"added": [], "removed": [], verb: sorted(keys)}
    record_account_event(members.action, owner, alias=using, changes={members.field.name: change})


def _present(
    members: Members,
    instance: Model,
    keys: Collection[Any] | None,
    using: str,
    *,
    is_reverse: bool,
) -> list[Any]:
    """Return those of the keys, or all keys, that the object is connected with."""
    names = members.field.m2m_field_name(), members.field.m2m_reverse_field_name()
    target, source = names if is_reverse else names[::-1]
    rows = members.through._base_manager.using(using).filter(**{source: instance.pk})
    if keys is not None:
        rows = rows.filter(**{f"{target}__in": keys})
    return list(rows.values_list(target, flat=True))
