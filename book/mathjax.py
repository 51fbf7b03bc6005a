"""MathJax beside the pages, so that formulas need no network: its npm package, checked and unpacked."""

import base64
import hashlib
import io
import subprocess
import tarfile
import tempfile
from pathlib import Path

from snnbook import files
from snnbook.errors import UserError

VERSION = "3.2.2"
# SHA-512, as npm writes it.
INTEGRITY = "Bt+SSVU8eBG27zChVewOicYs7Xsdt40qm4+UpHyX7k0/O9NliPc+x77k1/FEsPsjKPZGJvtRZM1vO+geW0OhGw=="
SCRIPT = "tex-mml-chtml.js"
# The script finds its fonts by their place below its own.
PARTS = (SCRIPT, "output/chtml/fonts/woff-v2/")
SECONDS = 60


def fetch(folder: Path) -> Path | None:
    """``folder`` with MathJax in it, or None where npm is missing or finds no network.

    Raises:
        UserError: npm gave a package with other contents than the pinned ones.
    """
    done = folder / f".{VERSION}"
    if done.is_file():
        return folder
    package = _pack()
    if package is None:
        return None
    for name, content in unpack(package).items():
        files.write_bytes(folder / name, content)
    files.write_text(done, "complete\n")
    return folder


def unpack(package: bytes) -> dict[str, bytes]:
    """The files a page needs from npm's archive, by their names below the script's folder.

    Raises:
        UserError: the archive is not the pinned one.
    """
    found = base64.b64encode(hashlib.sha512(package).digest()).decode()
    if found != INTEGRITY:
        raise UserError(
            f"the package mathjax@{VERSION} has SHA-512 {found[:12]}..., expected {INTEGRITY[:12]}...; "
            "do not use it; check the registry npm is set to"
        )
    with tarfile.open(fileobj=io.BytesIO(package)) as archive:
        names = {m.name.removeprefix("package/es5/"): m for m in archive.getmembers() if m.isfile()}
        return {name: archive.extractfile(m).read() for name, m in names.items() if name.startswith(PARTS)}


def _pack() -> bytes | None:
    with tempfile.TemporaryDirectory() as temporary:
        command = ["npm", "pack", f"mathjax@{VERSION}", "--silent", "--fetch-retries=0"]
        try:
            subprocess.run(command, cwd=temporary, check=True, capture_output=True, timeout=SECONDS)
            return next(Path(temporary).glob("*.tgz")).read_bytes()
        except (OSError, subprocess.SubprocessError, StopIteration):
            return None
