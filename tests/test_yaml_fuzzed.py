"""What a coverage-guided fuzzer found in the YAML reader: texts that took it seconds, and kin of theirs."""

import time

import pytest

from bad_input import one_line
from snnbook.experiments.tables import config

SLOW = {
    "flow lists that may all be keys": "[" * 1000 + "7" * 400,
    "flow lists, closed": "[" * 1020 + "]" * 1020,
    "flow mappings": "{" * 1000 + "'" * 30,
    "lists behind an anchor": "&a " + "[" * 900 + "*a",
    "lists in a key": "? " + "[" * 900,
    "lists and texts": "['" * 500,
    "dashes": "- " * 2000,
    "a list that does not end": "[" + "1," * 400_000,
    "keys without end": "\n".join(f"k{i}: 1" for i in range(80_000)),
}


@pytest.mark.parametrize("text", SLOW.values(), ids=SLOW)
def test_no_text_takes_long(text):
    start = time.process_time()
    one_line(lambda: config.parse(text, "here", lines=True), "here")
    assert time.process_time() - start < 10  # some took minutes, under a debugger's eye


def test_depth_is_counted_in_time():
    start = time.process_time()
    for text in (SLOW["flow lists that may all be keys"], SLOW["flow mappings"], SLOW["dashes"]):
        one_line(lambda text=text: config.parse(text, "here"), "40 levels")
    assert time.process_time() - start < 1


def test_as_deep_as_is_allowed():
    deep = "[" * config.DEEPEST + "1" + "]" * config.DEEPEST
    assert config.parse(deep, "here").plain()
    one_line(lambda: config.parse(f"[{deep}]", "here"), "levels")
