#!/usr/bin/env bash
# From two folders of images to a model that is served and a dataset that is shared: in minutes,
# small, and simulated. docs/two-microscopes.md tells what every step is for.
#
#     examples/two_microscopes.sh [FOLDER]
#
# Needs scopezoo with its extras datasets, train and torch. Run again, it goes on where it was.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
# without an environment that has it, that of the checkout
command -v scopezoo >/dev/null || export PATH="$here/../.venv/bin:$PATH"
python=$(dirname "$(command -v scopezoo)")/python
mkdir -p "${1:-two-microscopes}"
cd "${1:-two-microscopes}"

step() {
  printf '\n$ %s\n' "$*" >&2
  "$@"
}

# 1. Two folders of files, as two microscopes would leave them.
if [ ! -e raw/metadata.yaml ]; then
  rm -rf raw
  step scopezoo dataset simulate "$here/two_microscopes/microscopes.yaml" -o raw
fi

# 2. Pairs, registered. Exit status 1 of register-all: a pair did not fit and is left out.
step scopezoo dataset import raw/source raw/target -o cells-two-scopes
step scopezoo dataset register-all cells-two-scopes || [ $? -eq 1 ]
step scopezoo dataset split cells-two-scopes
step scopezoo dataset check cells-two-scopes --report check.html

# 3. A model.
[ -e wf-to-confocal/recipe.yaml ] ||
  step scopezoo dataset recipe cells-two-scopes -o wf-to-confocal --small
resume=()
[ ! -e wf-to-confocal/checkpoint.pt ] || resume=(--resume)
step scopezoo train wf-to-confocal/recipe.yaml --data cells-two-scopes --run wf-to-confocal \
  ${resume[@]+"${resume[@]}"}

# 4. Is it any good?
step scopezoo package wf-to-confocal -o wf-to-confocal.zip
step scopezoo validate wf-to-confocal.zip
step scopezoo validate wf-to-confocal.zip --dataset cells-two-scopes -o quality

# 5. On an image, here.
image=$(ls raw/source/*.ome.tif | tail -n 1)
step scopezoo predict wf-to-confocal.zip "$image" -o here.tif --preview --overwrite

# 6. For others: one file for an archive; a server for the building.
step scopezoo dataset publish cells-two-scopes -o cells-two-scopes.zip
printf '\n$ %s\n' "scopezoo serve --models wf-to-confocal.zip --datasets cells-two-scopes.zip" >&2
: >server.log
scopezoo serve --models wf-to-confocal.zip --datasets cells-two-scopes.zip \
  --port 0 --folder server 2>server.log &
server=$!
trap 'kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true' EXIT
until address=$(grep -o 'http://[0-9.:]*' server.log); do
  kill -0 "$server"
  sleep 0.2
done
step "$python" - "$address" wf-to-confocal "$image" there.tif <<'PYTHON'
import sys
import scopezoo

address, model, image, result = sys.argv[1:]
with scopezoo.connect(address) as client:
    client.predict(model, image, result, overwrite=True)
PYTHON
step cmp here.tif there.tif
step scopezoo dataset pull "$address/api/v1/datasets/cells-two-scopes" -o pulled --split test
