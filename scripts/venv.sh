# Read by ./check and ./try: makes .venv with Penstock and all its tools, once, and again
# when pyproject.toml has changed. PYTHON names another interpreter than python3.
if [ ! -f .venv/.ready ] || [ pyproject.toml -nt .venv/.ready ]; then
    python="${PYTHON:-python3}"
    if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
        echo "Penstock needs Python 3.11 or newer; name one with PYTHON=python3.12 $0" >&2
        exit 1
    fi
    echo "Setting up .venv (about a minute, once) ..." >&2
    "$python" -m venv .venv
    # --group, which installs the tools, came with pip 25.1.
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
    .venv/bin/python -m pip install --quiet --editable '.[local]' --group dev
    touch .venv/.ready
fi
