"""No brackets in brackets: *Guo et al. [2023]* is *Guo et al. 2023* where it stands in round ones."""

from docutils import nodes
from sphinx.transforms.post_transforms import SphinxPostTransform


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


def setup(app) -> dict:
    app.add_post_transform(Brackets)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
