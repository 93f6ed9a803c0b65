"""The log in the admin: to read, never to write, by anyone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import ValidationError
from django.core.paginator import Paginator
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from trackmate.dashboard import matching, texts, windows
from trackmate.dashboard.access import may_see_payload, visible_rows
from trackmate.dashboard.budget import BudgetExceededError
from trackmate.dashboard.listing import within_budget
from trackmate.dashboard.tables import KINDS
from trackmate.enums import ActionType, Source, Status
from trackmate.models import ActivityLog
from trackmate.selectors import LISTED, PAYLOAD
