"""The text of a chapter, read as MyST has it: directives, and in the text between them roles, links, formulas."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from textwrap import dedent, indent

from snnbook.errors import UserError

FENCE = re.compile(
    r"(?P<indent> *)(?P<marks>:{3,}|`{3,}|~{3,})(?:\{(?P<name>[\w:.-]+)\})?(?P<argument>[^`]*)"
)
OPTION = re.compile(r":(?P<name>[\w-]+):[ \t]*(?P<value>.*)")
FLAGS = re.DOTALL | re.MULTILINE | re.VERBOSE
# What may stand within a line of text; code is found first, so that nothing in it is taken for more.
FENCED = r"(?P<fence> ^[ >]*(?P<marks>`{3,}|~{3,}) .*? ^[ >]*(?P=marks)[ ]*$ )"
INLINE = re.compile(
    FENCED
    + r"""
    | \{(?P<role>[\w:.+-]+)\} (?P<tick>`+)(?P<text>.+?)(?<!`)(?P=tick)(?!`)
    | (?P<code> (?<!`)(?P<ticks>`+)(?!`) .+? (?<!`)(?P=ticks)(?!`) )
    | \$\$ (?P<display>.+?) \$\$ (?:[ \t]*\((?P<label>[\w:.-]+)\))?
    | (?P<math> (?<!\\)\$ [^$]+? (?<!\\)\$ )
    | (?<!!)\[ (?P<shown>[^\]\[]*) \]\( (?P<target>[^()\s]*) \)
    """,
    FLAGS,
)
# Directives whose body is no text.
LITERAL = ("code", "code-block", "code-cell", "math")
TITLED = re.compile(r"(?P<shown>.+?)\s*<(?P<target>[^<>]+)>", re.DOTALL)


@dataclass(frozen=True)
class Directive:
    """A block with a name: ``:::{note} argument``, ``:option: value`` lines, and its body."""

    name: str
    argument: str
    options: Mapping[str, str]
    body: str
    indent: str = ""

    @property
    def label(self) -> str:
        """What others refer to it by, or nothing."""
        return self.options.get("label") or self.options.get("name") or ""


def blocks(text: str) -> Iterator[str | Directive]:
    """Directives, and the text between them, in order; what stands in a directive's body is not looked at.

    Raises:
        UserError: a fence has no end.
    """
    lines, plain, at = text.splitlines(), [], 0
    while at < len(lines):
        opened = FENCE.fullmatch(lines[at])
        end = _end(lines, at, opened["marks"]) if opened else at
        if opened and opened["name"]:
            if plain:
                yield "\n".join(plain)
            plain = []
            yield _directive(opened, lines[at + 1 : end])
        else:
            plain += lines[at : end + 1]
        at = end + 1
    if plain:
        yield "\n".join(plain)


def _end(lines: list[str], at: int, marks: str) -> int:
    for number in range(at + 1, len(lines)):
        line = lines[number].strip()
        if len(line) >= len(marks) and set(line) == {marks[0]}:
            return number
    raise UserError(f"the fence {lines[at].strip()[:60]!r} has no end; close it with {marks}")


def _directive(opened: re.Match, lines: list[str]) -> Directive:
    body, options = dedent("\n".join(lines)).splitlines(), {}
    while body and (found := OPTION.fullmatch(body[0])):
        options[found["name"]] = found["value"].strip()
        body.pop(0)
    text = "\n".join(body).strip("\n")
    return Directive(opened["name"], opened["argument"].strip(), options, text, opened["indent"])


def everywhere(text: str) -> Iterator[Directive]:
    """All directives, those in bodies of others as well, in the order in which they begin."""
    for block in blocks(text):
        if isinstance(block, Directive):
            yield block
            if block.name not in LITERAL:
                yield from everywhere(block.body)


def replaced(text: str, change: Callable[[re.Match], str]) -> str:
    """``text`` with what ``change`` makes of each match of :data:`INLINE`; code stays as it is."""
    return INLINE.sub(lambda found: found[0] if found["fence"] or found["code"] else change(found), text)


def titled(text: str) -> tuple[str, str]:
    """``shown <target>`` as these two, and ``target`` alone as nothing and the target."""
    found = TITLED.fullmatch(text)
    return (found["shown"], found["target"].strip()) if found else ("", text.strip())


def quoted(text: str) -> str:
    """``text`` as a block quote.  A formula stays in a line, since notebooks may read the marks as part of it."""
    lined = replaced(text, lambda found: " ".join(found[0].split()) if found["display"] else found[0])
    return indent(lined, "> ", lambda _: True).replace("> \n", ">\n")
