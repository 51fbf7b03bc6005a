"""Packages of the extra that are not there are told in one line, and nothing else asks for them."""

import logging
import subprocess
import sys
import warnings

import pytest
import torch

from export_cases import images, layers, network
from snnbook import LIF, UserError, analysis
from snnbook.deploy import extra, from_nir, simulators, to_nir, to_onnx

CALLS = {
    "nir": lambda: to_nir(network(layers(LIF)), images()),
    "nir ": lambda: from_nir("network.nir"),
    "onnx": lambda: to_onnx(network(layers(LIF)), images()),
    "onnxruntime": lambda: to_onnx(network(layers(LIF)), images()),
    "onnxscript": lambda: to_onnx(network(layers(LIF)), images()),
    "neurobench": lambda: analysis.by_neurobench(
        network(layers(LIF)), images(), torch.zeros(4, dtype=torch.long)
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_a_missing_package_is_one_line(name, monkeypatch):
    for other in ("onnx", "onnxruntime", "onnxscript"):
        monkeypatch.setitem(sys.modules, other, sys.modules.get(other) or type(sys)(other))
    monkeypatch.setitem(sys.modules, name.strip(), None)
    with pytest.raises(UserError, match=rf"^{name.strip()}, which .* is not installed; get it: ") as error:
        CALLS[name]()
    assert "\n" not in str(error.value)


def test_a_loud_package_is_quiet_and_what_comes_after_is_heard(capsys, caplog):
    def say():
        print("printed")
        warnings.warn("warned", stacklevel=1)
        logging.warning("logged")

    with warnings.catch_warnings(record=True) as heard:
        with extra.quiet():
            say()
        assert (heard, caplog.messages, capsys.readouterr().out) == ([], [], "")
        with pytest.raises(ValueError), extra.quiet():
            raise ValueError
        say()
    assert ([str(one.message) for one in heard], caplog.messages) == (["warned"], ["logged"])
    assert capsys.readouterr().out == "printed\n"


def test_a_package_that_fails_says_why(monkeypatch, tmp_path):
    (tmp_path / "torn_package.py").write_text("import no_such_thing")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(
        UserError, match=r"torn_package, which breaks, fails \(No module named 'no_such_thing'\)"
    ):
        extra.package("torn_package", "breaks")


def test_simulators_that_are_not_there(monkeypatch):
    monkeypatch.setattr(simulators, "installed", lambda name: False)
    with pytest.raises(UserError, match="make simulators"):
        simulators.run(None, "norse", images())
    with pytest.raises(UserError, match="target is"):
        simulators.run(None, "brian", images())


def test_importing_the_room_imports_none_of_them():
    code = (
        "import sys, snnbook.deploy, snnbook.analysis\n"
        "print({'nir', 'onnx', 'onnxruntime', 'onnxscript', 'neurobench', 'snntorch'} & set(sys.modules))"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "set()"
