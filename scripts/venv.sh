# Read by ./check and ./try: makes .venv, once, and again when pyproject.toml has changed.
# NEEDS says for what: "local" to serve functions, "dev" to work on Penstock.
# PYTHON names another interpreter than python3.
if [ ! -f ".venv/.ready-$NEEDS" ] || [ pyproject.toml -nt ".venv/.ready-$NEEDS" ]; then
    python="${PYTHON:-python3}"
    if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
        echo "Penstock needs Python 3.11 or newer; name one with PYTHON=python3.12 $0" >&2
        exit 1
    fi
    echo "Setting up .venv (up to a minute, once) ..." >&2
    [ -d .venv ] || "$python" -m venv .venv
    if [ "$NEEDS" = dev ]; then
        # --group, which installs the tools, came with pip 25.1.
        .venv/bin/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
        .venv/bin/python -m pip install --quiet --editable '.[local]' --group dev
        # All that serves functions is in it.
        touch .venv/.ready-local
    else
        .venv/bin/python -m pip install --quiet --disable-pip-version-check --editable '.[local]'
    fi
    touch ".venv/.ready-$NEEDS"
fi
