"""How long a full pass of the AWS sender takes, and what it asks of AWS and of SiQ.

``python -m bench.push [users]``: moto's Identity Store as AWS, in this process; SiQ itself on SQLite in another. Both run on
this machine, so the network is missing from the times; the requests are those that AWS and SiQ would see.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from plugins.aws_sso.push import handler
from tests.plugins.push.directory import REGION, STORE, directory
from tests.plugins.push.endpoints import product
from tests.website import running

GROUPS = 50


def main(users: int) -> None:
    """Print a line for each pass."""
    os.environ["AWS_DEFAULT_REGION"] = REGION
    with subprocess.Popen(
        [sys.executable, "-m", "bench.push", "serve"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as siq:
        assert siq.stdout is not None
        base_url, token = siq.stdout.readline().split()
        settings = {"SIQ_SCIM_BASE_URL": base_url, "SIQ_SCIM_TOKEN": token, "SIQ_IDENTITY_STORE_ID": STORE}
        with directory() as aws:
            ids = aws.create_many(users)
            everybody = aws.create_group("Everybody")
            teams = [aws.create_group(f"Team {number}") for number in range(GROUPS)]
            aws.join_many(everybody, ids)
            for number, team in enumerate(teams):
                aws.join_many(team, ids[number::GROUPS])
            for what in ("everything is new", "nothing changed", "1 percent left, 1 percent renamed"):
                print(f"\n{users} users, {GROUPS + 1} groups: {what}", flush=True)
                if what.startswith("1"):
                    for user in ids[: users // 100]:
                        aws.delete_user(user)
                    for user in ids[-(users // 100) :]:
                        aws.update_user(user, userName=f"new.{user}")
                handler.run(settings, [{"pass": "full"}])
        assert siq.poll() is None, f"SiQ ended with {siq.poll()}"
        print(f"\npeak memory with moto: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024} MB")
        assert siq.stdin is not None
        siq.stdin.close()


def serve() -> None:
    """SiQ, until standard input ends."""
    with TemporaryDirectory() as folder, running(Path(folder)) as site:
        endpoint = product(site)
        print(endpoint.base_url, endpoint.token, flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        serve()
    else:
        began = time.monotonic()
        main(int(sys.argv[1]) if sys.argv[1:] else 10_000)
        print(f"{time.monotonic() - began:.0f} seconds in all")
