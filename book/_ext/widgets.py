"""Things to play with in a page: ``{widget}`` shows one, with a sentence for where it cannot be shown.

::

    ```{widget} neuron
    On the book's page: a neuron with sliders for its current, decay, threshold and reset.
    ```

The sentence is all that Colab and other notebooks show, since they show the fence as code.  A page gets a still of
the widget as it starts, drawn by ``stills.py`` from what the library computes; ``_static/widgets/NAME.js`` puts
the living one in its place.  Only pages with a widget load these scripts.
"""

from pathlib import Path

from docutils import nodes
from sphinx import addnodes
from sphinx.util.docutils import SphinxDirective

TITLES = {
    "neuron": "A neuron and its current",
    "surrogate": "How far a surrogate reaches",
    "moments": "Four moments, one label",
    "spectra": "Shared directions, two spectra",
    "energy": "Your own prices",
}
PAGE = """\
<figure class="widget" data-widget="{name}" aria-labelledby="widget-{name}">
<figcaption id="widget-{name}">{title}</figcaption>
<div class="panels">{still}</div>
<p class="seen" aria-hidden="true"></p>
<p class="said" role="status" aria-live="polite"></p>
<noscript><p>A still, since scripts are off here. With them, every number can be changed.</p></noscript>
</figure>
"""


class WidgetDirective(SphinxDirective):
    """One widget, by its name."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        (name,) = self.arguments
        if name not in TITLES:
            raise self.error(f"widget: no widget {name!r}; expected one of {', '.join(TITLES)}")
        if len(self.content) != 1:
            raise self.error(
                f"widget: {name} has {len(self.content)} lines; expected one, which notebooks show"
            )
        import stills  # here, since it imports torch

        self.env.note_dependency(str(Path(stills.__file__)))
        page = PAGE.format(name=name, title=TITLES[name], still=stills.still(name))
        elsewhere = addnodes.only("", nodes.paragraph("", self.content[0]), expr="not html")
        return [nodes.raw("", page, format="html", widget=name), elsewhere]


def load_scripts(app, pagename, templatename, context, doctree) -> None:
    """Let a page load what its widgets need."""
    raw = doctree.findall(nodes.raw) if doctree else ()
    names = [name for node in raw if (name := node.get("widget"))]
    if names:
        app.add_css_file("widgets/widgets.css")
        for name in ("kit", *dict.fromkeys(names)):
            app.add_js_file(f"widgets/{name}.js", loading_method="defer")


def setup(app) -> dict:
    app.add_directive("widget", WidgetDirective)
    app.connect("html-page-context", load_scripts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
