# List the recipes.
default:
    @just --list --unsorted

python := ".venv/bin/python"

# Run a server with its data in ./data.
serve *args:
    .venv/bin/network-controller serve --data-dir data {{args}}

# Run the whole life of three nodes, and show the log of it.
demo:
    .venv/bin/network-controller demo

# Run the tests.
test *args:
    .venv/bin/pytest -n 3 {{args}}

# Run the longer searches too.
test-long *args:
    .venv/bin/pytest -n 3 -m "long or not long" {{args}}

# Hold the server to its laws.
check *args:
    .venv/bin/network-controller check {{args}}

# Lint, check the formatting and the types.
lint:
    .venv/bin/ruff check .
    .venv/bin/ruff format --check .
    .venv/bin/mypy

# Format, and mend what can be mended by itself.
fix:
    .venv/bin/ruff check --fix .
    .venv/bin/ruff format .

# Generate nc/pb from proto/.
proto: (generate "nc/pb")

# Fail when nc/pb is not what proto/ generates.
proto-check:
    tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT && {{just_executable()}} generate "$tmp" && \
    diff --recursive --exclude=__pycache__ --exclude=__init__.py "$tmp" nc/pb

# The files are known by their names below proto/, ours by `nc/pb/events.proto`, and in a descriptor
# pool of our own: a process may load other files of those names, such as a client's own stubs.
[private]
generate folder:
    tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT && mkdir -p "$tmp/nc/pb" && \
    {{python}} -m grpc_tools.protoc --proto_path=proto --python_out="$tmp" --pyi_out="$tmp" proto/nc/pb/*.proto && \
    {{python}} -m grpc_tools.protoc --proto_path=proto --python_out="$tmp/nc/pb" --pyi_out="$tmp/nc/pb" proto/*.proto && \
    sed -i 's/^from google.protobuf import descriptor_pool as _descriptor_pool$/from nc.pb import POOL as _POOL/; s/_descriptor_pool.Default()/_POOL/' "$tmp"/nc/pb/*_pb2.py && \
    cp "$tmp"/nc/pb/* {{folder}}

# Run every benchmark; what they print goes into benchmarks/results/ too.
bench:
    mkdir -p benchmarks/results
    for name in rpc appends opening replay verify snapshot_pause page links \
            $(test "$(id -u)" = 0 && echo traffic); do \
        {{python}} benchmarks/$name.py | tee benchmarks/results/$name.txt || exit 1; \
    done
