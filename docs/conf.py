"""How Sphinx builds the book: Markdown pages, executed notebooks, nothing fetched from elsewhere."""

from spikeledger import __version__

project = "SpikeLedger"
author = "The SpikeLedger maintainers"
copyright = "The SpikeLedger maintainers, Apache-2.0"
version = release = __version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]
nitpicky = False

myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3
nb_execution_mode = "cache"
nb_execution_raise_on_error = True
nb_execution_timeout = 300

autodoc_typehints = "description"
autodoc_member_order = "bysource"

html_theme = "furo"
html_title = f"SpikeLedger {version}"
html_copy_source = False
