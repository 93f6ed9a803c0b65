"""The order desk's entry into the project."""

from django.apps import AppConfig


class DeskConfig(AppConfig):
    """Customers order products; the desk ships them and bills."""

    name = "desk"
    verbose_name = "Order desk"
