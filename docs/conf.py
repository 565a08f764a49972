"""How Sphinx builds the book: Markdown pages, executed notebooks, nothing fetched from elsewhere."""

import os
import sys
from pathlib import Path

from spikeledger import __version__

sys.path.insert(0, str(Path(__file__).parent))  # percent.py, names.py

project = "SpikeLedger"
author = "The SpikeLedger maintainers"
copyright = "The SpikeLedger maintainers, Apache-2.0"
version = release = __version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "conf.py", "percent.py", "names.py", "where_is_it.py", "reference/examples.py"]
nitpicky = False

myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3
nb_custom_formats = {".py": "percent.read"}
nb_execution_mode = "cache"
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_merge_streams = True  # what a cell prints is one block
os.environ.setdefault("NEURO4ML_EPOCHS", "5")  # the pages are built in a minute; a course trains twice as long
os.environ.setdefault("NEURO4ML_SAMPLES", "300")

autodoc_typehints = "description"
autodoc_member_order = "bysource"

html_theme = "furo"
html_title = f"SpikeLedger {version}"
html_copy_source = False
html_math_renderer = "mathml"  # browsers draw it themselves: nothing is fetched


def draw(display):
    """How a formula is written into a page, in a line or as a block."""
    from docutils import nodes
    from latex2mathml.converter import convert

    def visit(writer, node):
        writer.body.append(convert(node.astext(), display=display))
        raise nodes.SkipNode

    return visit, None


def setup(app):
    """Formulas as MathML, and the pages of all public names, written before anything is read."""
    import names

    app.add_html_math_renderer("mathml", draw("inline"), draw("block"))

    here = Path(__file__).parent / "reference"
    names.write(here / "names", names.examples(here / "examples.py"))
