"""Attacks on single sign-on, each a named function, and what the host must do with it.

Whoever writes a plugin reads here what its connections are protected from without a line of its own:
``siq plugin attack PLUGIN`` sends every case to a server that runs this very plugin.

    cases.py      what a case is, the good response that it starts from, what must happen, the list of all
    edits.py      small changes of XML, for the families
    families/     the cases, a module for each class of attack; controls.py has those that must be accepted
    browser.py    a browser of one person, over plain HTTP
    site.py       a running server with connections whose keys are known here
    host.py       starts that server, with one plugin activated in three organizations
    signed_in.py  a person who is signed in there: what attacks on single logout begin with
    running.py    sends cases, judges answers; two processes that race
    page.py       the table in docs/attacks.md
    command.py    ``siq plugin attack``

A family that tries something new is one more module in ``families``, named in its ``__init__``.
"""

from core.testing.attacks.cases import ALL, Case, Good, Must, attacks, controls
from core.testing.attacks.families import FAMILIES

__all__ = ["ALL", "FAMILIES", "Case", "Good", "Must", "attacks", "controls"]
