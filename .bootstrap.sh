# Makes .venv when it is missing or when pyproject.toml changed. Sourced by ./pitlink and ./test, which
# set $extra to the extras they need ("[tui]" or "[dev]") and have changed into the project's folder.

fail() { printf '%s\n' "pitlink: $*" >&2; exit 1; }

python=${PITLINK_PYTHON:-python3}
command -v "$python" >/dev/null 2>&1 ||
    fail "no $python found. On Debian: apt-get install python3 python3-venv"
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$("$python" --version) is too old: Python 3.11 or newer is needed (PITLINK_PYTHON names another one)"

# On a Raspberry Pi lgpio comes with the system, and with it alone.
shared=
if "$python" -c 'import lgpio' 2>/dev/null; then
    shared=--system-site-packages
    grep -qsx "include-system-site-packages = true" .venv/pyvenv.cfg || rm -rf .venv
fi

made="$(cksum < pyproject.toml) $("$python" -c 'import sys; print(sys.executable, sys.version_info[:3])')"
want="$made $extra"
have() { [ -x .venv/bin/python ] && [ -f .venv/made-for ] && grep -qxF -- "$1" .venv/made-for; }

if ! have "$want"; then
    # An environment made with the dev extra serves ./pitlink as well.
    if [ "$extra" = "[dev]" ] || ! have "$made [dev]"; then
        printf '%s\n' "pitlink: making .venv (once; about 20 s)" >&2
        if command -v uv >/dev/null 2>&1; then
            [ -x .venv/bin/python ] || uv venv -q $shared --python "$python" .venv || fail "uv could not make .venv"
            uv pip install -q --python .venv/bin/python -e ".$extra" || fail "uv could not install what pyproject.toml asks for"
        else
            if ! "$python" -c 'import ensurepip, venv' >/dev/null 2>&1; then
                fail "the venv module of $python is missing. On Debian: apt-get install python3-venv"
            fi
            [ -x .venv/bin/pip ] || { rm -rf .venv; "$python" -m venv $shared .venv; } ||
                fail "could not make .venv. On Debian: apt-get install python3-venv"
            .venv/bin/pip install -q --disable-pip-version-check -e ".$extra" ||
                fail "could not install what pyproject.toml asks for (see above); is there a way to a package registry?"
        fi
        printf '%s\n' "$want" > .venv/made-for
    fi
fi
