"""A project with django-tenants: a schema of PostgreSQL for each tenant, and a log in each."""
