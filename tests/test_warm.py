"""A warm process runs programs as their own command would, each in a copy that ends alone."""

import os
import signal
import subprocess
import sys
import time

import pytest

from snnbook import warm

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="copies by fork")

# Asks for what it is given, as `python -m snnbook` does, and says so where it has to do it itself.
ASK = "import sys; from snnbook import warm; code = warm.hand_over(sys.argv[1:])\n"
ASK += "sys.exit('cold' if code is None else code)"


@pytest.fixture
def place(tmp_path):
    """A folder whose name is longer than that of a socket may be."""
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    return folder


def ask(environment, *arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-c", ASK, *map(str, arguments)],
        env=os.environ | environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


def answer(environment, *arguments, **options):
    process = ask(environment, *arguments, **options)
    out, err = process.communicate("given\n", timeout=60)
    return process.returncode, out, err


def program(folder, text):
    path = folder / "program.py"
    path.write_text(text)
    return path


def wait_for(condition):
    deadline = time.monotonic() + 30
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    assert condition()


def alive(number):
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return False
    return True


def test_streams_folder_environment_and_arguments_are_those_of_who_asks(place):
    text = (
        "import os, sys, wave; print(sys.argv[1:], os.getcwd(), os.environ['MINE'], input(), sys.path[0])\n"
    )
    text += "print('wave' in os.environ['BEFORE'].split(), 'TMP' in os.environ, file=sys.stderr)"
    path = program(place, text)
    with warm.started(place, ["wave"]) as environment:
        mine = {**environment, "MINE": "m", "BEFORE": "wave"}
        code, out, err = answer(mine, path, "a b", "--c", cwd=place.parent)
    assert (code, err) == (0, "True False\n")
    assert out == f"{['a b', '--c']} {place.parent} m given {place}\n"


def test_modules_are_there_and_what_one_program_changes_no_other_sees(place):
    text = "import os, sys\n"
    text += "print('wave' in sys.modules, hasattr(sys, 'mark'), 'MARK' in os.environ, os.getppid())\n"
    text += "sys.mark = os.environ['MARK'] = 'x'"
    path = program(place, text)
    with warm.started(place, ["wave"]) as environment:
        first, second = answer(environment, path), answer(environment, path)
    assert first == second
    assert first[1].startswith("True False False")


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("pass", 0, ""),
        ("import sys; sys.exit(3)", 3, ""),
        ("import sys; sys.exit(None)", 0, ""),
        ("import sys; sys.exit('in a line')", 1, "in a line\n"),
        ("1 / 0", 1, "ZeroDivisionError"),
        ("import os; os._exit(0)", warm.KILLED, ""),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", warm.KILLED, ""),
        ("import atexit; atexit.register(print, 'tidied'); print(end='unflushed ')", 0, ""),
    ],
)
def test_exit_codes(place, text, code, says):
    with warm.started(place, []) as environment:
        found, out, err = answer(environment, program(place, text))
    assert found == code
    assert says in err
    assert out == ("unflushed tidied\n" if "atexit" in text else "")


def test_modules_run_as_programs(place):
    (place / "mine.py").write_text("import sys; print(__name__, sys.argv[1:])")
    with warm.started(place, []) as environment:
        assert answer(environment, "-m", "mine", "x", cwd=place) == (0, "__main__ ['x']\n", "")


SLOW = """\
import os, signal, time, sys
def stop(number, frame):
    print("asked", number, flush=True); sys.exit(9)
if "deaf" not in sys.argv: signal.signal(signal.SIGTERM, stop)
print(os.getpid(), flush=True)
time.sleep(60)
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_who_asks_is_asked_to_end_and_waits_until_the_program_has(place, number):
    with warm.started(place, []) as environment:
        process = ask(environment, program(place, SLOW))
        running = int(process.stdout.readline())
        process.send_signal(number)
        out, _ = process.communicate(timeout=30)
        assert (process.returncode, out) == (9, f"asked {int(signal.SIGTERM)}\n")
        wait_for(lambda: not alive(running))


def test_who_asks_is_killed_and_the_program_ends_too(place):
    with warm.started(place, []) as environment:
        process = ask(environment, program(place, SLOW))
        running = int(process.stdout.readline())
        process.kill()
        assert process.stdout.read() == f"asked {int(signal.SIGTERM)}\n"
        wait_for(lambda: not alive(running))
        process.wait()


def test_a_killed_program_takes_no_other_with_it(place):
    path = program(place, SLOW)
    with warm.started(place, []) as environment:
        first, second = ask(environment, path, "deaf"), ask(environment, path)
        running = int(first.stdout.readline())
        other = int(second.stdout.readline())
        os.kill(running, signal.SIGKILL)
        assert first.wait(30) == warm.KILLED
        assert alive(other)
        path.write_text("print('next')")
        assert answer(environment, path)[1] == "next\n"
        second.send_signal(signal.SIGTERM)
        assert second.wait(30) == 9


def test_a_program_outlives_the_warm_process_and_later_ones_do_their_work_themselves(place):
    with warm.started(place, []) as environment:
        process = ask(environment, program(place, SLOW))
        process.stdout.readline()
    assert answer(environment, "nothing") == (1, "", "cold\n")
    process.send_signal(signal.SIGTERM)
    assert process.wait(30) == 9


def test_without_one_or_with_one_that_cannot_begin_the_caller_goes_on(place, monkeypatch):
    assert answer({}, "nothing") == (1, "", "cold\n")
    with warm.started(place, ["no_such_module"]) as environment:
        assert answer(environment, program(place, "print('ran')"))[0] in (1, warm.KILLED)
        wait_for(lambda: answer(environment, "nothing")[2] == "cold\n")
    with warm.started(place / "nowhere", []) as environment:
        assert environment == {}
    monkeypatch.setattr(sys, "platform", "darwin")
    with warm.started(place, []) as environment:
        assert environment == {}


def test_it_ends_with_the_one_that_started_it(place):
    code = "import sys, time; from pathlib import Path; from snnbook import warm\n"
    code += "with warm.started(Path(sys.argv[1]), []): print('up', flush=True); time.sleep(60)"
    starter = subprocess.Popen([sys.executable, "-c", code, place], stdout=subprocess.PIPE, text=True)
    starter.stdout.readline()
    path = program(place, "import os; print(os.getppid())")
    server = int(answer({warm.VARIABLE: str(place)}, path)[1])
    starter.kill()
    starter.wait()
    wait_for(lambda: not alive(server))


def test_nobody_else_may_ask(place):
    with warm.started(place, []):
        assert (place / warm.NAME).stat().st_mode & 0o077 == 0
