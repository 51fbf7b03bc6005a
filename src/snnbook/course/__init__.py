"""The course: ``check`` looks at an answer to an exercise, and gives none away."""

from snnbook.course.checking import Outcome as Outcome
from snnbook.course.checking import check as check

__all__ = ["Outcome", "check"]
