"""How templates write times, numbers, addresses and XML."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import urlencode
from xml.sax.saxutils import escape as xml_text

from markupsafe import Markup, escape

from core import moments

_CATEGORIES = {
    "Provisioning & SSO": ("key", "Decide who can sign in, and let your directory create and suspend accounts."),
    "Messaging": ("chat", "Send what matters to where people already talk."),
    "Ticketing": ("ticket", "Turn requests into tickets, and keep both sides in step."),
    "Monitoring": ("pulse", "See how SiQ is doing in the tools that you already watch."),
    "Storage and backup": ("box", "Keep a copy of your data where your company keeps its data."),
    "Developer tools": ("code", "Build on SiQ with your own tools."),
}


def iso(moment: datetime) -> str:
    """A moment for ``<time datetime>``: 2026-11-24T09:41:15Z."""
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}"


def stamp(moment: datetime) -> str:
    """The exact time: 24 Nov 2026, 09:41:15 UTC."""
    return f"{moment.day} {moment:%b %Y, %H:%M:%S} UTC"


def short_stamp(moment: datetime) -> str:
    """The time in a column headed UTC: 24 Nov 2026, 09:41:15."""
    return f"{moment.day} {moment:%b %Y, %H:%M:%S}"


def day(moment: datetime) -> str:
    """A date: 24 Nov 2026."""
    return f"{moment.day} {moment:%b %Y}"


def ago(moment: datetime, now: datetime) -> str:
    """How long ago a moment was, at the start of a sentence: Just now, 24 min ago, 3 Aug."""
    text = moments.ago(moment, now)
    return text[:1].upper() + text[1:]


def lower_first(text: Markup) -> Markup:
    """Text in the middle of a sentence: "Just now" as "just now", inside its element too."""
    return Markup(re.sub(r"(^|>)Just now", r"\1just now", str(text)))  # noqa: S704  it was markup before


def day_total(day_of_signs: Any) -> int:
    """All attempts of a day (``core.flows.integration.Day``)."""
    return int(day_of_signs.signed_in) + int(day_of_signs.failed)


def refusal_words(name: str) -> str:
    """The name of a refusal as people read it: audience_mismatch as Audience mismatch."""
    words = name.replace("_", " ").replace("xml", "XML").replace("authn ", "authentication statement ")
    return words[:1].upper() + words[1:]


def breakable(fingerprint: str) -> Markup:
    """A fingerprint that may break between its bytes and nowhere else."""
    return Markup(":<wbr>").join(escape(byte) for byte in fingerprint.split(":"))


def thousands(number: int) -> str:
    """1,204."""
    return f"{number:,}"


def query(path: str, **parameters: object) -> str:
    """A path with a query of the parameters that are not empty."""
    chosen = {name: value for name, value in parameters.items() if value not in (None, "")}
    return f"{path}?{urlencode(chosen)}" if chosen else path


def capabilities(tags: tuple[str, ...]) -> str:
    """What an integration does, as a line: Single sign-on and provisioning."""
    words = [{"SSO": "single sign-on", "Provisioning": "provisioning"}.get(tag, tag) for tag in tags]
    line = " and ".join(words)
    return line[:1].upper() + line[1:]


def category_icon(name: str) -> str:
    """The icon of a category."""
    return _CATEGORIES.get(name, ("plug", ""))[0]


def category_lead(name: str) -> str:
    """What a category is for, in one sentence."""
    return _CATEGORIES.get(name, ("", "Everything that SiQ can be connected with."))[1]


def difference(text: str, other: str, mark: str = "") -> Markup:
    """``text`` with the part that differs from ``other`` marked; ``mark`` is a class of the mark."""
    if text == other or not other:
        return escape(text)
    shortest = min(len(text), len(other))
    start = next((at for at in range(shortest) if text[at] != other[at]), shortest)
    end = next((at for at in range(shortest - start) if text[-1 - at] != other[-1 - at]), shortest - start)
    middle = text[start : len(text) - end]
    if not middle:
        return escape(text)
    opening = Markup('<mark class="{}">').format(mark) if mark else Markup("<mark>")
    return escape(text[:start]) + opening + escape(middle) + Markup("</mark>") + escape(text[len(text) - end :])


# A name begins where no other character of a name stands before it: else a long run is tried from each of its places.
_XML_PARTS = re.compile(
    r"(?P<tag></?[\w:.-]+|/?>|<\?|\?>)|(?<![\w:.-])(?P<name>[\w:.-]++)(?==[\"'])|(?P<value>\"[^\"]*\"|'[^']*')(?=[\s/>?])"
)
_BETWEEN = re.compile(r">\s*<")
_SHORTEST_MARK = 4  # characters; a shorter value would be found everywhere


def xml(source: str, received: str = "") -> Markup:
    """XML for reading: indented, tags and values told apart, and ``received`` (the value that did not fit) marked."""
    needle = xml_text(received) if len(received) >= _SHORTEST_MARK else ""
    tokens = re.split(r"(<[^>]*>?)", _indented(source))
    return Markup("").join(_tag(token, needle) if token.startswith("<") else _marked(token, needle) for token in tokens)


def _tag(token: str, needle: str) -> Markup:
    out, at = [], 0
    for part in _XML_PARTS.finditer(token):
        out.append(escape(token[at : part.start()]))
        kind = {"tag": "t", "name": "a", "value": "s"}[str(part.lastgroup)]
        out.append(Markup('<span class="{}">{}</span>').format(kind, _marked(part.group(), needle)))
        at = part.end()
    return Markup("").join([*out, escape(token[at:])])


def _marked(text: str, needle: str) -> Markup:
    if not needle or needle not in text:
        return escape(text)
    return Markup("<mark>{}</mark>").format(needle).join(escape(part) for part in text.split(needle))


def _indented(source: str) -> str:
    """One element a line. A response arrives as one line; whitespace between elements means nothing to a reader."""
    lines, depth = [], 0
    for line in _BETWEEN.sub(">\n<", source.strip()).split("\n"):
        piece = line.strip()
        if piece.startswith("</"):
            depth = max(0, depth - 1)
        lines.append("  " * min(depth, 20) + piece)
        opens = piece.startswith("<") and not piece.startswith(("</", "<?", "<!"))
        if opens and not piece.endswith("/>") and "</" not in piece:
            depth += 1
    return "\n".join(lines)


FILTERS: dict[str, Callable[..., Any]] = {
    "iso": iso,
    "stamp": stamp,
    "short_stamp": short_stamp,
    "day": day,
    "ago": ago,
    "lower_first": lower_first,
    "day_total": day_total,
    "refusal_words": refusal_words,
    "breakable": breakable,
    "thousands": thousands,
    "query": query,
    "capabilities": capabilities,
    "category_icon": category_icon,
    "category_lead": category_lead,
    "difference": difference,
    "xml": xml,
}
