"""Recorded changes of objects, as capture stores them."""

from datetime import UTC, datetime, timedelta

from django.contrib.contenttypes.models import ContentType

from trackmate.models import ActivityLog

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def hour(number):
    return NOON + timedelta(hours=number)


def change(obj, verb, changes, *, at=0, **fields):
    """Store a recorded change of an object or of `(Model, key)`, so many hours after noon."""
    model, key = obj if isinstance(obj, tuple) else (type(obj), obj.pk)
    return ActivityLog.objects.create(
        **{
            "source": "model",
            "action": f"{model._meta.label_lower}.{verb}",
            "action_type": verb.capitalize(),
            "action_time": hour(at),
            "content_type": ContentType.objects.get_for_model(model),
            "object_id": str(key),
            "object_repr": f"{model._meta.model_name} {key}",
            "changes": changes,
            **fields,
        }
    )
