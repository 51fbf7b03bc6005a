"""No brackets in brackets: *Guo et al. [2023]* is *Guo et al. 2023* where it stands in round ones.

And works are items of their list, also for who hears the page: docutils gives them a role that no list may have.
"""

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.writers.html5 import HTML5Translator


class Brackets(SphinxPostTransform):
    """Once citations are resolved."""

    default_priority = 400

    def run(self, **_) -> None:
        for block in self.document.findall(nodes.TextElement):
            if not isinstance(block, nodes.Inline):
                self.mend(block)

    def mend(self, block: nodes.TextElement) -> None:
        depth = 0
        for text in list(block.findall(nodes.Text)):
            if "bibtex-citation" not in text.parent.get("classes", ()):
                depth = max(0, depth + text.count("(") - text.count(")"))
            elif depth:
                text.parent.replace(text, nodes.Text(text.replace("[", "").replace("]", "")))


def visit_work(writer, node: nodes.citation) -> None:
    """As docutils' own, but for the role."""
    if not isinstance(node.previous_sibling(), nodes.citation):
        writer.body.append('<div role="list" class="citation-list">\n')
    writer.body.append(writer.starttag(node, "div", classes=[node.tagname], role="listitem"))


def depart_work(writer, node: nodes.citation) -> None:
    HTML5Translator.depart_citation(writer, node)


def setup(app) -> dict:
    app.add_post_transform(Brackets)
    app.add_node(nodes.citation, override=True, html=(visit_work, depart_work))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
