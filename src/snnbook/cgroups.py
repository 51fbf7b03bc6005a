"""Control groups, of version 1 or 2, by which a system bounds this process's memory and processors."""

from pathlib import Path


def groups(controller: str, system: Path = Path("/")) -> set[Path]:
    """Folders of the group this process is in and of those around it, as far as they can be seen from here.

    The top is always among them: in a container the group's name may be that of the host, and what is mounted at
    the top is then the group.

    Args:
        controller: ``"cpu"`` or ``"memory"``.
        system: root of the file system.
    """
    try:
        lines = (system / "proc/self/cgroup").read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        lines = []
    unified = system / "sys/fs/cgroup"
    found = {unified, unified / controller}
    for line in lines:
        controllers, _, name = line.partition(":")[2].partition(":")
        if not controllers or controller in controllers.split(","):  # version 1 may mount several as one
            top = unified / controller if controllers else unified
            inner = top / name.strip("/")
            found |= {place for place in (inner, *inner.parents) if place.is_relative_to(top)}
    return found
