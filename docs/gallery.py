"""The gallery: the first picture of every chapter, with a link to it."""

from __future__ import annotations

from typing import Any

from docutils import nodes
from sphinx import addnodes
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import make_refnode

PAGE = "book/gallery"


class gallery(nodes.General, nodes.Element):
    """Where the pictures will stand, once all chapters have been read."""


class Gallery(SphinxDirective):
    """```` ```{gallery} ````: a picture a chapter."""

    def run(self) -> list[nodes.Node]:
        """A place for the pictures."""
        return [gallery()]


def fill(app: Any, doctree: nodes.document, docname: str) -> None:
    """Put the pictures in, in the order of the chapters."""
    for place in list(doctree.findall(gallery)):
        shelf = nodes.container(classes=["gallery"])
        for chapter in _chapters(app.env):
            read = app.env.get_doctree(chapter)
            picture = next(iter(read.findall(nodes.image)), None)
            if picture is None:
                continue
            image, title = picture.deepcopy(), app.env.titles[chapter].astext()
            image["alt"] = ""  # the words beside it say what it is
            shelf += nodes.paragraph("", "", make_refnode(
                app.builder, docname, chapter, "", [image, nodes.inline("", title)]
            ))  # fmt: skip
        place.replace_self(shelf)


def _chapters(env: Any) -> list[str]:
    index = env.get_doctree("book/index")
    listed = [name for tree in index.findall(addnodes.toctree) for name in tree["includefiles"]]
    return [name for name in listed if name != PAGE]


def connect(app: Any) -> None:
    """Tell Sphinx of it; the page is written anew whenever any page was."""
    app.add_node(gallery)
    app.add_directive("gallery", Gallery)
    app.connect("doctree-resolved", fill)
    app.connect("env-updated", lambda _app, env: [PAGE] if PAGE in env.found_docs else [])
