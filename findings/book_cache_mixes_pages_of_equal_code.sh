#!/usr/bin/env bash
# jupyter-cache (execute_notebooks: cache, nb_execution_mode = "cache"): two pages with the same code get one page's outputs.
# Guess (recorded before): the cache is kept by document, so each page shows what its own folder holds.
# Seen: it is kept by the code alone.  Two folders hold the same notebook, and each its own accuracy.txt: one notebook is
#   executed, and both pages print its number, in the very first build, from an empty cache, and with warnings as errors the
#   build succeeds.  With "force" each page has its own number, and so it has if one comment more tells the codes apart.
# Versions: jupyter-cache 1.0.1, myst-nb 1.4.0, myst-parser 3.0.1, sphinx 7.4.7, nbclient 0.11.0, ipykernel 7.4.0.
# Why it matters: one report notebook copied beside each run's or data set's results is a common way to write a book of
#   experiments; all its pages then show the results of one of them, under headings that say otherwise.
#
# Uses an existing environment if FINDINGS_VENV names one with these versions; else makes its own.
set -euo pipefail
T=$(mktemp -d)
trap 'rm -rf "$T"' EXIT
if [ -n "${FINDINGS_VENV:-}" ]; then
  PY="$FINDINGS_VENV/bin/python"
else
  python3 -m venv "$T/venv"
  PY="$T/venv/bin/python"
  "$PY" -m pip install -q --disable-pip-version-check myst-nb==1.4.0 myst-parser==3.0.1 sphinx==7.4.7 \
    jupyter-cache==1.0.1 nbclient==0.11.0 ipykernel==7.4.0
fi
cd "$T"
export OMP_NUM_THREADS=1 PYTHONWARNINGS=ignore IPYTHONDIR="$T/ipython" PATH="$(dirname "$PY"):$PATH"
"$PY" - <<'PYTHON'
import re
import shutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import nbformat

names = ("jupyter-cache", "myst-nb", "myst-parser", "sphinx", "nbclient", "ipykernel")
print("versions:", {name: version(name) for name in names})

ACCURACY = {"cifar": "0.71", "mnist": "0.99"}


def build(mode, comment=lambda name: ""):
    """What each page shows, after a build from nothing."""
    shutil.rmtree("book", ignore_errors=True)
    book = Path("book")
    for name, accuracy in ACCURACY.items():
        (book / name).mkdir(parents=True)
        (book / name / "accuracy.txt").write_text(accuracy)
        cells = [
            nbformat.v4.new_markdown_cell(f"# Results on {name}"),
            nbformat.v4.new_code_cell(f"print('accuracy', open('accuracy.txt').read()){comment(name)}"),
        ]
        notebook = nbformat.v4.new_notebook(cells=cells)
        notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
        nbformat.write(notebook, book / name / "results.ipynb")
    (book / "index.md").write_text("# Book\n\n```{toctree}\ncifar/results\nmnist/results\n```\n")
    (book / "conf.py").write_text(
        f"extensions = ['myst_nb']\nnb_execution_mode = '{mode}'\nnb_execution_timeout = 300\n"
        "nb_execution_raise_on_error = True\n"
    )
    command = [sys.executable, "-m", "sphinx", "-W", "-b", "html", "book", "book/_build/html"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    shown = {}
    for name in ACCURACY:
        page = (book / "_build" / "html" / name / "results.html").read_text()
        (shown[name],) = re.findall(r"accuracy (0\.\d+)", page)
    return shown


forced = build("force")
print("executed each time:                 ", forced)
cached = build("cache")
print("with the cache, empty at first:     ", cached)
told = build("cache", lambda name: f"  # {name}")
print("with the cache and another comment: ", told)
assert forced == told == ACCURACY
assert len(set(cached.values())) == 1
print("as described above")
PYTHON
