"""Chapters have the numbers of their files, and what stands in them is counted within them.

``notebooks/05_the_loss_at_every_moment.ipynb`` is chapter 5, with Figure 5.1, equation (5.1) and Exercise 5.1.
Other pages have no number; their figures and equations count through.  A chapter's sections have none either.

An equation of a paper carries that paper's number as its tag, ``\\tag{TET 9}``; a page shows it below ours.
"""

import re

from docutils import nodes
from sphinx.environment import BuildEnvironment
from sphinx.environment.collectors.toctree import TocTreeCollector
from sphinx.ext import mathjax

CHAPTER = re.compile(r"notebooks/(\d\d)_")
TAG = re.compile(r"\s*\\tag\{([^}]*)\}")


def assign(self: TocTreeCollector, env: BuildEnvironment) -> list[str]:
    """Number the chapters where Sphinx would number sections; the pages that change by it."""
    before, env.toc_secnumbers = env.toc_secnumbers, {}
    for name, toc in env.tocs.items():
        if not (chapter := CHAPTER.match(name)):
            continue
        number = (int(chapter[1]),)
        head, *sections = (node for node in toc.findall(nodes.reference) if "anchorname" in node)
        env.titles[name]["secnumber"] = head["secnumber"] = list(number)
        # An empty number is none, and lets figures below take the chapter's.
        env.toc_secnumbers[name] = {"": number, **{section["anchorname"]: () for section in sections}}
    return [name for name, numbers in env.toc_secnumbers.items() if numbers != before.get(name)]


def visit_equation(writer, node: nodes.math_block) -> None:
    """As MathJax's own, with the paper's number out of the formula and below ours."""
    text, start = node.astext(), len(writer.body)
    node.children = [nodes.Text(TAG.sub("", text))]
    try:
        mathjax.html_visit_displaymath(writer, node)
    finally:  # it ends with SkipNode
        if node["number"] and (tag := TAG.search(text)):
            end = writer.body.index("</span>", start)
            writer.body.insert(end, f'<span class="of-paper">{tag[1]}</span>')


def use(app) -> None:
    """Once all extensions are there, of which one sets MathJax up."""
    app.registry.html_block_math_renderers["mathjax"] = (visit_equation, None)


def setup(app) -> dict:
    for collector in (
        TocTreeCollector,
        *TocTreeCollector.__subclasses__(),
    ):  # sphinx_external_toc has its own
        collector.assign_section_numbers = assign
    app.connect("builder-inited", use)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
