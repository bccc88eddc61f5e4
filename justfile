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
proto:
    {{python}} -m grpc_tools.protoc --proto_path=proto --python_out=nc/pb --pyi_out=nc/pb proto/*.proto

# Fail when nc/pb is not what proto/ generates.
proto-check:
    tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT && \
    {{python}} -m grpc_tools.protoc --proto_path=proto --python_out="$tmp" --pyi_out="$tmp" proto/*.proto && \
    diff --recursive --exclude=__pycache__ --exclude=__init__.py "$tmp" nc/pb

# Run every benchmark; what they print goes into benchmarks/results/ too.
bench:
    mkdir -p benchmarks/results
    for name in rpc appends opening replay verify snapshot_pause page links \
            $(test "$(id -u)" = 0 && echo traffic); do \
        {{python}} benchmarks/$name.py | tee benchmarks/results/$name.txt || exit 1; \
    done
