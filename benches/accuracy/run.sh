#!/usr/bin/env bash
# Compares winback with other models on the open logs, and prints a Markdown table.
#
#   bash benches/accuracy/run.sh [DATA_FOLDER]
#
# DATA_FOLDER (default: $WINBACK_DATA) holds cdnow_full.parquet, completejourney_orders_half.parquet and
# online_retail_orders.csv; a task whose file is missing is left out. The Python packages go into a
# virtual environment under $WINBACK_ACCURACY_WORK (default: ~/.cache/winback-accuracy), as do all
# files in between. WINBACK_BIN names a folder with built examples; without it they are built.
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
root="$(cd "$here/../.." && pwd)"
data="$(cd "${1:-${WINBACK_DATA:-$root/data}}" && pwd)"
work="${WINBACK_ACCURACY_WORK:-$HOME/.cache/winback-accuracy}"
mkdir -p "$work"
python="$work/venv/bin/python"
if ! cmp -s "$here/requirements.txt" "$work/requirements.txt"; then
    python3 -m venv "$work/venv"
    "$python" -m pip install --quiet --requirement "$here/requirements.txt"
    cp "$here/requirements.txt" "$work/requirements.txt"
fi
export PYTHONDONTWRITEBYTECODE=1 OMP_NUM_THREADS=1
bin="${WINBACK_BIN:-}"
if [ -z "$bin" ]; then
    (cd "$root" && cargo build --release --examples >&2)
    bin="${CARGO_TARGET_DIR:-$root/target}/release/examples"
fi
exec "$python" "$here/compare.py" "$data" "$bin" "$work"
