#!/usr/bin/env bash
# myst-nb, jupyter-book: a page that quotes another page's number (glue) keeps the old one when the results change, and
# a number that is gone altogether is still quoted after a full rebuild, with warnings as errors.
#
# Guess:   (written down first, after a look at the source) Sphinx knows what a page is made of: results.ipynb changes,
#          so the page that quotes it is written anew; a key that is glued no longer is a warning, so that a build with
#          -W fails.
# Seen:    a quotation is no dependency.  The notebook now says 0.17, the build succeeds and writes the notebook's page
#          and the contents, and the summary goes on to say 0.91.  Then the notebook glues nothing at all: even "-E -a"
#          (read and write everything again) prints the last number that was glued, without a warning, since myst-nb
#          writes a page's glue file only if there is something to write and never removes one, in jupyter_execute
#          beside the html folder.  Only in an empty folder the same sources fail: the key is not found.
# With:    myst-nb 1.4.0, myst-parser 3.0.1, sphinx 7.4.7, nbclient 0.11.0, ipykernel 7.4.0
# Matters: abstracts and tables of results quote the chapters; "jupyter-book build" is incremental, and a CI that keeps
#          _build publishes numbers of a run that nobody has any longer.  Instead: "jupyter-book clean --all", or an
#          empty folder, before what is published.
#
# Runs in a temporary folder.  FINDINGS_VENV=<a venv, or its python, with these packages> skips the installation.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python=${FINDINGS_VENV:-}
if [ -d "$python" ]; then
    python=$python/bin/python
fi
if [ -z "$python" ]; then
    python3.11 -m venv venv
    python=$work/venv/bin/python
    "$python" -m pip install -qq --disable-pip-version-check myst-nb==1.4.0 myst-parser==3.0.1 sphinx==7.4.7 \
        jupyter-cache==1.0.1 nbclient==0.11.0 ipykernel==7.4.0
fi
export OMP_NUM_THREADS=1 PYTHONWARNINGS=ignore IPYTHONDIR="$work/ipython" PATH="$(dirname "$python"):$PATH"
"$python" - <<'PYTHON'
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import nbformat

print(*(f"{name} {version(name)}" for name in ("myst-nb", "myst-parser", "sphinx", "nbclient", "ipykernel")))

book = Path("book")
book.mkdir()
(book / "index.md").write_text("# Book\n\n```{toctree}\nresults\nsummary\n```\n")
(book / "summary.md").write_text("# Summary\n\nWe reach {glue:text}`results.ipynb::accuracy:.2f`.\n")
(book / "conf.py").write_text(
    "extensions = ['myst_nb']\nnb_execution_mode = 'force'\nnb_execution_raise_on_error = True\n"
    "nb_execution_timeout = 300\n"
)


def results(code):
    cells = [nbformat.v4.new_markdown_cell("# Results"), nbformat.v4.new_code_cell(code)]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, book / "results.ipynb")


def glued(accuracy):
    results(f"from myst_nb import glue\nprint('accuracy', {accuracy})\nglue('accuracy', {accuracy}, display=False)")


def build(folder, *options):
    """The exit status, what Sphinx says of glue, and the number on either page."""
    command = [sys.executable, "-m", "sphinx", "-W", *options, "-b", "html", "book", f"{folder}/html"]
    done = subprocess.run(command, capture_output=True, text=True)
    shown = {}
    for name in ("results", "summary"):
        path = Path(folder, "html", f"{name}.html")
        (text,) = re.findall(r"<h1>.*?</section>", path.read_text(), re.S) if path.exists() else ("",)
        text = re.sub(r"<[^>]*>", "", text.split("accuracy", 1)[-1] if name == "results" else text)
        shown[name] = [float(number) for number in re.findall(r"0\.\d\d", text)][-1:]
    said = re.findall(r"Glue reference '\w+' not found", done.stderr)
    return done.returncode, said, shown["results"], shown["summary"]


glued(0.91)
first = build("kept")
print("the first build:                               ", *first)
assert first == (0, [], [0.91], [0.91])

glued(0.17)
second = build("kept")
print("the results change, a second build:            ", *second)
assert second == (0, [], [0.17], [0.91])

results("print('accuracy', 0.55)")
third = build("kept", "-E", "-a")
print("the number is glued no longer, built with -E -a:", *third)
assert third[:3] == (0, [], [0.55]) and third[3] == [0.17]

fresh = build("empty")
print("the same in an empty folder:                   ", *fresh)
assert fresh[0] != 0 and fresh[1]
print("as described above")
PYTHON
