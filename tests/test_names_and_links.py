"""Ids are names of folders, and links among the tables lead somewhere."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bad_input import one_line
from snnbook.checks import nearest
from snnbook.cli import listing
from snnbook.errors import UserError
from snnbook.experiments.evidence.check import check
from snnbook.experiments.evidence.report import report
from snnbook.experiments.matrix import plan
from snnbook.experiments.runs.job import resolve
from snnbook.experiments.tables import settings as merging
from snnbook.experiments.tables import tables

ROW = "  - {{id: {id}, label: x, method: {{name: direct}}, {more}}}\n"
LINK = "  - {{id: {id}, label: x, {more}}}\n"


@pytest.fixture
def write(tmp_path, monkeypatch):
    monkeypatch.setenv("SNNBOOK_EXPERIMENTS", str(tmp_path))

    def write(rows, name="demo", title=None):
        text = (
            f"id: {title or name}\npaper: p\n"
            f"title: t\nsource: s\nseeds: [0]\nprofiles: {{quick: {{}}}}\nrows:\n"
        )
        (tmp_path / f"{name}.yaml").write_text(text + rows, encoding="utf-8")

    return write


IDS = [
    "../../../x",
    "a/b",
    ".",
    "..",
    "",
    "a+official",
    "a\nb",
    "a\0b",
    "a\x1bb",
    "a b",
    " a",
    "-a",
    ".a",
    "a" * 101,
]
IDS += ["a\\b", "é", "a:b", "a{b}", "a*", "~", "$HOME", "a\u202eb", "a\u2028b", "a'b", 'a"b']


def quoted(text):
    return '"' + "".join(f"\\U{ord(c):08x}" for c in text) + '"'


@pytest.mark.parametrize("name", IDS)
def test_an_id_is_a_name(write, name):
    write(ROW.format(id=quoted(name), more=""))
    one_line(lambda: tables.load("demo"), "/demo.yaml, line 8: id is ", "expected a name")
    write(ROW.format(id="a", more=""), title=quoted(name))
    one_line(lambda: tables.load("demo"), "/demo.yaml, line 1: id is ", "expected a name")
    with pytest.raises(UserError):
        resolve(f"demo/{name}")


@given(name=st.text(max_size=8))
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_an_id_is_its_folder_lies_in_its_table(write, tmp_path, name):
    write(ROW.format(id=quoted(name), more=""))
    try:
        run = resolve(f"demo/{name}", results=tmp_path / "r", work=tmp_path / "w")
    except UserError as error:
        assert len(str(error)) < 400
        return
    assert run.folder.resolve().parent.parent == (tmp_path / "w/quick/demo").resolve()
    assert run.record_path.resolve().parent.parent == (tmp_path / "r/quick/demo").resolve()


@pytest.mark.parametrize("key", ["same", "instead", "needs", "inherits", "baseline"])
@pytest.mark.parametrize(
    "link", ["../x/y", "demo", "demo/", "/a", "demo/a/b", "demo/a+official", "demo/\n", "./.."]
)
def test_a_link_is_a_name(write, key, link):
    value = {"needs": "[{}]", "instead": "{{quick: {}}}"}.get(key, "{}").format(quoted(link))
    write((LINK if key == "same" else ROW).format(id="a", more=f"{key}: {value}"))
    one_line(
        lambda: tables.load("demo"),
        f"/demo.yaml, line 8: {key}{'.quick' if key == 'instead' else ''} is ",
        "expected <table>/<row>",
    )


@pytest.mark.parametrize("links", ["aa", "ab ba", "ab bc ca", "ab bc cb"])
def test_same_in_a_circle(write, links):
    write("".join(LINK.format(id=a, more=f"same: demo/{b}") for a, b in links.split()))
    for call in (lambda: tables.find("demo/a"), lambda: report("demo"), lambda: plan.matrix("quick")):
        one_line(call, "/demo.yaml, line ", "'same' leads from demo/a round to demo/")
    assert any("'same' leads" in line for line in check(results=tables.folder() / "none").problems)


def test_a_row_may_be_anothers_in_one_profile(write, tmp_path):
    other = ROW.format(id="a", more="recipe: {epochs: 7}")
    write(other, name="other")
    write(ROW.format(id="b", more="recipe: {epochs: 3}, instead: {quick: other/a}"))
    runs = [resolve("demo/b", profile="quick", results=tmp_path / "r", work=tmp_path / "w")]
    assert (runs[0].row, runs[0].settings.recipe.epochs) == ("other/a", 7)
    assert {(t.id, row.id) for t, row in (tables.find("demo/b"), tables.find("demo/b", "lab"))} == {
        ("demo", "b")
    }
    assert {task.name for task in plan.matrix("quick")} == {"other/a"}
    assert [line.run for line in report("demo").lines] == ["other/a"]
    assert any("(in quick = other/a)" in line for line in listing.of_rows("demo", tmp_path))
    write(ROW.format(id="b", more="instead: {quick: demo/b}"))
    one_line(lambda: plan.matrix("quick", ["demo"]), "'instead' leads from demo/b round to demo/b")
    write(ROW.format(id="b", more="instead: {nightly: other/a}"))
    one_line(lambda: tables.load("demo"), "line 8", "nightly")


INSTEAD = [
    (table, row, profile)
    for table in map(tables.load, tables.names())
    for row in table.rows
    for profile in row.instead
]


@pytest.mark.parametrize(("table", "row", "profile"), INSTEAD, ids=lambda x: getattr(x, "id", x))
def test_it_is_the_same_there(table, row, profile):
    own = merging.plain(merging.merged(table, row, profile))
    there, other = tables.linked(row, row.instead[profile], profile)
    assert own == merging.plain(merging.merged(there, other, profile))


@given(links=st.dictionaries(st.sampled_from("abcd"), st.tuples(st.sampled_from(["same", "needs", "inherits"]),
       st.sampled_from(["demo/a", "demo/b", "demo/c", "demo/d", "demo/e", "dem/a"])), min_size=4))  # fmt: skip
@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_links_end_or_are_refused_with_their_place(write, tmp_path, links):
    rows = ""
    for row, (key, link) in links.items():
        value = f"[{link}]" if key == "needs" else link
        rows += (LINK if key == "same" else ROW).format(id=row, more=f"{key}: {value}")
    write(rows)
    for call in (*(lambda row=row: resolve(f"demo/{row}") for row in links), lambda: plan.matrix("quick")):
        try:
            call()
        except UserError as error:
            assert "/demo.yaml, line " in str(error) and len(str(error)) < 400


def test_broken_links_have_their_place(write):
    write(ROW.format(id="a", more="baseline: demo/x"))
    one_line(lambda: report("demo"), "/demo.yaml, line 8: no row 'x'")
    write(ROW.format(id="a", more="needs: [demo/x]"))
    one_line(lambda: resolve("demo/a"), "/demo.yaml, line 8: no row 'x'")
    one_line(lambda: plan.matrix("quick"), "/demo.yaml, line 8: no row 'x'")


def test_a_long_chain_of_needs_is_refused_and_many_paths_through_it_take_no_time(write):
    write("".join(ROW.format(id=f"r{i}", more=f"needs: [demo/r{i + 1}]") for i in range(500)))
    one_line(lambda: resolve("demo/r0"), "needs runs that need runs")
    rows = [ROW.format(id=f"r{i}", more=f"needs: [{', '.join([f'demo/r{i + 1}'] * 9)}]") for i in range(12)]
    write("".join(rows) + ROW.format(id="r12", more=""))
    assert len(resolve("demo/r0").needs) == 9


def test_a_mistyped_id_names_a_few(write):
    write("".join(ROW.format(id=f"row-{i}", more="") for i in range(400)))
    with pytest.raises(UserError) as caught:
        tables.find("demo/rov-7")
    assert "did you mean 'row-7'" in str(caught.value)
    assert "and 396 more, see 'snnbook list'" in str(caught.value)
    assert len(str(caught.value)) < 400


@given(name=st.text(max_size=600), known=st.lists(st.text(max_size=300), max_size=50))
@settings(deadline=None, max_examples=50)
def test_nearest_is_short(name, known):
    assert len(str(UserError(f"no experiment: {nearest(name, known)}"))) < 400
    assert len(nearest(name, known)) < 700


def test_a_pipe_or_a_folder_is_no_table(write, tmp_path):
    import os

    os.mkfifo(tmp_path / "pipe.yaml")
    (tmp_path / "folder.yaml").mkdir()
    (tmp_path / "gone.yaml").symlink_to("nowhere")
    (tmp_path / ".#open.yaml").symlink_to("nowhere")  # what an editor leaves
    write(ROW.format(id="a", more=""))
    assert tables.names() == ["demo", "folder", "gone", "pipe"]
    for name in ("pipe", "folder", "gone"):
        one_line(lambda name=name: tables.load(name), f"{name}.yaml")
