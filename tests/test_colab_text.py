"""MyST as any notebook shows it: roles in words, directives as Markdown, and code left as it is."""

import re
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snnbook import experiments
from snnbook.errors import UserError
from snnbook.experiments.evidence import claims, judge

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "book")]

import labels  # noqa: E402
import myst  # noqa: E402
import plain  # noqa: E402

BOOK = labels.Book(ROOT)
HERE = "notebooks/05_the_loss_at_every_moment"
SITE = BOOK.published


@pytest.fixture
def page():
    return plain.Plain(BOOK, HERE)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("{doc}`/notebooks/01_the_neuron`", f"[The neuron]({SITE}/notebooks/01_the_neuron.html)"),
        ("{doc}`the tests\n</book/claims>`", f"[the tests]({SITE}/book/claims.html)"),
        ("{doc}`../book/claims`", f"[{BOOK.heading('book/claims')}]({SITE}/book/claims.html)"),
        ("{term}`Decays <decay>`", f"[Decays]({SITE}/book/glossary.html#term-decay)"),
        ("{term}`time constant`", f"[time constant]({SITE}/book/glossary.html#term-time-constant)"),
        ("{cite:t}`fang2021plif`", f"[Fang et al. (2021)]({SITE}/book/references.html)"),
        (
            "{cite:p}`bi1998synaptic,davies2018loihi`",
            f"([Bi and Poo, 1998; Davies et al., 2018]({SITE}/book/references.html))",
        ),
        ("{math}`x`, {sub}`2`", "$x$, <sub>2</sub>"),
        ("[here](../book/claims.md#tet)", f"[here]({SITE}/book/claims.html#tet)"),
        ("[there](https://a.b/c)", "[there](https://a.b/c)"),
        ("`{doc}` and ``{record}`a` ``", "`{doc}` and ``{record}`a` ``"),
        ("$O[t](\\theta)$", "$O[t](\\theta)$"),
        ("~~~python\n{doc}`x`\n\n\n:::\n~~~", "~~~python\n{doc}`x`\n\n\n:::\n~~~"),
        ("(a-place)=\n% not for readers\ntext", "text"),
        (":::{note}\nOne.\n:::", "> **Note**\n>\n> One."),
        ("```{admonition} A *title*\n:class: tip\n$$\na\n= b\n$$\n```", "> **A *title***\n>\n> $$ a = b $$"),
        ("````{note}\n```python\na\n\n\nb\n```\n````", "> **Note**\n>\n> ```python\n> a\n>\n>\n> b\n> ```"),
        ("```{code-block} bash\nls {a}`b`\n```", "```bash\nls {a}`b`\n```"),
        ("```{prf:lemma} Small\nIt is.\n```", "> **Lemma 5.1** (Small). It is."),
        ("```{prf:proof}\nClear.\n```", "*Proof.* Clear. ∎"),
        ("$$a$$ (eq-a)\n\n```{math}\n:label: eq-b\nb\n```", "$$a \\tag{5.1}$$\n\n$$\nb \\tag{5.2}\n$$"),
        (
            "```{image} ../book/_static/logo.svg\n:alt: A logo\n```",
            f"![A logo]({BOOK.repository}/raw/{BOOK.branch}/book/_static/logo.svg)",
        ),
        (
            "```{list-table} Two\n:header-rows: 1\n\n"
            "* - a\n  - $|b|$\n* - c\n  -\n* - long\n    line\n  - x | y\n```",
            "**Two**\n\n| a | $\\vert b\\vert $ |\n|---|---|\n| c |  |\n| long line | x \\| y |",
        ),
        (
            "- item\n\n  ```{note}\n  Text\n  ```",
            "- item\n\n  > **Note**\n  >\n  > Text",
        ),
    ],
)  # fmt: skip
def test_what_becomes_of_it(page, written, shown):
    assert page.cells(written) == [shown]


def test_exercises_are_numbered_and_their_solutions_folded(page):
    text = ":::{exercise} Warm up (easy, 5 minutes)\n:label: ex-x\nWhy?\n:::\n\n"
    text += (
        "```{exercise}\n:label: ex-y\nHow?\n```\n\n:::{solution} ex-loss-lemma\n:class: dropdown\nSo.\n:::"
    )
    (made,) = page.cells(text)
    assert "**Exercise 5.1.** Warm up (easy, 5 minutes)\n\nWhy?" in made
    assert "**Exercise 5.2.**" in made and ":class:" not in made
    assert re.search(r"<details>\n<summary><b>Solution.*</b>.*</summary>\n\nSo\.\n\n</details>", made)


