"""The order desk's pages."""

from django.urls import path

from desk import views

app_name = "desk"
urlpatterns = [
    path("", views.overview, name="overview"),
    path("catalogue/", views.catalogue, name="catalogue"),
    path("orders/", views.OrderList.as_view(), name="orders"),
    path("orders/new/", views.order_create, name="order-create"),
    path("orders/<int:pk>/", views.OrderDetail.as_view(), name="order"),
    path("orders/<int:pk>/edit/", views.order_edit, name="order-edit"),
    path("orders/<int:pk>/ship/", views.order_ship, name="order-ship"),
    path("orders/<int:pk>/cancel/", views.order_cancel, name="order-cancel"),
    path("orders/<int:pk>/delete/", views.OrderDelete.as_view(), name="order-delete"),
    path("customers/", views.CustomerList.as_view(), name="customers"),
    path("customers/<int:pk>/", views.CustomerDetail.as_view(), name="customer"),
    path("customers/<int:pk>/edit/", views.CustomerEdit.as_view(), name="customer-edit"),
    path("invoices/", views.InvoiceList.as_view(), name="invoices"),
    path("invoices/<uuid:pk>/", views.InvoiceDetail.as_view(), name="invoice"),
    path("invoices/<uuid:pk>/approve/", views.invoice_approve, name="invoice-approve"),
    path("reports/", views.reports, name="reports"),
    path("reports/sales.csv", views.report_export, name="report-export"),
    path("reports/forecast/<slug:sku>/", views.forecast, name="forecast"),
    path("stock/", views.stock, name="stock"),
]
