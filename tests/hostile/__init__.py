"""What the hostile tests visit and break: views, backends and databases of their own."""
