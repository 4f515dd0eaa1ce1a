#!/bin/sh
# What makes the hub's image, in a clean Debian 12 as root: sh container/build.sh SOURCE. The Containerfile runs it;
# so does a test, in a clean root folder, where no image can be built.
set -eu
source=${1:?the folder of the project}
if ! python3 -c 'import ensurepip, venv' 2>/dev/null || [ ! -e /etc/ssl/certs/ca-certificates.crt ]; then
    apt-get update -q
    DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends python3 python3-venv ca-certificates
    rm -rf /var/lib/apt/lists/*
fi
made=$(mktemp -d)  # the build leaves files beside the source, which may be read-only
trap 'rm -rf "$made"' EXIT
for part in pyproject.toml README.md protocol daemons chaos systemd; do cp -R "$source/$part" "$made/"; done
python3 -m venv /opt/pitlink/.venv
/opt/pitlink/.venv/bin/pip install -q --disable-pip-version-check --no-cache-dir "$made"
# A number, so that a cluster that wants to know that it is not root can tell.
id pitlink >/dev/null 2>&1 || useradd --no-create-home --uid 10001 --home-dir /var/lib/pitlink-cloud --shell /usr/sbin/nologin pitlink
install -d -o pitlink -g pitlink -m 0700 /var/lib/pitlink-cloud
