"""The command line as a reader meets it: tables first, within the terminal, defaults said, estimates called so."""

import csv
import dataclasses
import io
import json
import re
import signal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from claim_cases import made
from cli_cases import call
from snnbook import files
from snnbook.cli import arguments as words
from snnbook.cli import listing
from snnbook.errors import UserError
from snnbook.experiments.evidence import paired
from snnbook.experiments.matrix import plan
from snnbook.experiments.runs import notebook, record
from snnbook.experiments.runs.job import resolve
from snnbook.experiments.tables import tables

TABLE = """\
id: {id}
paper: somebody
title: A table with a title of many words, more than a narrow terminal shows in one line
source: "Somebody 2020, Table 1"
seeds: [0, 1]
base:
  data: {{name: digits, size: 8, train_per_class: 2, test_limit: 20}}
  network: {{name: convnet, width: 4, time_steps: 1}}
  recipe: {{epochs: 3, batch_size: 10}}
profiles: {{quick: {{}}, desk: {{}}, lab: {{}}}}
rows:
  - {{id: snn, label: SNN alone, method: {{name: direct}}, paper: {{snn: 92.39}}}}
  - {{id: ann, label: ANN alone, method: {{name: direct, train: ann}}}}
  - {{id: later, label: Cannot be run, method: {{name: direct}}, waits: data that are somewhere else}}
"""
COMMANDS = ("", "list", "run", "reproduce", "report", "claims", "receipt", "check", "bench", "doctor")


