"""Questions before something is done that cannot simply be undone: a dialog for htmx, a page otherwise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from core.web import view


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked. ``text`` says who is affected and what stays; ``verb`` is the button, ``busy`` the button at work.

    ``action`` takes the post, ``back`` is where Cancel leads; ``trail`` leads there, as (path, name).
    """

    title: str
    text: str
    verb: str
    busy: str
    action: str
    back: str
    trail: tuple[tuple[str, str], ...]
    icon: str = "power"
    danger: bool = True


def ask(request: Request, question: Question, around: dict[str, Any]) -> Response:
    """The question; ``around`` is what a page needs beside it."""
    return view.render(
        request, "question.j2", {"question": question, "current": "users", **around}, fragment="question-dialog.j2"
    )
