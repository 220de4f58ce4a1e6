#!/bin/sh
# Run a file with the first Python that works and is new enough: `sh tools/python.sh tools/setup.py local`.
# Each is started before it is chosen: pyenv has names for Pythons that it then does not start. PYTHON chooses one.

tried=
# Replace this process where the Python works; otherwise note why it does not.
try() {
    python=$1
    shift
    if ! command -v "$python" > /dev/null 2>&1; then
        tried="$tried  $python: not found
"
        return
    fi
    said=$("$python" -c 'import sys; print("is %d.%d" % sys.version_info[:2]); sys.exit(sys.version_info < (3, 11))' 2>&1 < /dev/null) &&
        exec "$python" "$@"
    tried="$tried  $python: ${said%%
*}
"
}

if [ -n "$PYTHON" ]; then
    try "$PYTHON" "$@"
else
    for name in python3 python3.14 python3.13 python3.12 python3.11; do
        try "$name" "$@"
    done
fi
echo "Python 3.11 or newer is needed. None of these will do:" >&2
printf '%s' "$tried" >&2
echo "Install a newer one, or set PYTHON=/path/to/python3.12" >&2
exit 1
