#!/usr/bin/env bash
# Installs samlp (an identity provider library for Node.js), express and its sessions, at the exact versions of package.json.
set -euo pipefail
cd "$(dirname "$0")"
npm install --no-audit --no-fund --ignore-scripts --no-package-lock --loglevel=error
