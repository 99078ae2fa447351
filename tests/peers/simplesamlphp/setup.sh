#!/usr/bin/env bash
# Installs Debian's SimpleSAMLphp and the PHP it needs (root). No web server is started: the tests run PHP's own.
# php8.2-cgi and nginx-light satisfy the package's "php" and "httpd" dependencies; the default, apache2, is heavier.
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive
apt=(apt-get -y -q -o DPkg::Lock::Timeout=600)
[ -n "${SKIP_APT_UPDATE:-}" ] || "${apt[@]}" update >/dev/null
"${apt[@]}" install --no-install-recommends \
  php8.2-cgi php8.2-cli php8.2-xml php8.2-mbstring php8.2-curl \
  nginx-light simplesamlphp apache2- libapache2-mod-php8.2-
