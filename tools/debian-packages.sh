#!/bin/sh
# The Debian programs that the whole-system tests call: SIPp and baresip as foreign SIP clients, gcc for the floor,
# curl for the lines of the reference. With the word `bench`: Janus too, which the benchmark compares with.
set -eu
missing=""
command -v sipp >/dev/null 2>&1 || missing="$missing sip-tester"
command -v baresip >/dev/null 2>&1 || missing="$missing baresip-core"
command -v curl >/dev/null 2>&1 || missing="$missing curl"
command -v gcc >/dev/null 2>&1 || missing="$missing gcc libc6-dev"
[ "${1:-}" = bench ] && { command -v janus >/dev/null 2>&1 || missing="$missing janus"; }
[ -z "$missing" ] && exit 0
if [ "$(id -u)" != 0 ]; then
    if command -v sudo >/dev/null 2>&1; then SUDO=sudo; else
        echo "These Debian packages are needed:$missing. Install them as root: apt-get install$missing" >&2
        exit 1
    fi
fi
echo "installing:$missing"
${SUDO:-} apt-get -qq update
# shellcheck disable=SC2086
DEBIAN_FRONTEND=noninteractive ${SUDO:-} apt-get -qq install -y --no-install-recommends $missing >/dev/null
case "$missing" in
*janus*)
    # Debian starts it as a service where there is systemd; the benchmark starts one of its own.
    if command -v systemctl >/dev/null 2>&1 && systemctl is-active --quiet janus; then
        ${SUDO:-} systemctl disable --quiet --now janus
    fi
    ;;
esac
