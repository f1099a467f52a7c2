#!/usr/bin/env bash
# The one command of the project: ./build.sh help

set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

root=$PWD
out=$root/.build
module=$out/ngx_http_hls_proxy_module.so
nginx=${TEST_NGINX_BINARY:-nginx}
nginx_source=${NGINX_SOURCE:-/usr/share/nginx/src}
hardening="-fstack-protector-strong -Wformat -Werror=format-security -D_FORTIFY_SOURCE=2"
jobs=$(nproc 2>/dev/null || echo 2)
PATH=$PATH:/usr/sbin:/sbin   # nginx and ss, for a plain user

build_packages=(nginx nginx-dev g++ make libssl-dev zlib1g-dev libbrotli-dev nlohmann-json3-dev)
run_packages=(curl openssl)
unit_packages=(perl libcmocka-dev libcurl4-openssl-dev libpcre2-dev)
test_packages=("${unit_packages[@]}" curl openssl clang libclang-rt-dev llvm ffmpeg)
bench_packages=(perl curl libnginx-mod-http-js libnginx-mod-http-lua)

usage() {
  cat <<'END'
usage: ./build.sh <verb>

  run              build, start nginx with nginx.conf.example from .build/run, stop it with Ctrl-C
  test             build and run all tests (FAST=1: without browsers; PROVE_FLAGS=-v)
  build            build the module into .build
  install          install the module and hls_proxy_params where nginx looks for them (DESTDIR=)
  bench            compare the worker's CPU time per request with a plain proxy_pass
  fuzz [seconds]   run every fuzzer for so long (default: 600)
  coverage         line coverage of src/core by the unit tests
  clean            remove .build

run, test, build, bench, fuzz and coverage install the Debian packages that are missing (root or sudo).

  PORT=8080             port of run
  NGINX_SOURCE=dir      nginx sources to build against (default: those of Debian's nginx-dev)
  TEST_NGINX_BINARY=file  nginx to run (default: the installed one)
  NO_APT=1              install nothing, use what is there
END
}

say() { printf '\033[1m==> %s\033[0m\n' "$*"; }
die() { printf 'build.sh: %s\n' "$*" >&2; exit 1; }

[ -t 1 ] || say() { printf '==> %s\n' "$*"; }

# ---- packages

# need_packages <package...>: installs those that are missing.
need_packages() {
  local missing
  [ -z "${NO_APT:-}" ] || return 0
  command -v apt-get >/dev/null && command -v dpkg-query >/dev/null ||
    die "needs Debian or Ubuntu with apt; elsewhere install the like of: $* (then NO_APT=1 ./build.sh ...)"
  mapfile -t missing < <(missing_packages "$@")
  [ ${#missing[@]} -gt 0 ] || return 0
  [ "$(id -u)" = 0 ] || command -v sudo >/dev/null ||
    die "needs root or sudo to run: apt-get install ${missing[*]}"
  say "installing ${missing[*]}"
  install_packages "${missing[@]}"
}

missing_packages() {
  local package
  for package; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || echo "$package"
  done
}

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

install_packages() {
  local held=
  if [[ " $* " == *" nginx "* ]] && [ ! -e /usr/sbin/policy-rc.d ]; then
    held=/usr/sbin/policy-rc.d   # keeps Debian's nginx from starting on port 80, only while it is installed
    trap 'as_root rm -f /usr/sbin/policy-rc.d' EXIT
    printf '#!/bin/sh\nexit 101\n' | as_root tee "$held" >/dev/null
    as_root chmod 755 "$held"
  fi
  as_root apt-get -q update || true   # the lists at hand may do
  as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 \
    apt-get -q -y -o DPkg::Lock::Timeout=300 -o Dpkg::Use-Pty=0 install --no-install-recommends "$@" ||
    die "apt-get could not install: $*"
  if [ -n "$held" ]; then
    as_root rm -f "$held"
    trap - EXIT
    ! command -v systemctl >/dev/null || as_root systemctl -q disable nginx 2>/dev/null || true
    say "Debian's own nginx service was left off (systemctl enable --now nginx starts it)"
  fi
}

# ---- building

# logged <log> <what> <command...>: a dot for every file; a failure shows the log's end.
logged() {
  local log=$1 what=$2
  shift 2
  say "$what"
  "$@" 2>&1 | tee "$log" | dots || { tail -n 60 "$log" >&2; die "failed: $what (all of it: $log)"; }
}

dots() {
  local line some=
  while IFS= read -r line; do
    case $line in
      *.cpp | *.cpp\ * | 'checking for '*' found' | 'npm http '*) printf .; some=1 ;;
    esac
  done
  [ -z "$some" ] || echo
}

prepare_out() {
  [[ $root != *[[:space:]]* ]] || die "nginx cannot be built below a path with blanks: $root"
  mkdir -p "$out" 2>/dev/null && [ -w "$out" ] ||
    die "$out cannot be written to: was it made by root? remove it"
}

# nginx's configure writes into its own directory: a directory of links to it serves, and nothing is touched.
link_nginx_source() {
  [ -x "$nginx_source/configure" ] || [ -x "$nginx_source/auto/configure" ] ||
    die "no nginx sources in $nginx_source (Debian: apt-get install nginx-dev)"
  rm -rf "$out/nginx"
  mkdir -p "$out/nginx"
  ln -s "$nginx_source"/* "$out/nginx/"
  rm -f "$out/nginx/Makefile" "$out/nginx/objs"
}

configure_nginx() (
  cd "$out/nginx"
  NGX_CONF_FLAGS=(--with-compat --with-threads --with-http_ssl_module --with-http_v2_module)
  [ ! -f conf_flags ] || . ./conf_flags   # Debian's: how its nginx was configured
  [ -x configure ] || ln -s auto/configure configure   # a checkout of nginx has it there
  ./configure "${NGX_CONF_FLAGS[@]}" --builddir="$out/objs" --add-dynamic-module="$root" \
    --with-cc-opt="-g -O2 -fPIC $hardening ${CC_OPT:-}" \
    --with-ld-opt="-Wl,-z,relro -Wl,-z,now -fPIC ${LD_OPT:-}"
)

# What a configured tree depends on: it is kept as long as this stays the same.
configuration() {
  printf '%s\n' "$nginx_source" "${CC:-}" "${CC_OPT:-}" "${LD_OPT:-}" src/*/*
  cat config "$nginx_source/src/core/nginx.h"
}

build() {
  need_packages "${build_packages[@]}"
  prepare_out
  if [ ! -f "$out/objs/Makefile" ] || [ "$(configuration)" != "$(cat "$out/configured" 2>/dev/null)" ]; then
    rm -f "$out/configured"
    link_nginx_source
    logged "$out/configure.log" "configuring nginx's build" configure_nginx
    configuration > "$out/configured"
  fi
  logged "$out/build.log" "building the module" \
    make -C "$out/nginx" -j "$jobs" -f "$out/objs/Makefile" modules
  install -m 644 "$out/objs/${module##*/}" "$module.new"
  mv "$module.new" "$module"   # a running nginx keeps the old file
  cp src/nginx/hls_proxy_params "$out/"
}

install_module() {
  local flags modules conf
  build
  flags=$("$nginx" -V 2>&1)
  modules=$(sed -nE 's/.*--modules-path=([^ ]+).*/\1/p' <<<"$flags")
  conf=$(sed -nE 's/.*--conf-path=([^ ]+).*/\1/p' <<<"$flags")
  [ -n "$modules" ] && [ -n "$conf" ] || die "$nginx -V names no --modules-path and --conf-path"
  install -D -m 644 "$module" "${DESTDIR:-}$modules/${module##*/}" &&
    install -D -m 644 src/nginx/hls_proxy_params "${DESTDIR:-}${conf%/*}/hls_proxy_params" ||
    die "cannot write there: run as root, or set DESTDIR"
  say "installed $modules/${module##*/} and ${conf%/*}/hls_proxy_params"
  echo "Put this at the top of ${conf}, then: nginx -t && nginx -s reload"
  echo "    load_module $modules/${module##*/};"
}

# ---- the other verbs

load() { . "$root/t/sh/$1.sh"; }

bench() {
  need_packages "${bench_packages[@]}"
  build
  [ -x t/bench/run ] || die "t/bench/run is not there"
  export TEST_NGINX_BINARY=$nginx HLS_MODULE=$module HLS_BUILD=$out
  t/bench/run "$@"
}

case ${1:-help} in
  build) build; say "built $module" ;;
  install) install_module ;;
  run) load run; run ;;
  test) load test; run_tests ;;
  fuzz) load test; fuzz "${2:-600}" ;;
  coverage) load test; coverage ;;
  bench) shift; bench "$@" ;;
  clean) rm -rf "$out" ;;
  help | -h | --help) usage ;;
  *) usage >&2; die "no such verb: $1" ;;
esac
