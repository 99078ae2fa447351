"""The sender by hand: ``python -m plugins.aws_sso.push`` with AWS credentials and SIQ_SCIM_TOKEN in the environment."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Any

from .handler import run

EXITS = {"complete": 0, "failed": 1, "braked": 1, "incomplete": 2, "stopped": 2}


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Push everything, or one user or group. Answers 0 when SiQ agrees with AWS, 1 when it mostly does, 2 when not."""
    parser = argparse.ArgumentParser(prog="python -m plugins.aws_sso.push", description=__doc__)
    parser.add_argument("--scim-base-url", required=True, help="from the Provisioning tab in SiQ")
    parser.add_argument("--identity-store-id", required=True, help="d-…, from Settings in IAM Identity Center")
    parser.add_argument("--only-group", action="append", default=[], metavar="NAME", help="only this group; repeatable")
    parser.add_argument("--user", metavar="ID", help="push this user instead of everything")
    parser.add_argument("--group", metavar="ID", help="push this group instead of everything")
    parser.add_argument("--allow-removals", type=int, metavar="NUMBER", help="lift the brake up to that many")
    asked = parser.parse_args(arguments)
    if not environment.get("SIQ_SCIM_TOKEN"):
        parser.error("set SIQ_SCIM_TOKEN to the token of the Provisioning tab")
    settings = {
        "SIQ_SCIM_BASE_URL": asked.scim_base_url,
        "SIQ_SCIM_TOKEN": environment["SIQ_SCIM_TOKEN"],
        "SIQ_IDENTITY_STORE_ID": asked.identity_store_id,
        "SIQ_ONLY_GROUPS": ",".join(asked.only_group),
    }
    message: dict[str, Any] = {"pass": "full"}
    if asked.user or asked.group:
        message = {"user_id": asked.user or "", "group_id": asked.group or ""}
    if asked.allow_removals is not None:
        message["allow_removals"] = asked.allow_removals
    return EXITS[run(settings, [message])[0]["outcome"]]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
