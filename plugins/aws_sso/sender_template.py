"""The file that the Provisioning tab offers: the CloudFormation template of the sender, filled in."""

from typing import Annotated

import core.plugin_api as siq
from plugins.aws_sso.push.template import render

SenderTemplate = Annotated[str, siq.download("siq-push.yaml", lambda site: render(site.scim_base_url))]
"""The type of the field. The sender itself runs in AWS and imports nothing of the host, so this stands beside it."""
