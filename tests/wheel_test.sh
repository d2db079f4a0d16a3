#!/usr/bin/env bash
# The built wheel, alone in a new environment: lists the collection and runs a model of it.
set -euo pipefail
repository=$(cd "$(dirname "$0")/.." && pwd)
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
wheel=$(ls -t "$repository"/dist/scopezoo-*.whl | head -n 1)
"$repository/.venv/bin/python" -m venv "$place/env"
"$place/env/bin/python" -m pip install --quiet --disable-pip-version-check \
  --constraint "$repository/constraints.txt" "$wheel[stardist]"
cp "$repository/examples/demo.py" "$place/demo.py"
cd "$place"
models=$(env/bin/scopezoo models)
[[ $models == *nuclei-stardist-2d* ]]
env/bin/python demo.py result
test -s result/nuclei.tif
test -s result/nuclei.csv
env/bin/python -c 'import importlib.util as u; assert u.find_spec("torch") is None, "torch came along"'
echo "the wheel works away from the sources, without torch"
