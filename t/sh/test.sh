# ./build.sh test, fuzz and coverage. Sourced by build.sh.

# Everything ends up as programs that speak TAP, for one prove.
run_tests() {
  local tests=()
  need_packages "${build_packages[@]}" "${test_packages[@]}"
  [ -n "${FAST:-}" ] || need_browser
  build
  build_units
  build_fuzzers
  shopt -s nullglob
  tests=("$out"/unit/test_* "$out"/unit-sanitize/test_*)
  programs tests
  tests+=(t/*.t)
  fuzz_tests "${FUZZ_SECONDS:-5}"
  tests+=("$out"/fuzz/tap/*)
  [ ${#tests[@]} -gt 0 ] || die "no tests are there"
  export TEST_NGINX_BINARY=$nginx HLS_MODULE=$module HLS_BUILD=$out HLS_PARAMS=$out/hls_proxy_params
  export NODE_PATH=$out/npm/node_modules FAST=${FAST:-}
  say "running ${#tests[@]} test programs"
  # shellcheck disable=SC2086
  prove --timer -I t/lib ${PROVE_FLAGS:-} "${tests[@]}"
}

# programs <array>: leaves only executables that the present sources make.
programs() {
  local -n list=$1
  local kept=() file name
  for file in "${list[@]}"; do
    name=${file##*/}
    [ ! -x "$file" ] || [ ! -f "t/unit/$name.cpp" ] || kept+=("$file")
  done
  list=("${kept[@]}")
}

build_units() {
  local log=$out/unit.log
  [ -f t/unit/Makefile ] || return 0
  logged "$log" "building the unit tests" make -C t/unit -j "$jobs" BUILD="$out/unit"
  logged "$log" "building the unit tests with AddressSanitizer and UBSan" \
    make -C t/unit -j "$jobs" BUILD="$out/unit" SANITIZE=1
}

# ---- browsers

need_browser() {
  need_packages chromium
  command -v node >/dev/null && command -v npm >/dev/null || need_packages nodejs npm ca-certificates
  install_npm_packages
}

# By name from npm's registry: those of t/*/package.json, or the two that the browser tests are known to use.
install_npm_packages() {
  local wanted installed=$out/npm/wanted.json
  prepare_out
  mkdir -p "$out/npm"
  wanted=$(ls t/*/package.json 2>/dev/null | head -n 1)
  [ -n "$wanted" ] || { wanted=$out/npm/default.json; default_npm_packages > "$wanted"; }
  ! cmp -s "$wanted" "$installed" || return 0
  cp "$wanted" "$out/npm/package.json"
  logged "$out/npm.log" "installing the npm packages of the browser tests" \
    npm install --prefix "$out/npm" --no-audit --no-fund --ignore-scripts --loglevel http
  cp "$wanted" "$installed"
}

default_npm_packages() {
  echo '{"private": true, "dependencies": {"hls.js": "^1.5", "playwright-core": "^1.40"}}'
}

# ---- fuzzers

build_fuzzers() {
  [ -f t/fuzz/Makefile ] || return 0
  logged "$out/fuzz.log" "building the fuzzers" make -C t/fuzz -j "$jobs" BUILD="$out/fuzz"
}

fuzzers() { find "$out/fuzz" -maxdepth 1 -type f -name 'fuzz_*' -executable 2>/dev/null | sort; }

# fuzz_command <fuzzer> <seconds>: what it finds is kept from run to run; what is committed is only read.
fuzz_command() {
  local name=${1##*/} seeds
  mkdir -p "$out/fuzz/corpus/$name" "$out/fuzz/findings"
  printf '%q ' "$1" -max_total_time="$2" -print_final_stats=1 -artifact_prefix="$out/fuzz/findings/$name-"
  [ ! -f t/fuzz/hls.dict ] || printf '%q ' -dict="$root/t/fuzz/hls.dict"
  printf '%q ' "$out/fuzz/corpus/$name"
  for seeds in "t/fuzz/corpus/$name" "t/fuzz/seeds/$name"; do
    [ ! -d "$seeds" ] || printf '%q ' "$root/$seeds"
  done
}

# fuzz_tests <seconds>: a TAP program for each fuzzer.
fuzz_tests() {
  local fuzzer name
  rm -rf "$out/fuzz/tap"
  while read -r fuzzer; do
    name=${fuzzer##*/}
    mkdir -p "$out/fuzz/tap"
    cat > "$out/fuzz/tap/$name" <<END
#!/bin/sh
echo 1..1
$(fuzz_command "$fuzzer" "$1") >'$out/fuzz/$name.log' 2>&1 && echo 'ok 1 - $name for $1 s' && exit 0
echo 'not ok 1 - $name'
tail -n 40 '$out/fuzz/$name.log' | sed 's/^/# /' >&2
exit 1
END
    chmod 755 "$out/fuzz/tap/$name"
  done < <(fuzzers)
}

fuzz() {
  local fuzzer failed=0
  [[ $1 =~ ^[0-9]+$ ]] || die "fuzz takes a number of seconds, not $1"
  need_packages "${build_packages[@]}" "${test_packages[@]}"
  prepare_out
  build_fuzzers
  [ -n "$(fuzzers)" ] || die "no fuzzers are there"
  while read -r fuzzer; do
    say "${fuzzer##*/} for $1 s"
    eval "$(fuzz_command "$fuzzer" "$1")" </dev/null || failed=1
  done < <(fuzzers)
  [ "$failed" = 0 ] || die "a fuzzer found something: see $out/fuzz/findings"
}

# ---- coverage

coverage() {
  local dir=$out/coverage test
  need_packages "${build_packages[@]}" "${unit_packages[@]}"
  prepare_out
  logged "$out/coverage.log" "building the unit tests for gcov" \
    make -C t/unit -j "$jobs" BUILD="$dir" CXXFLAGS="-O0 --coverage" LDFLAGS=--coverage
  find "$dir" -name '*.gcda' -delete
  say "running them"
  for test in "$dir"/test_*; do
    [ ! -f "t/unit/${test##*/}.cpp" ] || "$test" >/dev/null 2>&1 || echo "${test##*/} fails"
  done
  gcov -n -s "$root" -o "$dir/core" "$dir"/core/*.gcda 2>/dev/null | coverage_table
}

# Two lines of gcov for each source: its name, and "Lines executed:95.00% of 120".
coverage_table() {
  awk -F "[:'% ]+" '
    /^File / { file = $2; next }
    /^Lines executed/ && file ~ /src\/core\/[^\/]*\.cpp$/ {
      sub(/.*\//, "", file)
      printf "%7.1f%% of %5d  %s\n", $3, $5, file
      lines += $5; run += $3 * $5 / 100
    }
    { file = "" }
    END { if (lines) printf "%7.1f%% of %5d  src/core\n", 100 * run / lines, lines }'
}
