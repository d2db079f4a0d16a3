#!/usr/bin/env bash
# Builds the image, runs it as a cluster would (read-only root, no capabilities, no network, limited
# memory), predicts over HTTP, compares with the command line, and stops it gently.
# IMAGE_BUILD_OPTIONS goes to `podman build`; IMAGE_STAND_IN=1 makes the base image from Debian.
set -euo pipefail
cd "$(dirname "$0")/.."
image=${IMAGE:-scopezoo:test}
work=$(mktemp -d)
container=scopezoo-image-test-$$
export CONTAINERS_CONF=$work/containers.conf
cat > "$CONTAINERS_CONF" <<'CONF'
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
[engine]
runtime = "runc"
cgroup_manager = "cgroupfs"
CONF
cleanup() { podman rm --force "$container" >/dev/null 2>&1 || true; rm -rf "$work"; }
trap cleanup EXIT
say() { printf '%s\n' "$*" >&2; }

if [ "${IMAGE_STAND_IN:-}" = 1 ]; then deploy/stand_in_base.sh; fi
# shellcheck disable=SC2086 # the options are several words
podman build --format docker --isolation chroot --network host ${IMAGE_BUILD_OPTIONS:-} \
  --tag "$image" .
say "image: $(podman image inspect --format '{{.Size}}' "$image" | awk '{printf "%.0f MB", $1 / 1e6}')"

token=$(head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n')
mkdir -p "$work/data"
podman run --detach --name "$container" --network none --read-only --tmpfs /tmp \
  --cap-drop all --security-opt no-new-privileges --memory 3g --volume "$work/data:/data:U" \
  --env SCOPEZOO_TOKENS="predict:$token" "$image" >/dev/null

inside() { podman exec "$container" python3 -c "$1"; }
ask='
import sys, time, urllib.request
def ask(path, body=None, token="'$token'"):
    headers = {"Authorization": "Bearer " + token} if token else {}
    request = urllib.request.Request("http://127.0.0.1:8000" + path, body, headers)
    return urllib.request.urlopen(request, timeout=120).read()
'
for attempt in $(seq 60); do
  if inside "$ask
ask('/health/ready', token='')" >/dev/null 2>&1; then break; fi
  if [ "$attempt" = 60 ]; then podman logs "$container" >&2; say "it did not start"; exit 1; fi
  sleep 1
done
inside "$ask
sample = ask('/api/v1/models/nuclei-stardist-2d/sample')
open('/tmp/sample.tif', 'wb').write(sample)
open('/tmp/http.tif', 'wb').write(ask('/api/v1/models/nuclei-stardist-2d/predict', sample))"
podman exec "$container" scopezoo predict nuclei-stardist-2d /tmp/sample.tif -o /tmp/own.tif --quiet
inside "assert open('/tmp/http.tif', 'rb').read() == open('/tmp/own.tif', 'rb').read()"
inside "import os; assert os.getuid() == 10001"
if inside "open('/opt/scopezoo/x', 'w')" 2>/dev/null; then say "its root can be written"; exit 1; fi
podman healthcheck run "$container"
say "over HTTP and from the command line: the same bytes; not root, root file system read-only"
before=$(date +%s)
podman stop --time 30 "$container" >/dev/null
status=$(podman inspect --format '{{.State.ExitCode}}' "$container")
say "stopped in $(($(date +%s) - before)) s with status $status"
[ "$status" = 0 ]
