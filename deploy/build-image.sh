#!/bin/sh
# Inside the Dockerfile: a virtual environment in /opt/cairn with SERVICE ($1) alone and the locked packages that it needs.
set -eu
service=$1

python -m venv --without-pip /opt/cairn
into="pip --python /opt/cairn/bin/python install --quiet"

python deploy/images.py lock "$service" > /tmp/service.lock
$into --require-hashes -r /tmp/service.lock

mkdir /tmp/selected
python deploy/images.py select "$service" /tmp/selected
pip wheel --quiet --no-deps --no-build-isolation --wheel-dir /tmp/wheels /tmp/selected
$into --no-deps /tmp/wheels/cairn-*.whl
