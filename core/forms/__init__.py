"""From a plugin's schema to the dialog, and from what a browser sends to the plugin's configuration.

A schema is compiled once (:meth:`Form.compile`). ``Form.read`` takes what was sent, ``Form.validate`` makes the plugin's
configuration of it, ``Form.view`` is what the templates show. There is no HTML and no web framework here.
"""

from core.forms.downloads import media_type
from core.forms.fields import Field, Option, Tab, Widget
from core.forms.form import Form
from core.forms.posted import MetadataReader
from core.forms.values import FieldError, FormInvalid, Posted, ProviderMetadata, Upload, Values
from core.forms.view import FieldView, FormView, GroupView, OptionView, SecretView, TabView
from core.forms.widgets import ROWS

__all__ = [
    "ROWS",
    "Field",
    "FieldError",
    "FieldView",
    "Form",
    "FormInvalid",
    "FormView",
    "GroupView",
    "MetadataReader",
    "Option",
    "OptionView",
    "Posted",
    "ProviderMetadata",
    "SecretView",
    "Tab",
    "TabView",
    "Upload",
    "Values",
    "Widget",
    "media_type",
]
