from django.apps import AppConfig


class WagtailSiteConfig(AppConfig):
    name = "tests.wagtail"
    label = "home"
    default_auto_field = "django.db.models.BigAutoField"
