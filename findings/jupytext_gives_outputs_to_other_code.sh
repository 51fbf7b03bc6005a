#!/usr/bin/env bash
# jupytext --sync: code that was changed or added takes over outputs of other code, and a book that executes "missing
# outputs" only prints them.
#
# Guess:   (written down first, after a look at the source) outputs stay with the cells that are unchanged; a changed or
#          new cell has none, so that nb_execution_mode = "auto" executes the page again.
# Seen:    what matches no old cell takes the output at its place: print("accuracy", accuracy(0.5)) rewritten with 0.7
#          keeps the 0.6 of 0.5 (0.8 is right), execution count included; a cell that prints the number of spikes, put
#          in its place, says "accuracy 0.6".  Equal cells are matched from the top: with a section of beta = 0.7 put
#          between those of 0.5 and 0.9, each ending in the same print, the new section shows the accuracy of 0.9, and
#          0.9 shows none.  With "auto" myst-nb finds all outputs present, executes nothing, and the page has the new
#          code above the old number, with warnings as errors.  jupytext says that it updates the notebook, no more.
# With:    jupytext 1.19.6, myst-nb 1.4.0, sphinx 7.4.7, nbclient 0.11.0, nbformat 5.11.1, ipykernel 7.4.0
# Matters: text is what is edited and reviewed, the paired notebook is what is published, and hours of training are why
#          outputs are kept; nothing in the diff of the text shows that a number belongs to other code.  Instead:
#          --sync and then --execute, or clear the outputs.
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
    "$python" -m pip install -qq --disable-pip-version-check jupytext==1.19.6 myst-nb==1.4.0 myst-parser==3.0.1 \
        sphinx==7.4.7 jupyter-cache==1.0.1 nbclient==0.11.0 nbformat==5.11.1 ipykernel==7.4.0
fi
export OMP_NUM_THREADS=1 PYTHONWARNINGS=ignore IPYTHONDIR="$work/ipython" PATH="$(dirname "$python"):$PATH"
"$python" - <<'PYTHON'
import os
import re
import shutil
import subprocess
import sys
import time
from importlib.metadata import version
from pathlib import Path

import nbformat
from nbclient import NotebookClient

NAMES = ("jupytext", "myst-nb", "sphinx", "nbclient", "nbformat", "ipykernel")
print(*(f"{name} {version(name)}" for name in NAMES))

START = "def accuracy(beta):\n    return round(1 - abs(beta - 0.9), 2)\n\n\nprint('ready')"
SHOW = "print('accuracy', accuracy(beta))"


def section(beta):
    return [f"beta = {beta}\nprint('beta', beta)", SHOW]


def executed(name, sources):
    """A notebook of these cells, run, and paired with a script."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Results"), *cells])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    NotebookClient(notebook, timeout=300).execute()
    nbformat.write(notebook, f"{name}.ipynb")
    jupytext("--set-formats", "ipynb,py:percent", f"{name}.ipynb")


def jupytext(*arguments):
    done = subprocess.run([sys.executable, "-m", "jupytext", *arguments], capture_output=True, text=True)
    assert done.returncode == 0 and "arning" not in done.stdout + done.stderr, done.stdout + done.stderr


def synced(name, edited, old, new):
    """Code, output and count of each cell, after the script has been edited and synchronised."""
    shutil.copy(f"{name}.ipynb", f"{edited}.ipynb")
    text = Path(f"{name}.py").read_text()
    assert text.count(old) == 1
    script = Path(f"{edited}.py")
    script.write_text(text.replace(old, new))
    os.utime(script, (time.time() + 5, time.time() + 5))
    jupytext("--sync", str(script))
    return cells(edited)


def cells(name):
    found = [cell for cell in nbformat.read(f"{name}.ipynb", 4).cells if cell.cell_type == "code"]
    return [
        (cell.source.splitlines()[-1], "".join(o.text for o in cell.outputs).strip(), cell.execution_count)
        for cell in found
    ]


def report(title, found):
    print(title)
    for code, output, count in found:
        print(f"    [{count or ' '}] {code:<40} -> {output}")


LINE = "print('accuracy', accuracy(0.5))"
executed("one", [START, LINE, "print('done')"])
before = cells("one")
report("as executed:", before)
assert before[1] == (LINE, "accuracy 0.6", 2)

changed = synced("one", "changed", "accuracy(0.5)", "accuracy(0.7)")
report("0.5 changed to 0.7 in the script (right: 0.8):", changed)
assert changed[1] == (LINE.replace("0.5", "0.7"), "accuracy 0.6", 2)

other = synced("one", "other", LINE, "print('spikes', 12)")
report("another cell in its place:", other)
assert other[1] == ("print('spikes', 12)", "accuracy 0.6", 2)

executed("two", [START, *section(0.5), *section(0.9)])
right = [output for _, output, _ in cells("two")]
assert right == ["ready", "beta 0.5", "accuracy 0.6", "beta 0.9", "accuracy 1.0"]
marker = "# %%\nbeta = 0.9"
added = "".join(f"# %%\n{source}\n\n" for source in section(0.7))
inserted = synced("two", "inserted", marker, added + marker)
report("a section put between two others (right: 0.8, then 1.0):", inserted)
assert [code for code, _, _ in inserted].count(SHOW) == 3
assert [output for code, output, _ in inserted if code == SHOW] == ["accuracy 0.6", "accuracy 1.0", ""]

book = Path("book")
book.mkdir()
shutil.copy("changed.ipynb", book / "results.ipynb")
(book / "index.md").write_text("# Book\n\n```{toctree}\nresults\n```\n")
(book / "conf.py").write_text("extensions = ['myst_nb']\nnb_execution_mode = 'auto'\n")
command = [sys.executable, "-m", "sphinx", "-W", "-b", "html", "book", "html"]
done = subprocess.run(command, capture_output=True, text=True)
page = re.sub(r"<[^>]*>", "", Path("html/results.html").read_text())
lines = [line.strip() for line in page.splitlines() if "accuracy" in line and "def" not in line]
executions = done.stdout.count("Executing notebook")
print(f"the book, auto: exit status {done.returncode}, {executions} notebooks executed, the page says {lines}")
assert done.returncode == 0 and executions == 0 and "accuracy(0.7)" in page and "accuracy 0.6" in page
print("as described above")
PYTHON
