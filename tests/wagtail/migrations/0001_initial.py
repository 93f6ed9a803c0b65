from typing import ClassVar

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True
    dependencies: ClassVar = [("wagtailcore", "0094_alter_page_locale")]
    operations: ClassVar = [
        migrations.CreateModel(
            name="Advert",
            fields=[
                ("id", models.BigAutoField(primary_key=True)),
                ("text", models.CharField(max_length=50)),
            ],
        ),
        migrations.CreateModel(
            name="HomePage",
            fields=[
                (
                    "page_ptr",
                    models.OneToOneField(
                        "wagtailcore.page", models.CASCADE, parent_link=True, primary_key=True
                    ),
                ),
                ("intro", models.CharField(blank=True, max_length=50)),
            ],
            bases=("wagtailcore.page",),
        ),
    ]