def test_numbers_are_those_that_others_refer_to(page):
    """What a chapter counts while it is written is what labels say."""
    for name, label in BOOK.labels.items():
        if not name.startswith("ex-"):
            continue
        own = plain.Plain(BOOK, label.page)
        text = "\n".join(p if isinstance(p, str) else "" for p in own.cells(BOOK.texts[label.page]))
        assert f"**{label.title}.**" in text
        assert own.role("ref", name) == label.title
        elsewhere = plain.Plain(BOOK, "book/index").role("ref", name)
        assert elsewhere == f"[{label.title}]({SITE}/{label.page}.html#{name})"


def test_records_and_verdicts_say_what_the_library_says(page):
    found = experiments.lookup("joint-table4/all:snn.last")
    assert page.role("record", "joint-table4/all:snn.last").startswith(found.text(1))
    assert page.role("record", "joint-table4/all:snn.last scale=0.01 digits=3").startswith(
        f"{found.mean / 100:.3f}"
    )
    assert page.role("paper", "joint-table4/snn:snn") == "92.39"
    for claim in claims.load():
        assert page.role("verdict", claim.id).startswith(judge.best(claim).word)


def test_a_table_of_results_becomes_code_that_shows_it(page):
    text, code, more = page.cells(
        "Look:\n```{results} tet-figure7\n:columns: network ours n\n:profile: desk\n```\nSee?"
    )
    assert (text, more) == ("Look:", "See?")
    scope = {}
    *body, last = code.source.splitlines()
    exec("\n".join(body), scope)
    shown = eval(last, scope)
    assert (shown.table, shown.profile, shown.chosen) == ("tet-figure7", "desk", "network ours n")
    assert shown._repr_html_().count("<tr>") == 1 + sum(not line.waits for line in shown.lines)


def test_what_only_a_page_can_show_is_a_link_to_it(page):
    (made,) = page.cells("```{widget} moments\nOn the book's page: the push of each moment.\n```")
    assert f"[the book's page]({SITE}/{HERE}.html#widget-moments): the push of each moment." in made
    assert made.startswith("> **")
    (made,) = page.cells("```{forest} tet\n:width: 3\n```")
    assert made == f"> tet: on [the book's page]({SITE}/{HERE}.html)."


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("{doc}`/notebooks/01_the_neurone`", "did you mean 'notebooks/01_the_neuron'"),
        ("{term}`decai`", "did you mean 'decay'"),
        ("{cite:t}`fang2021plof`", "did you mean 'fang2021plif'"),
        ("{ref}`ex-nothing-of-the-kind`", "no label"),
        ("{record}`joint-table4/alll:snn.last`", "did you mean 'all'"),
        ("{verdict}`nothing`", "verdict"),
        ("{colour}`red`", "no form for the role {colour}"),
        ("[x](../book/clams.md)", "no page 'book/clams'"),
        (":::{note}\nnever ends", "has no end"),
    ],
)
def test_what_leads_nowhere_is_refused(page, written, told):
    with pytest.raises(UserError, match=re.escape(told)):
        page.cells(written)


WORDS = st.sampled_from(
    ["text ", "`code` ", "$a_{b}$ ", "{term}`decay` ", "\n", "\n\n", "- ", "$$x$$", "\n```\nraw :::\n```\n"]
)


@given(
    st.lists(WORDS, max_size=12),
    st.lists(st.sampled_from(["note", "exercise", "prf:lemma", "dropdown"]), max_size=4),
)
@settings(deadline=None, max_examples=60)
def test_directives_within_directives_leave_nothing_of_the_notation(words, names):
    text = "".join(words)
    for depth, name in enumerate(names):
        text = f"{':' * (3 + depth)}{{{name}}} Title\n{text}\n{':' * (3 + depth)}"
    for piece in plain.Plain(BOOK, HERE).cells(text):
        left = re.sub(r"`{3}.*?`{3}", "", piece, flags=re.DOTALL)
        assert not re.search(r"\{[a-z:]+\}`|:::", left)


def test_a_block_is_read_as_it_stands():
    text = "a\n~~~\n:::{note}\n~~~\n::::{x-y} b c\n:one: 1\n:two:\n\n:::{z}\n:::\n::::\nd"
    first, block, last = myst.blocks(text)
    assert (first, last) == ("a\n~~~\n:::{note}\n~~~", "d")
    assert (block.name, block.argument, block.options) == ("x-y", "b c", {"one": "1", "two": ""})
    assert block.body == ":::{z}\n:::"
