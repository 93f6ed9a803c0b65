"""Fixtures: `dumpdata` and `loaddata` keep the log, also when people and objects are gone."""

import datetime as dt
import json

import pytest
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.core.management.base import CommandError
from django.core.serializers.json import DjangoJSONEncoder

from tests.factories import person
from tests.shop.models import Order
from trackmate.models import ActivityLog, Preference, SavedView

pytestmark = [pytest.mark.database, pytest.mark.users, pytest.mark.django_db]


def log_with_gaps():
    """Store rows of which the people, the objects and the types are gone."""
    ann, bob = person("ann"), person("bob")
    kind = ContentType.objects.create(app_label="removed", model="thing")
    ActivityLog.objects.create(actor=ann, content_object=Order.objects.create(number="1"))
    ActivityLog.objects.create(actor=bob, content_type=kind, object_id="7", object_repr="It")
    SavedView.objects.create(owner=bob, name="Errors")
    Preference.objects.create(user=bob, display_options={"zone": "utc"})
    Order.objects.all().delete()
    kind.delete()
    bob.delete()
    ContentType.objects.clear_cache()


def everything():
    """Return all that is stored, times to the millisecond: that is how JSON has them."""
    models = (ActivityLog, SavedView, Preference)
    rows = [row for model in models for row in model.objects.order_by("pk").values()]
    return [
        json.loads(
            json.dumps({k: to_milliseconds(v) for k, v in row.items()}, cls=DjangoJSONEncoder)
        )
        for row in rows
    ]


def to_milliseconds(value):
    """Return a time without its microseconds: JSON writes 0.0004 s as ".000", but 0 s as ""."""
    if not isinstance(value, dt.datetime):
        return value
    return value.replace(microsecond=value.microsecond // 1000 * 1000)


@pytest.mark.parametrize("options", [(), ("--natural-primary",)], ids=str)
def test_what_is_dumped_is_loaded_as_it_was(tmp_path, options):
    log_with_gaps()
    before, file = everything(), tmp_path / "log.json"
    call_command("dumpdata", "trackmate", *options, output=file, verbosity=0)
    for model in (ActivityLog, SavedView, Preference):
        model.objects.all().delete()
    call_command("loaddata", file, verbosity=0)
    assert everything() == before


def test_natural_keys_of_who_is_gone_cannot_be_dumped(tmp_path):
    log_with_gaps()
    with pytest.raises(CommandError, match="matching query does not exist"):
        call_command("dumpdata", "trackmate", "--natural-foreign", output=tmp_path / "log.json")


def test_the_rest_is_dumped_by_natural_keys_beside_the_log(tmp_path):
    log_with_gaps()
    rest, log = tmp_path / "rest.json", tmp_path / "log.json"
    apart = ["auth.Permission", "auth.Group", get_user_model()._meta.label]
    call_command("dumpdata", *apart, "--natural-foreign", output=rest, verbosity=0)
    call_command("dumpdata", "trackmate", output=log, verbosity=0)
    before = everything()
    ActivityLog.objects.all().delete()
    get_user_model().objects.all().delete()
    call_command("loaddata", rest, log, verbosity=0)
    assert everything() == before