@pytest.fixture
def here(put_tables, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(record, "folder", lambda: tmp_path / "results")
    monkeypatch.setattr(files, "results", lambda: tmp_path / "results")
    return put_tables(demo=TABLE.format(id="demo"), other=TABLE.format(id="other"))


def put(folder, run, seed, accuracy, profile):
    """A record as the table asks for it in this profile."""
    asked = resolve(run, seed, profile, results=folder)
    config = json.loads(json.dumps(asked.settings.as_dict()))
    one = dataclasses.replace(made(run, seed, accuracy), profile=profile, asked=asked.asked, config=config)
    record.write(one, asked.record_path)


# Help and lists


@pytest.mark.parametrize("command", COMMANDS)
def test_help_reads_well_in_eighty_columns(command, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    code, out, _ = call(capsys, *filter(None, [command]), "--help")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80


def test_every_command_of_the_parser_is_asked_for_its_help():
    (commands,) = [a for a in words.parser()._actions if a.dest == "==SUPPRESS==" and a.choices]
    assert set(commands.choices) == set(COMMANDS[1:])


def test_tables_come_first_a_line_each(here, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "70")
    put(here / "results", "demo/snn", 0, 90.0, "quick")
    put(here / "results", "demo/snn", 1, 90.0, "lab")
    _, out, err = call(capsys, "list")
    head, demo, other, empty, more = out.splitlines()
    assert head.split() == ["table", "rows", "quick", "desk", "lab", "paper", "title"]
    assert demo.split()[:6] == ["demo", "3", "1/2", "0/4", "1/4", "-"]
    assert other.split()[:6] == ["other", "3", "0/2", "0/4", "0/4", "-"]
    assert (empty, err) == ("", "") and "snnbook list TABLE" in more


@given(columns=st.integers(40, 200))
@settings(deadline=None, max_examples=25)
def test_lists_stay_within_the_terminal(columns):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", str(columns))
        lines = [*listing.of_tables(None), *listing.of_rows("sastc-table7", None)]
        words_alone = [line for line in lines if len(line.split()) == 1]  # an id is not broken
        assert all(len(line) <= columns for line in lines if line not in words_alone)


def test_where_no_terminal_is_nothing_is_cut(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    monkeypatch.setattr("os.get_terminal_size", lambda *_: (_ for _ in ()).throw(OSError()))
    (line,) = [line for line in listing.of_tables(None) if line.startswith("one-protocol ")]
    assert line.endswith(tables.load("one-protocol").title)


def test_seeds_of_ones_own_are_told_by_the_name_of_a_row_that_is_the_same_too(here, put_tables):
    text = (here / "tables/demo.yaml").read_text()
    head = text.replace("id: demo", "id: twin").partition("rows:")[0]
    put_tables(twin=head + "rows:\n  - {id: mine, label: Mine, same: demo/snn}\n")
    put(here / "results", "demo/snn", 77, 90.0, "quick")
    for name in ("demo", "twin", None):
        assert "demo/snn (quick): 77" in " ".join(listing.others(name, here / "results").split())


def test_rows_of_a_table_are_listed_on_request(here, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    _, out, _ = call(capsys, "list", "demo")
    later = ["  demo/later  quick waits, desk waits, lab waits", "    Cannot be run"]
    assert "\n".join([*later, "    waits: data that are somewhere else\n"]) in out
    assert "(Somebody 2020, Table 1)" in " ".join(out.split())


# Running a table


@pytest.fixture
def ran(monkeypatch):
    """Instead of training, what would be trained."""
    seen = []

    def execute(asked, **_):
        if asked.id == "demo/ann":
            raise UserError("no")
        seen.append((asked.id, asked.seed))
        put(asked.results, asked.id, asked.seed, 90.0, asked.profile)
        return asked.folder / "run.ipynb"

    monkeypatch.setattr(notebook, "execute", execute)
    return seen


def test_a_table_stands_for_its_rows(here, capsys, ran):
    code, out, err = call(capsys, "run", "other", "--results", "r", "--work", "w")
    assert (code, ran) == (0, [("other/snn", 0), ("other/ann", 0)])
    assert "other: 1 row waits: data that are somewhere else" in err
    assert "[1/2] other/snn, seed 0" in out and "[2/2] other/ann, seed 0" in out
    code, out, _ = call(
        capsys, "run", "other", "other/ann", "--seed", "0", "1", "--results", "r", "--work", "w"
    )
    assert code == 0 and ran[2:] == [("other/snn", 1), ("other/ann", 1)]
    assert out.count("It stands since") == 2


def test_one_row_that_fails_does_not_stop_its_table(here, capsys, ran):
    code, _, err = call(capsys, "run", "demo", "--seed", "3", "4", "--results", "r", "--work", "w")
    assert (code, ran) == (1, [("demo/snn", 3), ("demo/snn", 4)])
    assert "snnbook: demo/ann, seed 3: no" in err and "snnbook: demo/ann, seed 4: no" in err


def test_a_table_is_run_with_the_settings_asked_for_whatever_stands_of_others(here, capsys, ran, monkeypatch):
    assert call(capsys, "run", "other", "--results", "r", "--work", "w")[0] == 0
    path = here / "tables/other.yaml"
    path.write_text(path.read_text().replace("epochs: 3", "epochs: 4"))

    def refuse(asked, **_):
        raise UserError(f"asked for {asked.id}")

    monkeypatch.setattr(notebook, "execute", refuse)
    _, _, err = call(capsys, "run", "other", "--set", "recipe.epochs=2", "--results", "r", "--work", "w")
    assert "other settings" not in err
    assert all(f"asked for other/{row}+" in err for row in ("snn", "ann"))


def test_who_names_other_data_need_not_wait_for_a_rows_own(here):
    path = here / "tables/demo.yaml"
    path.write_text(path.read_text().replace("somewhere else}", "somewhere else, until: images}"))
    own = plan.asked("quick", ["demo"], [0], here)
    others = plan.asked("quick", ["demo"], [0], here, ["data.name=digits"])
    assert own["demo/later", 0] == "data that are somewhere else" and others["demo/later", 0] is None


def test_quiet_says_nothing_of_a_table_either(here, capsys, ran):
    assert call(capsys, "run", "other", "--quiet", "--results", "r", "--work", "w") == (0, "", "")
    assert call(capsys, "run", "other", "--quiet", "--results", "r", "--work", "w") == (0, "", "")


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (["run", "demu"], "no experiment 'demu'"),
        (["run", "demo", "--profile", "paper"], "no row of demo can be run in the paper profile: "),
        (["run", "demo/", "--bare"], "no experiment 'demo/'"),
        (["list", "demo/snn"], "no table 'demo/snn'"),
    ],
)
def test_what_is_no_table_is_told_in_a_line(here, capsys, asked, told):
    code, out, err = call(capsys, *asked)
    assert (code, out, err.count("\n")) == (2, "", 1) and told in err


# Where things lie, and what numbers are


@pytest.mark.parametrize("command", [["list"], ["report", "demo"], ["report", "demo", "--format", "csv"]])
def test_elsewhere_the_default_is_said(here, capsys, monkeypatch, command):
    (here / "results").mkdir()
    _, out, err = call(capsys, *command)
    assert err == ""
    (here / "elsewhere").mkdir()
    monkeypatch.chdir(here / "elsewhere")
    _, elsewhere, err = call(capsys, *command)
    said = f"records read from {here / 'results'}; --results names another folder\n"
    assert (elsewhere, err) == ((out, said) if "csv" in command else (out + said, ""))
    assert call(capsys, *command, "--results", str(here / "results"))[2] == ""


def test_claims_name_profile_and_data(tmp_path, capsys):
    _, out, _ = call(capsys, "claims", "--results", str(tmp_path))
    assert out.startswith(
        "Judged by records of the desk profile, of which none says anything of these claims yet.\n"
    )
    _, out, _ = call(capsys, "claims", "--profile", "paper", "--results", str(tmp_path))
    assert out.startswith("Judged by records of the paper profile")
    _, out, _ = call(capsys, "claims")
    data = {one.data["name"] for one in record.below("desk")}
    assert any(f"{name}" in out.splitlines()[0] for name in data)


def test_a_spreadsheet_has_intervals_seeds_profile_and_data(here, capsys):
    for seed, accuracy in enumerate((91.0, 94.0)):
        put(here / "results", "demo/snn", seed, accuracy, "lab")
    _, out, _ = call(capsys, "report", "--format", "csv", "--profile", "lab")
    sheet = list(csv.DictReader(io.StringIO(out)))
    assert len(sheet) == 6 and out.count("ours_low") == 1  # one head for all tables
    line = sheet[0]
    assert [line[name] for name in ("profile", "data", "n", "seeds")] == ["lab", "digits", "2", "0 1"]
    half = paired.student(1) * 4.5**0.5 / 2**0.5
    assert float(line["ours_low"]) == pytest.approx(92.5 - half)
    assert float(line["ours_high"]) == pytest.approx(92.5 + half)
    assert sheet[1]["seeds"] == sheet[1]["ours_low"] == "" and sheet[1]["n"] == "0"


def test_hours_are_an_estimate_and_said_to_be_one(here, capsys, monkeypatch):
    monkeypatch.setattr("snnbook.experiments.matrix.cards.cards", list)
    _, out, _ = call(capsys, "reproduce", "demo", "--dry-run", "--profile", "lab")
    assert "time: unknown" in out
    put(here / "results", "demo/snn", 0, 90.0, "quick")
    _, out, _ = call(
        capsys, "reproduce", "demo", "--dry-run", "--profile", "lab", "--results", str(here / "results")
    )
    assert re.search(r"time: about [\d.]+ (min|h), .*4 runs by an estimate", out)
    _, out, _ = call(capsys, "reproduce", "demo", "--dry-run", "--results", str(here / "results"))
    assert re.search(r"^lab: 4 runs, by an estimate about", out, re.MULTILINE)
    assert "paper: nothing to run" in out


# What is there and not shown, and what is asked for wrongly


def test_records_of_other_seeds_are_named(here, capsys):
    put(here / "results", "demo/snn", 0, 80.0, "desk")
    assert "not counted" not in call(capsys, "report", "demo", "--profile", "desk")[1]
    put(here / "results", "demo/snn", 7, 81.0, "desk")
    put(here / "results", "demo/snn", 1, 81.0, "quick")  # a rehearsal's one seed is 0
    for arguments in (("report", "demo"), ("list", "demo"), ("list",)):
        said = " ".join(call(capsys, *arguments)[1].split())
        assert "none of the row's: demo/snn (quick): 1; demo/snn (desk): 7" in said
    assert "not counted" not in call(capsys, "list", "other")[1]
    code, printed, complained = call(capsys, "report", "demo", "--format", "csv")
    assert code == 0 and "not counted" not in printed and "not counted" in complained


def test_records_of_other_settings_than_today_are_named(here, capsys):
    put(here / "results", "demo/snn", 0, 80.0, "desk")
    asking = (("report", "demo"), ("list", "demo"), ("list",), ("claims",))
    assert not any("other settings" in call(capsys, *arguments)[1] for arguments in asking)
    table = tables.folder() / "demo.yaml"
    table.write_text(table.read_text().replace("width: 4", "width: 8"))
    for arguments in asking:
        said = " ".join(call(capsys, *arguments)[1].split())
        assert "other settings than their rows have now, see snnbook check: demo/snn (desk): 0" in said
    assert "other settings" not in call(capsys, "list", "other")[1]
    assert "demo/snn" in call(capsys, "check")[1]


@pytest.mark.parametrize("command", ["list", "report", "claims", "reproduce", "check"])
def test_a_folder_without_tables_is_told(here, capsys, monkeypatch, command):
    monkeypatch.setenv("SNNBOOK_EXPERIMENTS", str(here / "nowhere"))
    code, _, complained = call(capsys, command)
    assert code == 2 and f"no tables in {here / 'nowhere'}" in complained


@pytest.mark.parametrize(("command", "goes_on"), [("reproduce", True), ("report", False)])
def test_what_keeps_nothing_does_not_promise_to_go_on(here, capsys, monkeypatch, command, goes_on):
    monkeypatch.setattr(tables, "names", lambda: signal.raise_signal(signal.SIGINT))
    code, _, complained = call(capsys, command)
    assert code == 130 and "interrupted" in complained and ("goes on" in complained) == goes_on


def test_a_seed_that_nothing_takes_is_told_before_anything_is_written(here, capsys):
    code, _, complained = call(capsys, "run", "demo/snn", "--seed", str(2**32))
    assert code == 2 and "at most 4294967295" in complained and not (here / "runs").exists()


def test_a_markdown_report_says_which_table_it_is(here, capsys):
    for title in ("A table with a title", "decides nothing"):
        assert call(capsys, "report", "--format", "markdown")[1].count(title) >= 2


@pytest.mark.parametrize("command", ["report", "claims", "check"])
def test_a_folder_that_is_not_there_is_no_empty_one(here, capsys, command):
    code, printed, complained = call(capsys, command, "--results", "reults")
    assert (code, printed) == (2, "") and "--results reults is not there" in complained


def test_an_empty_path_is_none(here, capsys):
    code, _, complained = call(capsys, "run", "demo/snn", "--results", "")
    assert code == 2 and "--results: it is empty" in complained
    assert not (here / "quick").exists()


def test_a_slip_in_the_second_row_is_told_before_the_first_is_trained(here, capsys):
    code, _, complained = call(capsys, "run", "demo/snn", "demo/sn", "--bare", "--quiet")
    assert code == 2 and "'sn'" in complained and complained.count("\n") == 1
    assert not (here / "results").exists()


def test_seeds_may_be_given_apart():
    asked = words.parser().parse_args
    assert asked(["run", "a/b", "--seed", "1", "--seed", "2", "3"]).seed == [1, 2, 3]
    assert asked(["reproduce", "--seeds", "1", "--seeds", "2"]).seeds == [1, 2]


def test_tables_of_ones_own_need_no_ledgers(here, capsys):
    code, printed, complained = call(capsys, "check")
    assert (code, complained) == (0, "") and "0 claims" in printed
    assert call(capsys, "claims")[0] == 0


def test_a_setting_that_is_a_list_is_told_as_one(here, capsys):
    code, _, complained = call(capsys, "run", "demo/snn", "--bare", "--set", "recipe.augment=flip,crop")
    assert code == 2 and "expected" in complained and "[flip,crop]" in complained
