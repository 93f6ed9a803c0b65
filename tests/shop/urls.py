"""Routes of the test shop."""

urlpatterns = []
