#!/usr/bin/env bash
# Installs the SAML libraries for Node.js that bench/saml.py compares with, at the exact versions of package.json.
set -euo pipefail
cd "$(dirname "$0")"
npm install --no-audit --no-fund --ignore-scripts --no-package-lock --loglevel=error
