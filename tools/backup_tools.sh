#!/bin/sh
# Put the newer generation of backup tools, beside the system's own, into .backup-tools/bin for the tests of drivers:
# restic of Debian 13 (from its package), Borg 1.4 (built from PyPI in an environment of its own).
#
# Needs apt, and what Borg is built with: a C compiler, pkg-config and the headers of Python, OpenSSL, ACL, LZ4, zstd
# and xxHash. Does nothing when both are there.

set -eu
cd "$(dirname "$0")/.."
place=${KEEPWELL_BACKUP_TOOLS:-$PWD/.backup-tools}
mkdir -p "$place/bin"

if [ ! -x "$place/bin/restic" ]; then
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    mkdir -p "$work/lists/partial" "$work/cache/archives/partial"
    mirror=$(apt-get indextargets --format '$(SITE)' 'Codename: bookworm' 'Created-By: Packages' | head -n 1)
    echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${mirror:?apt knows no mirror of bookworm} trixie main" \
        >"$work/sources.list"
    set -- -qq -o "Dir::Etc::SourceList=$work/sources.list" -o Dir::Etc::SourceParts=- -o APT::Sandbox::User=root \
        -o "Dir::State::Lists=$work/lists" -o "Dir::Cache=$work/cache"
    apt-get "$@" update
    (cd "$work" && apt-get "$@" download restic && dpkg-deb --extract restic_*.deb tree)
    cp "$work/tree/usr/bin/restic" "$place/bin/restic"
fi

if [ ! -x "$place/bin/borg" ]; then
    python3 -m venv "$place/borg"
    "$place/borg/bin/pip" install --quiet 'borgbackup==1.4.*'
    ln -s ../borg/bin/borg "$place/bin/borg"
fi
