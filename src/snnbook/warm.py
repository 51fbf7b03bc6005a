"""A warm process: it has imported what takes seconds, and each program that it is handed runs in a copy of it.

The copy is made by ``fork``: programs share no state, memory only until they write to it, and one that is killed
ends alone.  Streams, folder, environment and exit code are those of the command that asks, which waits for it.
Nothing here needs torch.  Only on Linux: other systems' libraries do not survive a ``fork``.
"""

import atexit
import json
import os
import runpy
import signal
import socket
import struct
import subprocess
import sys
import threading
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path

from snnbook.threads import cores

VARIABLE = "SNNBOOK_WARM"  # the folder with the socket, for commands that may be handed over
NAME = "warm"
WAITING = 512  # commands that may come before the process is warm
LOOK = 1.0  # seconds between two looks whether the one that started it still lives
KILLED = 137  # what shells tell of a command that was killed


@contextmanager
def started(folder: Path, modules: Sequence[str]) -> Iterator[dict[str, str]]:
    """A warm process while the body runs; gives the environment in which commands find it.

    Where it cannot be had, that is empty, and commands do their work themselves.  Programs that it was handed may
    outlive it.

    Args:
        folder: where its socket will lie.
        modules: to import.
    """
    if sys.platform != "linux":
        yield {}
        return
    try:
        listener = _listener(folder)
    except OSError:  # a disk without sockets
        yield {}
        return
    with listener:
        command = [sys.executable, "-m", "snnbook.warm", str(listener.fileno()), *modules]
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=[listener.fileno()],
            env=os.environ | {"OMP_NUM_THREADS": "1"},  # a process with threads is not copied whole
            start_new_session=True,
        )
    # Its copy alone is left: when it ends, whoever asks is refused, and does not wait.
    try:
        yield {VARIABLE: str(folder)}
    finally:
        process.kill()
        process.wait()


def _listener(folder: Path) -> socket.socket:
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(0o177)  # nobody else may ask
    try:
        (folder / NAME).unlink(missing_ok=True)  # of one that was killed
        with _short(folder) as name:
            listener.bind(name)
        listener.listen(WAITING)
    except OSError:
        listener.close()
        raise
    finally:
        os.umask(before)
    return listener


@contextmanager
def _short(folder: Path) -> Iterator[str]:
    """A name of the socket in ``folder`` that is short enough, wherever it lies."""
    descriptor = os.open(folder, os.O_PATH)
    try:
        yield f"/proc/self/fd/{descriptor}/{NAME}"
    finally:
        os.close(descriptor)


def hand_over(arguments: Sequence[str]) -> int | None:
    """Have the warm process that the environment names run a program; returns its exit code.

    None if there is none that answers, so that the caller goes on itself.  A SIGTERM or SIGINT is passed on, as
    SIGTERM, and waited for; where the caller is killed the program ends likewise.

    Args:
        arguments: as Python's own: ``-m`` and a module, or the path of a file, then its arguments.
    """
    folder = os.environ.pop(VARIABLE, None)
    if not folder:
        return None
    connection = socket.socket(socket.AF_UNIX)
    try:
        with _short(Path(folder)) as name:
            connection.connect(name)
    except OSError:
        connection.close()
        return None
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: connection.shutdown(socket.SHUT_WR))
    content = {"arguments": list(arguments), "folder": os.getcwd(), "environment": dict(os.environ)}
    packed = json.dumps(content).encode()
    with connection:
        try:
            socket.send_fds(connection, [struct.pack("!Q", len(packed))], [0, 1, 2])
            connection.sendall(packed)
            answer = connection.recv(1)
        except OSError:
            answer = b""
    return answer[0] if answer else KILLED


def serve(listener: socket.socket, modules: Sequence[str]) -> None:
    """Import ``modules`` and run what comes, each in a copy, until the process that started this one is gone."""
    parent = os.getppid()
    for name in modules:
        import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for the copies but those who asked
    listener.settimeout(LOOK)
    while os.getppid() == parent:
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            continue
        with connection:
            connection.settimeout(None)
            if os.fork() == 0:
                listener.close()
                code = _run(connection)
                with suppress(OSError):  # who asked may be gone
                    connection.sendall(bytes([code]))
                os._exit(code)


def _run(connection: socket.socket) -> int:
    """Become the program that is asked for; returns its exit code, 0 to 255."""
    try:
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        arguments = _become(connection)
        threading.Thread(target=_end_with, args=(connection,), daemon=True).start()
        code = _called(arguments)
    except BaseException:
        traceback.print_exc()
        code = 1
    with suppress(Exception):
        atexit._run_exitfuncs()  # of what the program has left to tidy up
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()
    return code & 255


def _become(connection: socket.socket) -> list[str]:
    """Take over streams, folder and environment; returns the arguments."""
    head, streams, _, _ = socket.recv_fds(connection, 8, 3)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    (length,), packed = struct.unpack("!Q", head), b""
    while len(packed) < length and (more := connection.recv(length - len(packed))):
        packed += more
    content = json.loads(packed)
    os.chdir(content["folder"])
    os.environ.clear()
    os.environ.update(content["environment"])
    if "torch" in sys.modules:  # which has read the environment of before
        asked = os.environ.get("OMP_NUM_THREADS", "")
        sys.modules["torch"].set_num_threads(int(asked) if asked.isdecimal() and int(asked) else cores())
    return content["arguments"]


def _called(arguments: list[str]) -> int:
    try:
        if arguments[0] == "-m":
            sys.argv, sys.path[0] = ["-m", *arguments[2:]], os.getcwd()
            runpy.run_module(arguments[1], run_name="__main__", alter_sys=True)
        else:
            sys.argv, sys.path[0] = arguments, os.path.dirname(arguments[0])
            runpy.run_path(arguments[0], run_name="__main__")
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    return 0


def _end_with(connection: socket.socket) -> None:
    """End this process, as by SIGTERM, when the one that asked for it does, or asks for that."""
    with suppress(OSError):
        connection.recv(1)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])), sys.argv[2:])
