"""Forms of the order desk."""

from django import forms
from django.forms import inlineformset_factory

from desk.models import Customer, Order, OrderLine


class OrderForm(forms.ModelForm):
    class Meta:
        model = Order
        fields = ("customer", "note")


class CustomerForm(forms.ModelForm):
    class Meta:
        model = Customer
        fields = ("name", "email", "city", "internal_note")


class OrderLineForm(forms.ModelForm):
    class Meta:
        model = OrderLine
        fields = ("product", "quantity")

    def save(self, commit=True):  # noqa: FBT002 - Django's own signature
        """Save the line at the price of the day."""
        if "product" in self.changed_data:
            self.instance.unit_price = self.instance.product.price
        return super().save(commit)


OrderLines = inlineformset_factory(
    Order,
    OrderLine,
    form=OrderLineForm,
    extra=3,
    min_num=1,
    validate_min=True,
    can_delete_extra=False,
)
