#!/usr/bin/env bash
# Makes a stand-in for the image that the Dockerfile starts from, out of Debian's own packages, for
# machines that reach a Debian mirror but no image registry. Needs root, debootstrap and podman.
set -euo pipefail
name=docker.io/library/python:3.11-slim-bookworm
if podman image exists "$name"; then exit 0; fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mirror=$(awk '/^URIs:/ {print $2; exit}' /etc/apt/sources.list.d/debian.sources 2>/dev/null || true)
debootstrap --variant=minbase --include=python3,python3-pip,python3-venv,ca-certificates \
  bookworm "$folder" $mirror >/dev/null
rm -rf "$folder"/var/cache/apt/* "$folder"/var/lib/apt/lists/*
tar --directory "$folder" --create . | podman import - "$name" >/dev/null
echo "made $name with Debian's Python"
