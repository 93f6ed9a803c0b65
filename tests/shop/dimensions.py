"""Dimensions that the shop adds to the dashboard."""

from trackmate.dashboard.dimensions import Dimension

country = Dimension(
    name="country", label="Country", lookup="extra__country", has_page=True, in_admin=True
)

unlisted_country = Dimension(
    name="country", label="Country", lookup="extra__country", in_form=False, sort_field="action"
)

secret = Dimension(name="secret", label="Secret", lookup="data__secret")

restricted_country = Dimension(
    name="country",
    label="Country",
    lookup="extra__country",
    has_page=True,
    in_admin=True,
    sort_field="extra__country",
    permission="trackmate.view_payload",
)
