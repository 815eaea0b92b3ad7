#!/bin/sh
# The Debian programs that the whole-system tests call: SIPp and baresip as foreign SIP clients, gcc for the floor,
# curl for the lines of the reference.
set -eu
missing=""
command -v sipp >/dev/null 2>&1 || missing="$missing sip-tester"
command -v baresip >/dev/null 2>&1 || missing="$missing baresip-core"
command -v curl >/dev/null 2>&1 || missing="$missing curl"
command -v gcc >/dev/null 2>&1 || missing="$missing gcc libc6-dev"
[ -z "$missing" ] && exit 0
if [ "$(id -u)" != 0 ]; then
    if command -v sudo >/dev/null 2>&1; then SUDO=sudo; else
        echo "The tests need these Debian packages:$missing. Install them as root: apt-get install$missing" >&2
        exit 1
    fi
fi
echo "installing for the tests:$missing"
${SUDO:-} apt-get -qq update
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive ${SUDO:-} apt-get -qq install -y --no-install-recommends $missing >/dev/null
