#!/usr/bin/env bash
# A cell under %%capture, or %run of a script, that fails counts as done: the notebook goes on with what was there by then.
# Guess (recorded before): nbclient raises CellExecutionError as for any cell, and a book with raise_on_error and -W fails.
# Seen: IPython shows the traceback and replies "ok".  nbclient looks at the reply alone: a training that breaks in its second
#   of three epochs leaves its accuracy so far, the next cell prints it, and nbclient, nbconvert --execute and a book
#   (nb_execution_raise_on_error and -W) succeed.  papermill finds the traceback in the end, when all later cells have run
#   and have written what they write.  %%time and %%timeit, which were known for the same, raise with this IPython.
# Versions: ipython 9.18.1, ipykernel 7.4.0, nbclient 0.11.0, nbconvert 7.17.2, papermill 2.7.0, myst-nb 1.4.0, sphinx 7.4.7.
# Why it matters: %%capture is what one puts before a long, talkative training, and %run before a script of it.  The number
#   of a run that died is published, and saved as the result.
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
  "$PY" -m pip install -q --disable-pip-version-check myst-nb==1.4.0 myst-parser==3.0.1 sphinx==7.4.7 jupyter-cache==1.0.1 \
    nbclient==0.11.0 nbconvert==7.17.2 papermill==2.7.0 ipython==9.18.1 ipykernel==7.4.0
fi
cd "$T"
export OMP_NUM_THREADS=1 PYTHONWARNINGS=ignore IPYTHONDIR="$T/ipython" PATH="$(dirname "$PY"):$PATH"
"$PY" - <<'PYTHON'
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

names = ("ipython", "ipykernel", "nbclient", "nbconvert", "papermill", "myst-nb", "sphinx")
print("versions:", {name: version(name) for name in names})

TRAINING = """\
accuracy = 0.5
for epoch in range(3):
    accuracy += 0.1
    if epoch == 1:
        raise RuntimeError("out of memory")
"""
Path("train.py").write_text(TRAINING)
FIRST = {"plain": TRAINING, "%%time": "%%time\n" + TRAINING, "%%capture": "%%capture\n" + TRAINING, "%run": "%run train.py"}


def notebook(first):
    code = [first, "print('accuracy', accuracy)\nopen('record.txt', 'w').write(str(accuracy))"]
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_markdown_cell("# Training")])
    made.cells += [nbformat.v4.new_code_cell(source) for source in code]
    made.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return made


def command(*words):
    return subprocess.run([sys.executable, "-m", *words], capture_output=True, text=True).returncode


raised, record = {}, Path("record.txt")
for name, first in FIRST.items():
    record.unlink(missing_ok=True)
    try:
        NotebookClient(notebook(first), timeout=300, startup_timeout=300).execute()
        raised[name] = False
    except CellExecutionError:
        raised[name] = True
    print(f"nbclient, {name}: raises {raised[name]}, record {record.read_text()[:4] if record.exists() else None}")
    assert record.exists() != raised[name]
assert raised == {"plain": True, "%%time": True, "%%capture": False, "%run": False}

nbformat.write(notebook(FIRST["%%capture"]), "chapter.ipynb")
convert = command("nbconvert", "--to", "notebook", "--execute", "chapter.ipynb", "--output", "executed.ipynb")
print("nbconvert --execute ends with", convert)
record.unlink()
papermill = command("papermill", "--start-timeout", "300", "chapter.ipynb", "executed.ipynb")
print("papermill ends with", papermill, "after it wrote the record", record.read_text()[:4])
book = Path("book")
book.mkdir()
nbformat.write(notebook(FIRST["%%capture"]), book / "index.ipynb")
(book / "conf.py").write_text(
    "extensions = ['myst_nb']\nnb_execution_mode = 'force'\nnb_execution_timeout = 300\nnb_execution_raise_on_error = True\n"
)
sphinx = command("sphinx", "-W", "-b", "html", "book", "book/_build")
page = (book / "_build" / "index.html").read_text()
print("the book's build ends with", sphinx, "and prints accuracy 0.7:", "accuracy 0.7" in page)
assert convert == 0 and papermill == 1 and record.read_text().startswith("0.7")
assert sphinx == 0 and "accuracy 0.7" in page
print("as described above")
PYTHON
