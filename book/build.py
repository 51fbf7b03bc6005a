"""Build the book: execute the chapters, stage them beside the pages, render everything to ``_build/html``.

``python book/build.py`` builds; ``--serve`` shows the result on localhost as well.  What has not changed is not
done again.  A failing cell, a warning of the renderer or a number without a source ends the build with code 1.
``--chapters 1 5`` builds these alone, with the pages they refer to most, in ``_build/part``, for who writes one.
"""

import argparse
import http.server
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import yaml

import execute
import mathjax
from snnbook import files
from snnbook.errors import UserError
from snnbook.experiments.runs import lock

ROOT = files.root()
BUILD = ROOT / "_build"
PART = BUILD / "part"
CHAPTERS = "[0-9][0-9]_*.ipynb"
# Beside chapters that are built alone; the others take longer than a chapter does.
SHORT_PAGES = ("book/notation", "book/glossary", "book/references")


def chapters(numbers: Sequence[int] = ()) -> list[Path]:
    """The chapter notebooks of these numbers, all by default, in order.

    Raises:
        UserError: there is no chapter of a number.
    """
    found = {int(path.name[:2]): path for path in sorted(files.notebooks().glob(CHAPTERS))}
    if missing := [str(number) for number in numbers if number not in found]:
        raise UserError(f"no chapter {', '.join(missing)}; choose from {', '.join(map(str, found))}")
    return [path for number, path in found.items() if number in numbers or not numbers]


def staged(out: Path) -> Path:
    """Where that lies which is rendered into the folder ``out``."""
    return out / "_build" / "stage"


def rendered(out: Path) -> Path:
    """Where the pages lie."""
    return out / "_build" / "html"


def stage(out: Path, chosen: Sequence[Path], math: Path | None) -> None:
    """Put all that is rendered into its place, touching only files that differ.

    Args:
        out: the project's folder for the whole book, else ``PART``.
        chosen: chapters.
        math: folder of MathJax's files, or None to have pages load it from its CDN.
    """
    wanted = _tree(ROOT / "book", "book")
    config = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))
    if math:
        wanted |= _tree(math, "book/_static/mathjax")
        config["sphinx"]["config"]["mathjax_path"] = "mathjax/" + mathjax.SCRIPT
    wanted["_config.yml"] = yaml.safe_dump(config).encode()
    toc = (ROOT / "book" / "_toc.yml").read_text(encoding="utf-8")
    wanted["book/_toc.yml"] = (_existing_parts(toc) if out == ROOT else _only(toc, chosen)).encode()
    for path in execute.all_executed(chosen, BUILD / "executed"):
        wanted[f"notebooks/{path.name}"] = path.read_bytes()
    place = staged(out)
    gone = [p for p in place.rglob("*") if p.is_file() and p.relative_to(place).as_posix() not in wanted]
    for path in gone:
        path.unlink()
    if gone:  # or the pages made from them would stay
        shutil.rmtree(rendered(out), ignore_errors=True)
    for name, content in wanted.items():
        path = place / name
        if not path.is_file() or path.read_bytes() != content:
            files.write_bytes(path, content)


def _tree(folder: Path, prefix: str) -> dict[str, bytes]:
    paths = (p for p in folder.rglob("*") if p.is_file() and "__pycache__" not in p.parts)
    return {f"{prefix}/{p.relative_to(folder).as_posix()}": p.read_bytes() for p in paths}


def _existing_parts(toc: str) -> str:
    """The table of contents without the parts whose pattern matches no chapter yet."""
    content = yaml.safe_load(toc)

    def there(entry: dict) -> bool:
        return "glob" not in entry or any(ROOT.glob(f"{entry['glob']}.ipynb"))

    for part in content["parts"]:
        part["chapters"] = [entry for entry in part["chapters"] if there(entry)]
    content["parts"] = [part for part in content["parts"] if part["chapters"]]
    return yaml.safe_dump(content, sort_keys=False)


def _only(toc: str, chosen: Sequence[Path]) -> str:
    """The table of contents of these chapters and a few pages."""
    kept = {name: yaml.safe_load(toc)[name] for name in ("format", "root")}
    names = [*(f"notebooks/{path.stem}" for path in chosen), *SHORT_PAGES]
    return yaml.safe_dump(kept | {"chapters": [{"file": name} for name in names]}, sort_keys=False)


def render(out: Path) -> None:
    """Run Jupyter Book over the stage; for the whole book warnings count as errors."""
    place = staged(out)
    command = [Path(sys.executable).with_name("jupyter-book"), "build", place, "--path-output", out]
    # A relative path of the table of contents would be looked up in two places.
    command += ["--toc", place / "book" / "_toc.yml", "--quiet", "--keep-going"]
    command += ["-W"] if out == ROOT else []  # chapters refer to others, which are not there
    finished = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if finished.returncode or not (rendered(out) / "book" / "index.html").is_file():
        shutil.rmtree(out / "_build" / ".doctrees", ignore_errors=True)  # what warned must be read again
        said = re.sub(r"\x1b\[[0-9;]*m", "", finished.stdout + finished.stderr).splitlines()
        told = [line.strip() for line in said if "WARNING" in line or "ERROR" in line] or said[-20:]
        raise UserError("\n  ".join(["the pages have warnings, which count as errors:", *told]))


def serve(folder: Path, port: int) -> None:
    """Serve the pages in ``folder`` on localhost until interrupted."""
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=folder)
    try:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    except OSError as error:
        raise UserError(
            f"cannot serve on port {port}: {error.strerror}; choose another with --port"
        ) from None
    with server:
        say(f"http://localhost:{port}/ (Ctrl-C ends it)")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            print()


def say(text: str) -> None:
    print(f"book: {text}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--serve", action="store_true", help="show the book on localhost when it is built")
    parser.add_argument("--chapters", type=int, nargs="+", default=(), help="these alone, by number (all)")
    parser.add_argument("--port", type=int, default=8000, help="where --serve listens (8000)")
    options = parser.parse_args()
    started = time.monotonic()
    out = PART if options.chapters else ROOT
    try:
        chosen = chapters(options.chapters)
        BUILD.mkdir(exist_ok=True)
        with lock.hold(BUILD / ".lock", patience=600):
            math = mathjax.fetch(BUILD / "mathjax")
            say("MathJax: local copy" if math else "MathJax: npm gave no copy; pages load it from its CDN")
            stage(out, chosen, math)
            say(f"rendering {len(chosen)} chapter{'s' * (len(chosen) > 1)} and the pages around")
            render(out)
        index = (rendered(out) / "index.html").relative_to(ROOT)
        say(f"{index} is ready ({time.monotonic() - started:.0f} s)")
        if options.serve:
            serve(rendered(out), options.port)
    except UserError as error:
        print(f"book: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
