"""Pages of the book show the ledgers' verdicts, effects and spreads."""

from io import StringIO
from pathlib import Path

import pytest

from claim_cases import lay_out, made, put, rows
from snnbook import files
from snnbook.experiments.runs import record
from snnbook.experiments.tables import tables


@pytest.fixture
def results(put_tables, monkeypatch):
    return lay_out(put_tables, monkeypatch)


PAGE = """\
# Page

A is better: {verdict}`better`; and again: {verdict}`seen`.

## Claims

```{claims}
```

## Details

```{fidelity}
```

## Spreads

```{spread} seeds
```

```{spread} conditions
```
"""
CLAIMS = """\
claims:
  - {id: better, paper: tet, says: "A is `better`.", source: Table 1,
     test: "demo/a:snn.last - demo/b:snn.last > 0"}
  - {id: seen, paper: snnbook, says: "A is better.", source: Chapter 1, exploratory: true,
     test: "demo/a:snn.last - demo/b:snn.last > 0"}
  - {id: later, paper: sastc, says: Not yet., source: Table 2, waits: a row to come}
"""
DETAILS = """\
fidelity:
  - {id: epochs, paper: tet, detail: Epochs, kind: unspecified, text: Nothing., code: Four., choice: Three.,
     where: recipe.epochs, ours: demo/a, other: demo/b}
"""


def test_pages_show_verdicts_effects_and_spreads_from_the_records(results, monkeypatch):
    from sphinx.application import Sphinx
    from sphinx.util.docutils import docutils_namespace

    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "book" / "_ext"))
    import ledgers
    import records

    for module in (record, records, ledgers):
        monkeypatch.setattr(module, "folder", lambda: results)
    rows(results, a=(93, 94, 95), b=(90, 90, 90))
    put(
        results / "others" / "more", made("demo/a", 0, 90.0, environment={**made().environment, "threads": 2})
    )
    (tables.folder() / "ledgers/claims.yaml").write_text(CLAIMS)
    (tables.folder() / "ledgers/fidelity.yaml").write_text(DETAILS)
    home = results.parent
    files.write_text(home / "source" / "index.md", PAGE)
    warnings = StringIO()
    with docutils_namespace():
        app = Sphinx(
            home / "source",
            None,
            home / "html",
            home / "trees",
            "html",
            confoverrides={"extensions": ["myst_parser", "records", "ledgers"], "html_theme": "basic"},
            status=None,
            warning=warnings,
        )
        app.build()
    page = (home / "html" / "index.html").read_text()
    assert warnings.getvalue() == ""
    assert 'class="verdict holds">holds' in page and "digits, resnet18, T = 4, 3 seeds" in page
    assert "demo/a:snn.last - demo/b:snn.last &gt; 0; demo/a and demo/b, desk profile, seeds 0 (" in page
    assert "desk profile; of 1 tests with an interval, 0.1 would be decided by chance" in page
    assert page.count(">exploratory<") == 1 and 'title="written down when' in page  # said of one of the two
    assert "Chapter 1. Exploratory." in page and "1 more are exploratory" in page
    assert 'title="a row to come"' in page and "lab profile: nothing run yet." in page
    assert "-4.0 ± 2.5 points, n = 3" in page
    assert "threads: 2 instead of 1" in page and "-3.0" in page
    assert "Not measured yet: a difference in device, instructions, precision, torch." in page
    watched = {Path(name).name for name in app.env.dependencies["index"]}
    assert {"claims.yaml", "fidelity.yaml", "demo.yaml", "seed0.json", "others"} <= watched
