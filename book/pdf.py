"""The book as one PDF, ``_build/book.pdf``: the pages of ``_build/html``, printed by Chromium or Chrome.

``make pdf`` builds the pages first.  They are put into one page, in the order of the contents; what is folded on
the web stands open, since paper cannot be clicked on, and widgets are stills.
"""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from html import escape, unescape
from pathlib import Path
from posixpath import dirname, join, normpath

import yaml

import build
from snnbook import files
from snnbook.errors import UserError

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
SETTLED = 600  # seconds of the page's own clock, which runs as fast as its formulas are set
PATIENCE = 1800  # seconds that the browser may take in all
STYLE = """
@page { size: A4; margin: 18mm 16mm; }
html { font-size: 62.5%; scroll-padding-top: 0; }
body { display: block; font-size: 10.5pt; }
article { overflow-x: clip; overflow-wrap: anywhere; }
article + article { break-before: page; }
.headerlink, .copybtn { display: none !important; }
h1, h2, h3, h4, .admonition-title { break-after: avoid; }
img, svg, figure, tr, .cell_output { break-inside: avoid; max-width: 100%; }
pre, code { white-space: pre-wrap !important; overflow-wrap: anywhere; }
table { width: 100%; font-size: 8.5pt; }
td, th { min-width: 0 !important; white-space: normal !important; overflow-wrap: break-word; }
article div { max-height: none !important; }
"""


def browser() -> str:
    """The program that prints.

    Raises:
        UserError: there is none.
    """
    for name in BROWSERS:
        if found := shutil.which(name):
            return found
    raise UserError(
        "no Chromium or Chrome found, which prints the pages; install one, e.g. apt install chromium"
    )


def order(root: Path) -> list[str]:
    """The names of all pages, as the contents have them."""
    toc = yaml.safe_load((root / "book" / "_toc.yml").read_text(encoding="utf-8"))
    names = [toc["root"]]
    for entry in (entry for part in toc["parts"] for entry in part["chapters"]):
        found = sorted(root.glob(f"{entry['glob']}.ipynb")) if "glob" in entry else [root / entry["file"]]
        names += [path.relative_to(root).with_suffix("").as_posix() for path in found]
    return names


def joined(pages: Mapping[str, str], title: str) -> str:
    """One page of all: ``pages`` are HTML by name, in order.  Links between them stay within the one."""
    first = next(iter(pages.values()))
    kept = re.findall(r'<link [^>]*rel="stylesheet"[^>]*>', first)
    kept += re.findall(r"<script>window\.MathJax.*?</script>|<script[^>]*mathjax[^>]*></script>", first)
    articles = {name: _article(text, name, pages) for name, text in pages.items()}
    body = "\n".join(f'<article id="{_slug(name)}">{text}</article>' for name, text in articles.items())
    return (
        f'<!doctype html><html lang="en" data-theme="light" data-mode="light"><head><meta charset="utf-8">'
        f"<title>{escape(title)}</title>{''.join(kept)}<style>{STYLE}</style></head><body>"
        f"<main>{body}</main></body></html>"
    )


def _slug(name: str) -> str:
    return name.replace("/", "-")


def _article(page: str, name: str, pages: Mapping[str, str]) -> str:
    """What ``page`` says, its names of places made different from those of other pages."""
    found = re.search(r'<article class="bd-article"[^>]*>(.*)</article>', page, re.DOTALL)
    if not found:
        raise UserError(f"the page {name} has no article; make book builds it anew")

    def link(match: re.Match) -> str:
        target, _, place = unescape(match["target"]).partition("#")
        other = normpath(join(dirname(name), target)).removesuffix(".html") if target else name
        if other not in pages:
            return match[0]
        return f'{match["kind"]}="#{_slug(other)}{f"--{place}" if place else ""}"'

    text = re.sub(r'\b(?P<kind>(?:xlink:)?href)="(?P<target>[^":]*)"', link, found[1])
    text = re.sub(
        r"<details\b(?![^>]*\bopen\b)", "<details open", text
    )  # what is folded would not be printed
    text = re.sub(r"url\(#", f"url(#{_slug(name)}--", text)
    return re.sub(r'\b(id|for|aria-labelledby|aria-describedby)="', rf'\1="{_slug(name)}--', text)


def printed(page: Path, target: Path, program: str) -> None:
    """Print the file ``page`` to ``target``.

    Raises:
        UserError: the browser failed, or took too long.
    """
    with tempfile.TemporaryDirectory(prefix="snnbook-", ignore_cleanup_errors=True) as folder:
        made = Path(folder) / "book.pdf"
        command = [program, "--headless", "--disable-gpu", "--no-first-run", "--no-pdf-header-footer"]
        command += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
        command += ["--no-sandbox"] if os.geteuid() == 0 else []  # a sandbox refuses to be root
        command += [f"--user-data-dir={folder}/profile", f"--virtual-time-budget={1000 * SETTLED}"]
        command += ["--generate-pdf-document-outline", f"--print-to-pdf={made}", page.as_uri()]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            raise UserError(f"{program} did not print the book within {PATIENCE} s; try again") from None
        if done.returncode or not made.is_file():
            said: Sequence[str] = done.stderr.strip().splitlines() or ["it says nothing"]
            raise UserError(f"{program} did not print the book ({said[-1]})")
        files.write_bytes(target, made.read_bytes())


def main() -> int:
    started, html = time.monotonic(), build.rendered(build.ROOT)
    try:
        program = browser()
        names = [name for name in order(build.ROOT) if (html / f"{name}.html").is_file()]
        if not names:
            raise UserError("there are no pages to print; make pdf builds them first")
        pages = {name: (html / f"{name}.html").read_text(encoding="utf-8") for name in names}
        config = yaml.safe_load((build.ROOT / "_config.yml").read_text(encoding="utf-8"))
        whole = (
            html / "book" / "_whole.html"
        )  # where relative links to figures and fonts lead as from each page
        files.write_text(whole, joined(pages, config["title"]))
        try:
            printed(whole, build.BUILD / "book.pdf", program)
        finally:
            whole.unlink()
    except UserError as error:
        print(f"book: {error}", file=sys.stderr)
        return 1
    build.say(f"_build/book.pdf has {len(names)} pages of the book ({time.monotonic() - started:.0f} s)")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
