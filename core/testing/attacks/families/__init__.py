"""The cases, a module for each class of attack. Importing this package registers them all."""

from typing import Final

from core.testing.attacks.cases import Family
from core.testing.attacks.families import encrypted_controls, logout_uses  # noqa: F401  they register cases with others
from core.testing.attacks.families.addresses import ADDRESSES
from core.testing.attacks.families.algorithms import ALGORITHMS
from core.testing.attacks.families.answers import ANSWERS, SHAPES
from core.testing.attacks.families.bombs import BOMBS
from core.testing.attacks.families.controls import CONTROLS
from core.testing.attacks.families.deliveries import OTHERS, REPLAY
from core.testing.attacks.families.encrypted import ENCRYPTED
from core.testing.attacks.families.exclusion import EXCLUSION
from core.testing.attacks.families.forms import FORMS
from core.testing.attacks.families.ids import IDS
from core.testing.attacks.families.keys import KEYS
from core.testing.attacks.families.logout import LOGOUT
from core.testing.attacks.families.parsers import PARSERS
from core.testing.attacks.families.references import REFERENCES, TRANSFORMS
from core.testing.attacks.families.relay_state import RELAY
from core.testing.attacks.families.texts import TEXTS
from core.testing.attacks.families.timing import TIMING
from core.testing.attacks.families.wrapping import WRAPPING

FAMILIES: Final[tuple[Family, ...]] = (
    WRAPPING,
    PARSERS,
    TEXTS,
    EXCLUSION,
    KEYS,
    ALGORITHMS,
    REFERENCES,
    TRANSFORMS,
    IDS,
    BOMBS,
    TIMING,
    ADDRESSES,
    ANSWERS,
    SHAPES,
    ENCRYPTED,
    REPLAY,
    OTHERS,
    RELAY,
    FORMS,
    LOGOUT,
    CONTROLS,
)
"""Every class of attack, in the order in which it is shown; the controls are last."""
