#!/usr/bin/env bash
# winback and its peers on the same seeded log, on this machine, in turns; writes a Markdown table.
#
#   bash benches/peers/run.sh                  12 M orders, 1 M customers
#   bash benches/peers/run.sh --large          100 M orders, 8 M customers, one cutoff; wants 64 GiB for all sides
#   bash benches/peers/run.sh --small          100 k orders: does it run, are results equal?
#   bash benches/peers/run.sh … --logs time --works one --repeat 9     anything that compare.py takes
#
# WINBACK_PEERS_DIR      where the environment, the logs and the table go; ~/.cache/winback/peers
# WINBACK_PEERS_PYTHON   a Python that has the packages of requirements.txt, instead of a new environment
# WINBACK_PEERS_THREADS  threads of every side; all cores
# WINBACK_PEERS_BINARY   the bench `peers`, built before, instead of building it
# WINBACK_PEERS_PREFIX   a command put before each measured one, such as `taskset -c 0,1`
set -euo pipefail
here="$(cd "$(dirname "$0")" && pwd)"
work="${WINBACK_PEERS_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/winback/peers}"
mkdir -p "$work"

export WINBACK_PEERS_THREADS="${WINBACK_PEERS_THREADS:-$(nproc)}"
export RAYON_NUM_THREADS="$WINBACK_PEERS_THREADS" POLARS_MAX_THREADS="$WINBACK_PEERS_THREADS"

name=orders customers=1000000 sortings=(time shuffled string)
options=()
case "${1:-}" in
    --large)
        name=large customers=8120000 sortings=(time shuffled)
        options=(--works one scores --logs time shuffled)
        shift
        ;;
    --small)
        name=small customers=8130
        shift
        ;;
esac

python="${WINBACK_PEERS_PYTHON:-}"
if [ -z "$python" ]; then
    python="$work/venv/bin/python"
    if ! cmp -s "$here/requirements.txt" "$work/venv/requirements.txt"; then
        python3 -m venv --clear "$work/venv"
        "$python" -m pip install --quiet --disable-pip-version-check -r "$here/requirements.txt"
        cp "$here/requirements.txt" "$work/venv/"
    fi
fi

binary="${WINBACK_PEERS_BINARY:-}"
[ -n "$binary" ] || binary="$(cd "$here/../.." && cargo bench --bench peers --no-run --message-format=json |
    "$python" -c 'import json, sys
for line in sys.stdin:
    told = json.loads(line)
    if told.get("executable") and told["target"]["name"] == "peers": print(told["executable"])')"

"$python" "$here/generate.py" --customers "$customers" --out "$work" --name "$name" --sortings "${sortings[@]}"
table="$work/$name.md"
"$python" "$here/compare.py" --binary "$binary" --data "$work" --name "$name" --out "$table" \
    ${options[@]+"${options[@]}"} "$@"

# Fitting and scoring matrices; not where a part of the works is asked for.
fitting=()
[ "$name" != small ] || fitting=(--rows 20000 --rounds 2)
if [ "$name" != large ] && [[ " $* " != *" --works "* ]]; then
    # shellcheck disable=SC2086  # the prefix is a command with its arguments
    ${WINBACK_PEERS_PREFIX:-} "$python" "$here/fit_score.py" --binary "$binary" --data "$work" \
        ${fitting[@]+"${fitting[@]}"} | tee -a "$table"
fi
echo "written to $table" >&2
