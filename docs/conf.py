"""How Sphinx builds the book: Markdown pages, executed notebooks, nothing fetched from elsewhere."""

import os
import re
import sys
from pathlib import Path

from spikeledger import __version__

sys.path.insert(0, str(Path(__file__).parent))  # percent.py, names.py, figures.py, gallery.py

import percent

project = "SpikeLedger"
author = "The SpikeLedger maintainers"
copyright = "The SpikeLedger maintainers, Apache-2.0"
version = release = __version__

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "*.py", "reference/examples.py"]
nitpicky = False

myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3
nb_custom_formats = {".py": "percent.read"}
nb_execution_mode = "cache"
nb_execution_cache_path = str(Path(__file__).parent / "_build" / "executed")  # HTML, EPUB and PDF run a cell once
nb_execution_raise_on_error = True
nb_execution_timeout = 300
nb_merge_streams = True  # what a cell prints is one block
os.environ.setdefault("NEURO4ML_EPOCHS", "5")  # the pages are built in a minute; a course trains twice as long
os.environ.setdefault("NEURO4ML_SAMPLES", "300")

autodoc_typehints = "description"
autodoc_member_order = "bysource"
autodoc_inherit_docstrings = False  # what torch says of its own methods stands in torch's book

html_theme = "furo"
html_title = f"SpikeLedger {version}"
html_copy_source = False
html_show_sourcelink = False
html_static_path = ["_static"]
html_css_files = ["book.css"]
html_search_scorer = str(Path(__file__).parent / "_static" / "scorer.js")
html_js_files = [("book.js", {"defer": "defer"})]
epub_css_files = ["book.css", "reader.css"]
epub_basename = "SpikeLedger"
epub_show_urls = "no"
html_math_renderer = "mathml"  # browsers draw it themselves: nothing is fetched


def draw(display):
    """How a formula is written into a page, in a line or as a block."""
    from docutils import nodes
    from latex2mathml.converter import convert

    def visit(writer, node):
        writer.body.append(convert(node.astext(), display=display))
        raise nodes.SkipNode

    return visit, None


def notebook_link(app, docname, source):
    """An executed page begins with a link to its notebook, which lies among the page's other files."""
    path = Path(app.srcdir) / f"{docname}.py"
    if app.builder.name == "html" and path.is_file():
        percent.write(path, Path(app.outdir) / "_static" / "notebooks" / f"{path.stem}.ipynb")
        up = "../" * docname.count("/")
        link = f'<p class="notebook"><a href="{up}_static/notebooks/{path.stem}.ipynb" download>This page as a notebook</a></p>'
        source[0] = re.sub(r"^(# # .*)$", rf"\g<1>\n#\n# {link}", source[0], count=1, flags=re.MULTILINE)


def live_page(app):
    """The live page of the digits' networks lies beside chapter 19, which links to it."""
    if app.builder.name == "html":
        import spikeledger as sl
        from spikeledger.live.networks import document_of, shipped
        from spikeledger.live.page import write_live

        path = Path(app.outdir) / "_static" / "live.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        write_live(document_of(*shipped(), sl.load_dataset("digits")), path)


def name_pictures(app, doctree):
    """What a screen reader says of a picture that a cell drew."""
    from docutils import nodes

    title = next(iter(doctree.findall(nodes.title)), None)
    for number, image in enumerate(doctree.findall(nodes.image), 1):
        if title is not None and not image.get("alt"):
            image["alt"] = f"{title.astext()}: picture {number}, drawn by the cell above it"


def reachable(app, pagename, templatename, context, doctree):
    """What scrolls sideways can be reached by the keyboard: code, outputs, tables. An empty corner of a table heads nothing."""
    if "body" in context:
        body = context["body"].replace("<pre>", '<pre tabindex="0">')
        body = body.replace('<div class="table-wrapper', '<div tabindex="0" class="table-wrapper')
        context["body"] = re.sub(r'<th class="([^"]*)">(?:<p></p>)?</th>', r'<td class="\1"></td>', body)


def setup(app):
    """Formulas as MathML, figures with sliders, notebooks, and the pages of all public names, written before anything is read."""
    import figures
    import gallery
    import names

    app.add_html_math_renderer("mathml", draw("inline"), draw("block"))
    app.add_config_value("figures_are_still", False, "env", types=(bool,))
    app.add_directive("widget", figures.Widget)
    app.connect("builder-inited", live_page)
    app.connect("source-read", notebook_link)
    app.connect("doctree-read", name_pictures)
    app.connect("html-page-context", reachable)
    gallery.connect(app)

    here = Path(__file__).parent / "reference"
    names.write(here / "names", names.examples(here / "examples.py"))
