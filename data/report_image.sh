#!/bin/sh
# Makes data/report.png, the picture in the README: the top of the report on the bundled log.
# Needs chromium, and Python with Pillow (pip install pillow). Run from the crate's folder: sh data/report_image.sh
set -eu
page=$(mktemp -d)
trap 'rm -rf "$page"' EXIT
# REPORT may name a binary that is built already.
${REPORT:-cargo run --release --example report --} --orders data/online_retail_orders.csv --date-col timestamp \
    --segment-col country --horizon-days 60 --offers data/offers.json --budget 1500 --margin 0.3 \
    --title "A gift wholesaler: customers who stop buying" --out "$page/report.html"
chromium --headless --no-sandbox --hide-scrollbars --window-size=1060,1180 --screenshot="$page/report.png" \
    "file://$page/report.html"
python3 - "$page/report.png" data/report.png <<'PYTHON'
import sys
from PIL import Image
# Few colours are on the page: a palette makes the file a third as large, and nothing is seen of it.
Image.open(sys.argv[1]).convert("RGB").quantize(64).save(sys.argv[2], optimize=True)
PYTHON
