# ./build.sh run: nginx with nginx.conf.example, from a private prefix. Sourced by build.sh.

prefix=${RUN_PREFIX:-$out/run}

run() {
  local port origin_port
  need_packages "${build_packages[@]}" "${run_packages[@]}"
  port=$(choose_port)
  build
  origin_port=$(free_port_from 8081 "$port")
  make_prefix "$port" "$origin_port"
  start_nginx
  wait_until_it_answers "$port"
  print_welcome "$port"
  tail -q -n 0 -F "$prefix/logs/access.log" 2>/dev/null &
  tail_pid=$!
  wait "$nginx_pid" || true
  stop_children
  die "nginx ended by itself: $(tail -n 3 "$prefix/logs/error.log" 2>/dev/null)"
}

# The port of the example's first server, or PORT; it must be free.
choose_port() {
  local port=${PORT:-$(example_port)}
  [[ $port =~ ^[0-9]{1,5}$ ]] && ((port > 0 && port < 65536)) || die "PORT=$port is not a port"
  ((port >= 1024)) || [ "$(id -u)" = 0 ] || die "port $port is for root: take one above 1023, as in PORT=8080"
  port_is_free "$port" ||
    die "port $port is taken: choose another one, as in PORT=$(free_port_from 8090) ./build.sh run"
  echo "$port"
}

example_port() { sed -nE 's/^ *listen +(.*:)?([0-9]+).*/\2/p' nginx.conf.example | head -n 1; }

port_is_free() { [ -z "$(ss -Hltn "sport = :$1")" ]; }

free_port_from() {
  local port=$1
  while [ "$port" = "${2:-}" ] || ! port_is_free "$port"; do port=$((port + 1)); done
  echo "$port"
}

# .build/run: the example with these ports, and the paths that Debian's nginx would look for elsewhere.
make_prefix() {
  local private="include private.conf;"
  mkdir -p "$prefix"/{conf,logs}
  exec 9>"$prefix/lock"   # nginx inherits it: the prefix is taken for as long as one is there
  flock -n 9 || die "a relay runs from $prefix already: stop that one first"
  rm -rf "$prefix/cache" "$prefix/temp"
  mkdir "$prefix/temp"
  ln -sfn "$out" "$prefix/modules"
  ln -sfn "$root/t" "$prefix/t"
  cp src/nginx/hls_proxy_params "$prefix/conf/"
  cp "$(mime_types)" "$prefix/conf/mime.types"
  printf '%s_temp_path temp/%s;\n' client_body body proxy proxy fastcgi fastcgi uwsgi uwsgi scgi scgi \
    > "$prefix/conf/private.conf"
  sed -E -e "s/^( *listen +)$(example_port);/\1$1;/" -e "s/127\.0\.0\.1:8081/127.0.0.1:$2/g" \
    -e "0,/^http \{/s//http { $private/" nginx.conf.example > "$prefix/conf/nginx.conf"
  [ -s "$prefix/conf/hls.secret" ] || (umask 077 && openssl rand -hex 32 > "$prefix/conf/hls.secret")
}

mime_types() {
  local conf
  conf=$("$nginx" -V 2>&1 | sed -nE 's/.*--conf-path=([^ ]+)\/.*/\1/p')
  echo "${conf:-/etc/nginx}/mime.types"
}

start_nginx() {
  local settings="daemon off; pid nginx.pid;"
  if [ "$(id -u)" = 0 ]; then
    settings+=" user $(worker_user);"
    [[ $settings != *"user root;"* ]] || say "only root can read $root: nginx's workers run as root"
  fi
  "$nginx" -t -q -p "$prefix/" -c conf/nginx.conf -g "$settings" ||
    die "nginx does not take nginx.conf.example"
  say "starting nginx"
  "$nginx" -p "$prefix/" -c conf/nginx.conf -g "$settings" &
  nginx_pid=$!
  trap 'stop INT' INT
  trap 'stop TERM' TERM HUP
  trap 'stop_children' EXIT
}

# For root: the least of users whose workers can read the sample, which may lie below /root.
worker_user() {
  local user
  for user in www-data nobody "$(stat -c %U "$root")"; do
    ! runuser -u "$user" -- test -r "$prefix/t/sample/master.m3u8" 2>/dev/null || { echo "$user"; return; }
  done
  echo root
}

stop() {
  trap '' INT TERM HUP
  stop_children
  say "nginx has stopped"
  exit 0
}

stop_children() {
  local pid
  trap - EXIT
  for pid in "${tail_pid:-}" "${nginx_pid:-}"; do
    [ -z "$pid" ] || ! kill -TERM "$pid" 2>/dev/null || wait "$pid" 2>/dev/null || true
  done
}

wait_until_it_answers() {
  local deadline=$((SECONDS + 15))
  until curl -s -m 2 -o /dev/null "http://127.0.0.1:$1/"; do
    kill -0 "$nginx_pid" 2>/dev/null || die "nginx did not start: $(tail -n 3 "$prefix/logs/error.log")"
    ((SECONDS < deadline)) || die "nginx does not answer on port $1 (see $prefix/logs/error.log)"
    sleep 0.1
  done
}

print_welcome() {
  local here="http://localhost:$1" secret sig
  secret=$(head -n 1 "$prefix/conf/hls.secret")
  sig=$(printf 'name=demo' | openssl dgst -sha256 -hmac "$secret" | sed 's/.*= *//')
  cat <<END

  Open      $here/
  Entry     $here/strm/hls/master?name=demo&sig=$sig
  Or try    curl -s $here/demo.m3u8
            ffplay $here/demo.m3u8

  The stream's URLs die after ten seconds. Play it, or ask for a playlist again when they are dead: a line
  with attempt=2 and upstream="403 : 200" is a request whose URL had died, and that got a fresh one.

  Counters  $here/metrics
  Files     $prefix  (conf/nginx.conf, logs/error.log)
  Stop it with Ctrl-C. Requests:

END
  curl -s -m 5 "$here/demo.m3u8" | head -c 7 | grep -q '#EXTM3U' ||
    echo "  ($here/demo.m3u8 does not answer with a playlist: see $prefix/logs/error.log)"
}
