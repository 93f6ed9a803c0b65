"""The admin of the test shop: users, where they are not Django's own."""

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.admin import UserAdmin

if not admin.site.is_registered(get_user_model()):
    admin.site.register(get_user_model(), UserAdmin)
