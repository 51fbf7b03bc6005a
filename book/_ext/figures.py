"""Figures that the library drew: beside each the same for dark pages, of which a page shows the one that fits."""

from pathlib import Path

from docutils import nodes
from sphinx.transforms import SphinxTransform

from snnbook import files
from snnbook.plots.dark import darkened

OURS = "Matplotlib"  # stands in the description of each SVG that it wrote


class Dark(SphinxTransform):
    """While a page is read, before its images are collected."""

    default_priority = 200

    def apply(self, **_) -> None:
        for image in list(self.document.findall(nodes.image)):
            if image["uri"].endswith(".svg"):
                self.double(image)

    def double(self, image: nodes.image) -> None:
        _, place = self.env.relfn2path(image["uri"], self.env.docname)
        svg = Path(place).read_text(encoding="utf-8")
        if OURS not in svg:
            return
        files.write_text(Path(place).with_suffix(".dark.svg"), darkened(svg))
        other = image.deepcopy()
        other["uri"] = image["uri"].removesuffix(".svg") + ".dark.svg"
        for each, page in ((image, "on-light"), (other, "on-dark")):
            each["classes"] = [*each["classes"], page]
            each["loading"] = "lazy"  # which one is not shown is not fetched
        image.parent.insert(image.parent.index(image) + 1, other)


def setup(app) -> dict:
    app.add_transform(Dark)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
