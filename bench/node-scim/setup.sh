#!/usr/bin/env bash
# Installs the SCIM library for Node.js that bench/scim.py compares with, at the exact versions of package.json.
set -euo pipefail
cd "$(dirname "$0")"
npm install --no-audit --no-fund --ignore-scripts --no-package-lock --loglevel=error
