#!/bin/sh
# Install the locked packages of an image into /opt/tandem/venv: IMAGE VARIANT.
#
# Run by root in each Containerfile's stage `build`. uv, and what lists the image's content, go into
# /opt/build, which the image does not take over. The CPU build of PyTorch comes from its own index
# (or from UV_FIND_LINKS), by version: docs/adr/0004.
set -eu
image=$1
variant=$2
locks=/opt/tandem/locks

python3 -m venv /opt/build
/opt/build/bin/python -m pip install --quiet --no-cache-dir --require-hashes \
    -r $locks/bootstrap.txt -r $locks/sbom.txt
python3 -m venv --without-pip /opt/tandem/venv
into="--native-tls --no-cache --compile-bytecode --python /opt/tandem/venv/bin/python"
/opt/build/bin/uv pip install $into --require-hashes -r "$locks/image-$image-$variant.txt"
case "$image-$variant" in
data-cpu | pytorch-cpu)
    /opt/build/bin/uv pip install $into --no-deps --torch-backend cpu torch==2.13.0
    ;;
esac
