"""There are no pages."""

urlpatterns = []
