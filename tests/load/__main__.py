"""``python -m tests.load``: five minutes of twenty directories on SQLite, then on PostgreSQL where
``SIQ_TEST_POSTGRESQL_URL`` is set. Ends with status 1 where anything is lost, half-written or inconsistent; the journals and
logs are kept then.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path

from tests.databases import POSTGRESQL, empty_database
from tests.load.harness import Load, Run, as_json


def main() -> int:
    """The exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=300)
    parser.add_argument("--clients", type=int, default=20)
    parser.add_argument("--cut-percent", type=float, default=1)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("kinds", nargs="*", default=["sqlite", *(["postgresql"] if os.environ.get(POSTGRESQL) else [])])
    given = parser.parse_args()
    load = Load(given.clients, seconds=given.seconds, cut_percent=given.cut_percent, seed=given.seed)
    failed = False
    for kind in given.kinds:
        folder = Path(tempfile.mkdtemp(prefix=f"load-{kind}-"))
        print(f"{kind}, {load}, {folder}", flush=True)
        with empty_database(kind, folder) as url:
            report = Run(load, url, folder).report()
        print(as_json(report), flush=True)
        failed = failed or bool(report.wrong)
        if not report.wrong:
            shutil.rmtree(folder)
    return failed


if __name__ == "__main__":
    sys.exit(main())
