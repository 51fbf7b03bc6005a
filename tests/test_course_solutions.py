"""Exercises: each has all its parts, and its check knows a right, a wrong and a silly answer apart."""

import ast
import re
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import nbformat
import pytest
import torch
from torch import nn

import snnbook
from snnbook.course.checking import table_of
from snnbook.errors import UserError
from snnbook.experiments.evidence import claims
from snnbook.surrogates import Rectangle, Surrogate

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "book")]

import build  # noqa: E402
import execute  # noqa: E402
import exercises  # noqa: E402

CHAPTERS = build.chapters()
ALL = {e.number: (path, e) for path in CHAPTERS for e in exercises.of(path)}


@cache
def definitions(path):
    """What a chapter imports and defines, without what it computes."""
    cells = nbformat.read(path, as_version=4).cells
    tags = {exercises.STARTER, "remove-cell"}
    source = [c.source for c in cells if c.cell_type == "code" and not tags & set(c.metadata.get("tags", ()))]
    kept = []
    for node in (node for text in source for node in ast.parse(text).body):
        if isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef):
            kept.append(compile(ast.Module([node], []), path.name, "exec"))
    return kept


def world(path):
    """The names that an exercise of the chapter may use."""
    names = {}
    for code in definitions(path):
        try:
            exec(code, names)
        except NameError:  # it stands on something that the chapter computes
            continue
    return names


def asked(exercise, names):
    """What the starter's last line says."""
    return eval(exercise.question, names)


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_has_exercises_and_each_one_a_check(path):
    found = exercises.of(path)
    assert 2 <= len(found) <= 4
    assert [e.number for e in found] == list(table_of(int(path.name[:2])))
    for e in found:
        assert e.title and e.text and e.code and 5 <= e.minutes <= 180
        assert f'snnbook.check("{e.number}", ' in e.question
        assert "~~~" not in e.solution


@pytest.mark.parametrize("number", ALL)
def test_the_solution_gives_the_right_answer_and_the_starter_none(number):
    path, exercise = ALL[number]
    names = world(path)
    torch.manual_seed(0)
    exec(exercise.begun, names)
    begun = asked(exercise, names)
    assert not begun and "\n" not in repr(begun)
    exec(exercise.code[0], names)
    assert asked(exercise, names), asked(exercise, names)


def spoiled(answer):
    """An answer of the same kind that is wrong."""
    if isinstance(answer, claims.Claim):
        return replace(answer, test="", waits="for better days")
    if isinstance(answer, Surrogate):
        return Rectangle()
    if isinstance(answer, nn.Module):
        for module in answer.modules():
            if hasattr(module, "bn2"):
                nn.init.constant_(module.bn2.bias, -5.0)
        return answer
    if callable(answer):
        return lambda *arguments: spoiled(answer(*arguments))
    if isinstance(answer, dict):
        return {key: spoiled(value) for key, value in answer.items()}
    if isinstance(answer, list | tuple):
        return type(answer)(map(spoiled, answer))
    if isinstance(answer, str):
        return f"{answer} or so"
    return not answer if isinstance(answer, bool) else answer * 1.3 + 0.17


@pytest.mark.parametrize("number", ALL)
def test_a_wrong_answer_is_told_apart_and_the_right_one_stays_unsaid(number):
    path, exercise = ALL[number]
    names = world(path)
    exec(exercise.begun, names)
    exec(exercise.code[0], names)
    right = eval(exercise.question.partition(", ")[2].rpartition(")")[0], names)
    said = snnbook.check(number, spoiled(right))
    assert not said and "\n" not in repr(said)
    for value in right if isinstance(right, tuple) else [right]:
        if isinstance(value, float) and len(digits := f"{value:.3g}") > 4:
            assert digits not in repr(said)


SILLY = [
    None,
    "0.5",
    "nonsense",
    float("nan"),
    float("inf"),
    -1e308,
    10**400,
    [],
    {},
    {"a": 1},
    set(),
    [[1, 2], [3]],
    torch.zeros(3000, 3000),
    torch.zeros(0),
    torch.tensor(["nan" == "nan"]),
    object(),
    type,
    torch.nn.Linear,
    lambda *_, **__: None,
    lambda *_, **__: 7,
    lambda *_, **__: 1 / 0,
    lambda *_, **__: torch.full((2, 2), float("nan")),
    lambda: 1,
    range(5),
    (x for x in "ab"),
    b"1",
    1j,
    True,
    (..., ..., ...),
]


@pytest.mark.parametrize("number", ALL)
def test_a_silly_answer_gets_one_line(number):
    for answer in SILLY:
        before = torch.random.get_rng_state()
        said = snnbook.check(number, answer)
        assert not said, answer
        assert 20 < len(repr(said)) < 400 and "\n" not in repr(said) and f"Exercise {number}" in repr(said)
        assert "Error" not in repr(said) or callable(answer), (answer, said)
        assert torch.equal(before, torch.random.get_rng_state())


def test_links_name_the_number_they_lead_to():
    labels = {e.label: e.number for _, e in ALL.values()}
    for path in [*CHAPTERS, *(ROOT / "book").glob("*.md")]:
        text = path.read_text(encoding="utf-8")
        for number, label in re.findall(r"\{ref\}`(?:[Ee]xercise )?(\d+\.\d+) <(ex-[\w-]+)>`", text):
            assert labels[label] == number, path.name
        for label in re.findall(r"\{(?:ref|numref)\}`(ex-[\w-]+)`", text):
            assert label in labels, path.name
        assert not re.search(r"[Ee]xercise \d+(?!\.?\d)|(first|second|third|last) exercise", text), path.name


def test_a_chapter_is_executed_with_its_solutions_which_must_be_right(tmp_path):
    def chapter(answer):
        path, cell = tmp_path / "00_x.ipynb", nbformat.v4.new_markdown_cell
        starter = 'import snnbook\n\nanswer = ...\nsnnbook.check("0.1", answer)'
        cells = [
            nbformat.v4.new_code_cell("import math"),
            cell(":::{exercise} A\n:label: a\n\n*Easy, 5 minutes.* B?\n:::"),
            nbformat.v4.new_code_cell(starter, metadata={"tags": ["starter"]}),
            cell(f":::{{solution}} a\n\n```python\nanswer = {answer}\n```\n:::"),
        ]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
        return path

    right = chapter("math.exp(-1 / 20), 20 * math.log(2), 1 - math.log(2)")
    made = nbformat.read(execute.executed(right, tmp_path / "executed"), as_version=4)
    assert len(made.cells) == 4 and "waits for your answer" in str(made.cells[2].outputs[0].data)
    with pytest.raises(UserError, match=r"solution of exercise 0\.1.*AssertionError"):
        execute.executed(chapter("1, 2, 3"), tmp_path / "executed")
