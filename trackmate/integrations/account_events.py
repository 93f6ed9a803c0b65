"""Events of accounts: passwords, rights, e-mail addresses, second factors."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from django.contrib.auth import get_user_model
from django.db import router
from django.db.models import Model

from trackmate.activity import Activity, Target, label_of
from trackmate.capture.accounts import identify_account
from trackmate.capture.actors import loaded_user
from trackmate.capture.events.receivers import is_tracked
from trackmate.context.binding import apply_context
from trackmate.context.scope import current_scope
from trackmate.enums import ActionType, Source, Status
from trackmate.pipeline import record, record_if_kept


def record_account_event(
    action: str,
    account: Model | Target | None,
    *,
    action_type: str = ActionType.UPDATE,
    alias: str | None = None,
    **values: Any,
) -> None:
    """Record what was done to an account, unless the database `alias` takes it back.

    By default it is the one of the users. What has failed cannot be taken back.
    """
    if not is_tracked():
        return
    target = describe_account(account) if isinstance(account, Model) else account
    activity = Activity.now(
        source=Source.AUTH.value,
        action=action,
        action_type=str(action_type),
        target=target,
        **values,
    )
    if activity.status == Status.FAILED:
        record(activity)
    else:
        record_if_kept(activity, alias or router.db_for_write(get_user_model()))


def record_reset_request(email: Any, accounts: Iterable[Model]) -> None:
    """Record that somebody has asked for a link or a code to reset the password of an account."""
    record_request_for("auth.password.reset_request", {"email": email}, accounts)


def record_request_for(action: str, typed: Mapping[str, Any], accounts: Iterable[Model]) -> None:
    """Record that somebody has asked for a link or a code for an account.

    For none of them it has failed, and what was typed is kept as after a failed login.
    """
    is_known = False
    for account in accounts:
        is_known = True
        record_account_event(action, account, action_type=ActionType.ACTION)
    if not is_known and is_tracked():
        record_account_event(
            action,
            identify_account(typed),
            action_type=ActionType.ACTION,
            status=Status.FAILED.value,
        )


def describe_account(account: Model) -> Target:
    """Return the target for a user, also one with a table of further fields; without a query."""
    target = Target.without_query(account)
    model = get_user_model()
    return replace(target, model=label_of(model)) if isinstance(account, model) else target


def account_of(instance: Model) -> Model | Target:
    """Return the account that an object's `user` is, with no more than its key if not loaded."""
    field: Any = instance._meta.get_field("user")
    if field.is_cached(instance):
        account: Model = field.get_cached_value(instance)
        return account
    return account_by_key(getattr(instance, field.attname))


def account_by_key(key: Any) -> Model | Target:
    """Return the account with that key: the request's user, or a target without its name."""
    if (user := acting_user()) is not None and user.pk == key:
        account: Model = user
        return account
    model = get_user_model()
    return target_by_key(model, key)


def target_by_key(model: type[Model], key: Any) -> Target:
    """Return the target for an object of which only the key is known: "User (7)"."""
    return Target(
        model=label_of(model), object_id=str(key), object_repr=f"{model.__name__} ({key})"
    )


def acting_user() -> Any:
    """Return the user of the current request if it is known by now, or None."""
    if (scope := current_scope()) is None:
        return None
    # The second is what Ninja's authenticator returned.
    users = (loaded_user(scope.request), getattr(scope.request, "auth", None))
    return next((each for each in users if isinstance(each, get_user_model())), None)


def is_own(account: Model) -> bool:
    """Return True if whoever acts now is known to be the owner of the account."""
    bound = apply_context(Activity.now()).actor_id
    if bound is not None:
        return bool(bound == account.pk)
    user = acting_user()
    return user is not None and user.pk == account.pk
