"""Files for pages from npm's packages, so that pages need no network: pinned, checked, unpacked."""

import base64
import hashlib
import io
import subprocess
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

from snnbook import files
from snnbook.errors import UserError

SECONDS = 120


@dataclass(frozen=True)
class Package:
    """A version of a package, and what of it is needed.

    Args:
        name, version: npm's.
        integrity: SHA-512, as npm writes it.
        root: the folder in the package below which ``parts`` lie, ``""`` or with a slash at its end.
        parts: how names begin of files that are kept.
    """

    name: str
    version: str
    integrity: str
    root: str
    parts: tuple[str, ...]

    def fetch(self, folder: Path) -> Path | None:
        """``folder`` with the package's files in it, or None where npm is missing or finds no network.

        Raises:
            UserError: npm gave a package with other contents than the pinned ones.
        """
        done = folder / f".{self.version}"
        if done.is_file():
            return folder
        package = self._pack()
        if package is None:
            return None
        for name, content in self.unpack(package).items():
            files.write_bytes(folder / name, content)
        files.write_text(done, "complete\n")
        return folder

    def unpack(self, package: bytes) -> dict[str, bytes]:
        """The files that are needed from npm's archive, by their names below :attr:`root`.

        Raises:
            UserError: the archive is not the pinned one.
        """
        found = base64.b64encode(hashlib.sha512(package).digest()).decode()
        if found != self.integrity:
            raise UserError(
                f"the package {self.name}@{self.version} has SHA-512 {found[:12]}..., expected "
                f"{self.integrity[:12]}...; do not use it; check the registry npm is set to"
            )
        root = f"package/{self.root}"
        with tarfile.open(fileobj=io.BytesIO(package)) as archive:
            names = {m.name.removeprefix(root): m for m in archive.getmembers() if m.isfile()}
            return {n: archive.extractfile(m).read() for n, m in names.items() if n.startswith(self.parts)}

    def _pack(self) -> bytes | None:
        with tempfile.TemporaryDirectory() as temporary:
            command = ["npm", "pack", f"{self.name}@{self.version}", "--silent", "--fetch-retries=0"]
            try:
                subprocess.run(command, cwd=temporary, check=True, capture_output=True, timeout=SECONDS)
                return next(Path(temporary).glob("*.tgz")).read_bytes()
            except (OSError, subprocess.SubprocessError, StopIteration):
                return None
