"""The CloudFormation template with the whole sender in it, so that an administrator uploads one file and is done.

CloudFormation takes the source of a Python function inline (``ZipFile``); what it makes of it may be 4 MB, a limit that
was 4,096 characters until 2022 (aws/aws-cdk#20624, aws-cloudformation/cfn-lint#2443). The console uploads a template of
up to 1 MB (from the command line, more than 51,200 bytes need an S3 bucket). So the modules are joined to one file,
uncompressed, for whoever reviews what runs in their account.

``python -m plugins.aws_sso.push.template URL > siq-push.yaml`` writes it by hand.
"""

from __future__ import annotations

import ast
import json
import sys
from pathlib import Path

HERE = Path(__file__).parent
MODULES = ("scim", "identity_store", "sender", "events", "handler")  # each needs only those before it
URL_LINE = "    Default: https://siq.example/scim/v2/connection\n"
CODE_LINE = "          # code\n"


def render(scim_base_url: str) -> str:
    """The template as YAML text, filled in for this connection."""
    template = (HERE / "template.yaml").read_text(encoding="utf-8")
    code = "".join(f"          {line}\n" if line else "\n" for line in bundle().splitlines())
    # JSON text is YAML text (YAML 1.2, 1.3), so nothing in the URL can change the template.
    return template.replace(URL_LINE, f"    Default: {json.dumps(scim_base_url)}\n").replace(CODE_LINE, code)


def bundle() -> str:
    """The modules as one, without the imports of each other."""
    return "from __future__ import annotations\n" + "".join(map(_body, MODULES))


def _body(module: str) -> str:
    source = (HERE / f"{module}.py").read_text(encoding="utf-8")
    lines = source.splitlines(keepends=True)
    for node in ast.parse(source).body:
        if isinstance(node, ast.ImportFrom) and (node.level or node.module == "__future__"):
            lines[node.lineno - 1 : node.end_lineno] = [""] * ((node.end_lineno or node.lineno) - node.lineno + 1)
    return f"\n# {module}.py\n{''.join(lines)}"


if __name__ == "__main__":
    sys.stdout.write(render(sys.argv[1]))
