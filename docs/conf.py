"""How the documentation is built: `make docs`."""

from trackmate import __version__

project = "trackmate"
author = "The trackmate developers"
project_copyright = author
release = version = __version__

extensions = ["myst_parser"]
exclude_patterns = ["_build"]
nitpicky = True

myst_heading_anchors = 3
myst_enable_extensions = ["deflist", "fieldlist"]

html_theme = "furo"
html_title = f"trackmate {release}"
html_static_path = []
html_show_sphinx = False
