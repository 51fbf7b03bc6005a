"""The matrix is planned from records alone: what is left, in which order, on which cards, for how long."""

import os
import time

import pytest

from matrix_cases import TABLE, gpus, lay_out, main, matrix, names, stand_in
from snnbook.cli import arguments
from snnbook.errors import UserError
from snnbook.experiments.matrix import cards
from snnbook.experiments.matrix.prepare import Matrix, prepare
from snnbook.experiments.runs import record


@pytest.fixture
def here(put_tables, monkeypatch):
    return lay_out(put_tables, monkeypatch)


def test_a_plan_has_each_run_after_what_it_needs_and_seeds_share_a_process(here):
    assert names(matrix(here)) == [
        ("demo/teacher", (0, 1), (), False),
        ("demo/pupil", (0, 1), ("demo/teacher",), False),
        ("demo/snn", (0, 1), (), False),
    ]
    assert names(matrix(here, "lab", seeds=[3])) == [
        ("demo/teacher", (3,), (), False),
        ("demo/pupil", (3,), ("demo/teacher/seed3",), False),
        ("demo/snn", (3,), (), False),
    ]


def test_evidence_comes_seed_by_seed(here):
    """Whatever is reached, all rows have it."""
    steps = matrix(here, "lab").steps
    assert [step.seeds for step in steps] == [(0,)] * 3 + [(1,)] * 3
    assert [step.row for step in steps[:3]] == [step.row for step in steps[3:]]


def test_a_row_with_more_seeds_than_its_table_is_planned_with_them(here, put_tables):
    put_tables(demo=TABLE.replace("{id: snn, ", "{id: snn, seeds: {lab: [0, 1, 2]}, "))
    steps = matrix(here, "lab", seeds=()).steps
    assert [step.seeds for step in steps if step.row == "demo/snn"] == [(0,), (1,), (2,)]
    assert [step.seeds for step in steps if step.row == "demo/pupil"] == [(0,), (1,)]
    assert [step.seeds for step in matrix(here, seeds=()).steps if step.row == "demo/snn"] == [(0,)]
    main(here / "results", here / "runs", "lab", 0, "demo/snn", 2)
    assert [made.seed for made in record.of("demo/snn", "lab", here / "results")] == [2]  # it counts


def test_a_row_that_stands_before_its_teacher_goes_after_it(here):
    """Seed 1 of the teacher is missing, so the pupil's step is there first: sorted anew."""
    main(here / "results", here / "runs", "quick", 0, "demo/teacher", 0)
    steps = matrix(here).steps
    (teacher,) = [step for step in steps if step.row == "demo/teacher"]
    (pupil,) = [step for step in steps if step.row == "demo/pupil"]
    assert (teacher.seeds, pupil.seeds, pupil.after) == ((1,), (0, 1), (teacher.name,))
    assert steps.index(teacher) < steps.index(pupil)


def test_a_plan_holds_exactly_what_has_no_record_and_the_weights_it_needs(here):
    for run in ("demo/teacher", "demo/pupil", "demo/snn"):
        main(here / "results", here / "runs", "quick", 0, run, 0, 1)
    assert names(matrix(here)) == []
    (here / "results/quick/demo/snn/seed1.json").unlink()
    assert names(matrix(here)) == [("demo/snn", (1,), (), False)]
    (here / "results/quick/demo/pupil/seed1.json").unlink()
    assert names(matrix(here)) == [("demo/pupil", (1,), (), False), ("demo/snn", (1,), (), False)]
    (here / "runs/quick/demo/teacher/seed1/model.safetensors").unlink()  # git keeps no weights
    assert names(matrix(here))[:2] == [
        ("demo/teacher", (1,), (), True),
        ("demo/pupil", (1,), ("demo/teacher",), False),
    ]
    assert "again for the weights, which git does not keep: demo/teacher" in matrix(here).text()


def test_a_plan_says_what_it_takes_from_recorded_costs(here):
    assert "time: unknown; 6 runs not counted" in matrix(here).text()
    record.write(stand_in("demo/snn", 0, seconds=3000.0), here / "results/quick/demo/snn/seed0.json")
    text = matrix(here).text()
    assert "6 runs in the quick profile, 1 done, 5 to do" in text
    # 5 runs of 3000 s and a fifth for their tests, on 2 cores; 4 of them are judged by the fifth.
    assert "time: about 2.5 h, 2 at a time, judged by records made on abacus" in text
    assert "4 runs counted as the profile's median" in text
    assert "disk: about 20 MB" in text
    assert "missing: no data" in text
    assert "GPU time" not in text
    text = matrix(here, "lab", data=here).text()
    assert f"missing: cifar10, 170 MB, in {here}; to download it: snnbook run demo/" in text
    assert "--set data.download=true" in text
    assert "GPU time: unknown" in text
    assert "no GPU here: everything runs on the CPU" in text


def test_steps_of_lab_take_a_card_each_and_share_the_cores(here):
    gpus(here, 2)
    lab, quick = matrix(here, "lab", cores=8), matrix(here, "quick", cores=8)
    assert (lab.gpus, lab.slots, lab.threads) == (1, 2, 4)
    assert (quick.gpus, quick.slots, quick.threads) == (0, 8, 1)
    assert "--own-card" in Matrix.command(lab, lab.steps[0])
    assert "--own-card" not in Matrix.command(quick, quick.steps[0])
    assert "--bare" not in Matrix.command(lab, lab.steps[0])


def test_two_runs_never_share_a_card(here, monkeypatch):
    gpus(here, 2)
    with cards.own_card():
        first = os.environ["CUDA_VISIBLE_DEVICES"]
        monkeypatch.delenv("CUDA_VISIBLE_DEVICES")  # another process would see both
        with cards.own_card():
            assert {first, os.environ["CUDA_VISIBLE_DEVICES"]} == {"GPU-00-aa", "GPU-11-aa"}
            monkeypatch.delenv("CUDA_VISIBLE_DEVICES")

            def come_back(_):
                raise TimeoutError

            monkeypatch.setattr(time, "sleep", come_back)
            with pytest.raises(TimeoutError), cards.own_card():
                pytest.fail("a third run found a card")
            monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-11-aa")
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "1")
        assert cards.cards() == ["GPU-11-aa"]
        with cards.own_card():
            assert os.environ["CUDA_VISIBLE_DEVICES"] == "GPU-11-aa"
        assert os.environ["CUDA_VISIBLE_DEVICES"] == "1"
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5")
        with pytest.raises(UserError, match="nvidia-smi lists 2"):
            cards.cards()


def test_a_typo_in_a_table_is_found_before_anything_starts(here):
    (here / "tables/demo.yaml").write_text(TABLE.replace("train: ann", "trian: ann"))
    with pytest.raises(UserError, match=r"demo\.yaml, line 15: unknown key 'trian'"):
        prepare("quick", results=here / "results", work=here / "runs")


def test_a_record_of_other_settings_is_not_taken_for_done(here):
    main(here / "results", here / "runs", "quick", 0, "demo/snn", 0)
    (here / "tables/demo.yaml").write_text(TABLE.replace("epochs: 1", "epochs: 2"))
    with pytest.raises(UserError, match=r"seed0.json was made with other settings .*delete it to run again"):
        matrix(here)


def test_the_profiles_of_clusters_name_their_executor():
    import yaml

    from snnbook import files
    from snnbook.experiments.matrix.prepare import EXECUTORS

    assert arguments.EXECUTORS == EXECUTORS
    for name in EXECUTORS:
        profile = yaml.safe_load((files.root() / f"workflow/profiles/{name}/config.yaml").read_text())
        assert profile["executor"] == name
