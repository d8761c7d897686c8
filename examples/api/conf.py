"""Settings of the API pages; from the repository's root: python -m sphinx -W -q examples/api .api."""

import vocalsep

project = "vocalsep"
author = "The vocalsep authors"
release = vocalsep.__version__
extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon"]
autodoc_member_order = "bysource"
autodoc_typehints = "none"
napoleon_google_docstring = False
html_title = f"vocalsep {release}"
html_show_copyright = False
html_copy_source = False
