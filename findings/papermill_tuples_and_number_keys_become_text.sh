#!/usr/bin/env bash
# papermill: a tuple given as a parameter arrives as its text, and whole-number keys of a dictionary become text;
# what papermill records as the run's parameters is another value than the one that ran.
#
# Guess:   (written down first) execute_notebook(parameters=...) assigns what it was given; what it cannot write
#          down is refused.
# Seen:    a tuple of names becomes one string, its repr: "in" then looks for a piece of that text, so that "conv1"
#          is in ("conv10", "conv2"), and its length is 19.  {10: 0.01} becomes {"10": 0.01}: schedule.get(10,
#          rate) finds nothing, and the learning rate never falls.  The notebook runs through, and prints another
#          result than with the values written into it.  The output's metadata, where one looks
#          for what was run, have the tuple as a list.  Lists, True, None and fractions are right.  No warning.
# With:    papermill 2.7.0, nbclient 0.11.0, ipykernel 7.4.0
# Matters: papermill runs the sweep, and the arms of an experiment (layers left out, a schedule) differ less than
#          they should, or otherwise, under a record that says they do.  Instead: lists, and keys of text that the
#          notebook turns into numbers; print the parameters in the notebook's first cell.
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
    "${UV:-uv}" venv -q --python 3.11 venv
    python=$work/venv/bin/python
    "${UV:-uv}" pip install -q -p "$python" papermill==2.7.0 nbclient==0.11.0 ipykernel==7.4.0
fi
export PYTHONWARNINGS=ignore IPYTHONDIR="$work/ipython" PATH="$(dirname "$python"):$PATH"
"$python" - <<'PYTHON'
import json
import logging
from importlib.metadata import version

import nbformat
import papermill

print(*(f"{name} {version(name)}" for name in ("papermill", "nbclient", "ipykernel")))
logging.disable(logging.CRITICAL)

CODE = """
import json
layers = ["conv1", "conv2", "conv10"]
rate, rates = 0.1, []
for epoch in range(20):
    rate = schedule.get(epoch, rate)
    rates.append(rate)
print(json.dumps({
    "kept": [layer for layer in layers if layer not in skip],
    "length": len(skip),
    "last": rates[-1],
    "others": [repr(value) for value in others],
}))
"""


def result(notebook):
    (output,) = (output for output in notebook.cells[-1].outputs if output.get("name") == "stdout")
    return json.loads(output.text)


def run(skip, schedule, others=()):
    """what the notebook prints, by papermill and with the values written into it"""
    found = []
    for given in (True, False):
        defaults = "skip, schedule, others = [], {}, []"
        first = defaults if given else f"skip, schedule, others = {skip!r}, {schedule!r}, {others!r}"
        tagged = nbformat.v4.new_code_cell(first, metadata={"tags": ["parameters"]})
        notebook = nbformat.v4.new_notebook(cells=[tagged, nbformat.v4.new_code_cell(CODE)])
        kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
        notebook.metadata.kernelspec = kernel
        nbformat.write(notebook, "in.ipynb")
        parameters = {"skip": skip, "schedule": schedule, "others": others} if given else {}
        papermill.execute_notebook("in.ipynb", "out.ipynb", parameters=parameters, progress_bar=False)
        out = nbformat.read("out.ipynb", 4)
        found.append((result(out), out.metadata.papermill.parameters))
    (by_papermill, record), (written, _) = found
    return by_papermill, written, record


got, meant, record = run(("conv10", "conv2"), {10: 0.01}, [True, None, 0.5, "text"])
print('skip=("conv10", "conv2"), schedule={10: 0.01}')
for name, values in (("by papermill", got), ("written in the notebook", meant)):
    print(f"    {name}:", *(f"{key} {values[key]}" for key in ("kept", "length", "last")))
print("    recorded:", json.dumps({name: record[name] for name in ("skip", "schedule")}))
assert meant["kept"] == ["conv1"] and meant["length"] == 2 and meant["last"] == 0.01
assert got["kept"] == [] and got["length"] == 19 and got["last"] == 0.1
assert record["skip"] == ["conv10", "conv2"]
assert got["others"] == meant["others"] == ["True", "None", "0.5", "'text'"]

got, meant, _ = run(["conv10", "conv2"], {"10": 0.01})
print("skip as a list:", got["kept"])
assert got["kept"] == meant["kept"] == ["conv1"]
print("as described above")
PYTHON
