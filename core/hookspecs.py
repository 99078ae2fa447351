"""The hooks that a plugin implements, and nothing else.

All are synchronous and pure: no request, session, database, clock or network is handed in. A plugin is a module; its
id is the name of its entry point in the group ``siq.plugins``, or of its folder in ``SIQ_PLUGINS_DIR``.
"""

from __future__ import annotations

import pluggy
from pydantic import BaseModel

from core.plugin_api import Activation, Identity, Site, Tile, VerifiedAssertion

hookspec = pluggy.HookspecMarker("siq")


@hookspec(firstresult=True)
def describe_tile() -> Tile:  # type: ignore[empty-body]  # a specification has no body
    """The plugin's place in the catalog.

    Called once, when the plugin is registered. A failure or a wrong answer quarantines the plugin: its tile says
    why, and the host starts.
    """


@hookspec(firstresult=True)
def config_schema() -> type[BaseModel]:  # type: ignore[empty-body]
    """The pydantic model of the plugin's configuration: its fields are the tabs of the dialog, their fields the rows.

    Called once, when the plugin is registered, after ``describe_tile``. A schema that cannot be rendered or stored
    quarantines the plugin with file, field and reason.
    """


@hookspec(firstresult=True)
def activate(config: BaseModel, site: Site) -> Activation:  # type: ignore[empty-body]
    """What this configuration means.

    Called on each save, before anything is stored, and whenever a stored configuration is loaded. ``config`` is an
    instance of the plugin's own model. Raise ``ConfigRejected(field, sentence)`` (``field`` as ``tab.field``) to
    show the sentence beside that field; nothing is stored then.
    """


@hookspec(firstresult=True)
def handle_acs(config: BaseModel, assertion: VerifiedAssertion) -> Identity:  # type: ignore[empty-body]
    """Who this assertion is about.

    Called once for each sign-in, after every check has passed and before anything is stored. Raise
    ``SignInRefused(refusal, detail)`` to turn the person away: the browser shows the refusal's fixed sentence, the
    attempt keeps the detail. Other plugins may wrap this hook (``@hookimpl(wrapper=True)``) to add policy for every
    provider; ``siq plugin list`` shows the wrappers in the order in which they run.
    """
