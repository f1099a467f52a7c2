use strict;
use warnings;
use lib 't/lib';
use Test::More;
use HlsTest;

# What nginx -t says of configurations that cannot work: the directive, and what to do.

my $secret = "hls_proxy_secret '0123456789abcdef0123';";
my $source = 'hls_proxy_source s { key p; entry /entry; url http://127.0.0.1/$p; }';
my $params = HlsTest::Nginx->params_file;
my $refresh = 'location @hls_refresh { hls_proxy_refresh; }';
my $link = "location /hls/ { include $params; } $refresh";
my $zone = 'hls_proxy_zone hls:1m;';

sub check { my (%opt) = @_; return HlsTest::Nginx->check_config(server => '', %opt) }
sub in_source { my ($lines) = @_; return "$secret hls_proxy_source s { key p q=^\\d+\$; url http://127.0.0.1/\$p; $lines }" }
sub resolved { my ($lines) = @_; return "$secret $zone hls_proxy_source s { key p; resolver /_resolve; $lines }" }

my ($status, $text) = check(http => "$secret $source",
  server => "$link location = /entry { hls_proxy_entry s; }");
is($status, 0, 'a good configuration') or diag $text;
unlike($text, qr/\[(?:warn|emerg|error)\]/, 'without a warning');

# [what, http, server, what the message says...]
my @bad = (
  ['a short secret', "hls_proxy_secret short;", '', qr/hls_proxy_secret/, qr/16/],
  ['a short second secret', "hls_proxy_secret '0123456789abcdef0123' short;", '', qr/hls_proxy_secret/,
    qr/16/],
  ['an empty secret', "hls_proxy_secret '';", '', qr/hls_proxy_secret/],
  ['no value', 'hls_proxy_secret;', '', qr/hls_proxy_secret/],
  ['a secret file that is not there', 'hls_proxy_secret file:/nonexistent/secret;', '',
    qr{/nonexistent/secret}, qr/No such file/],
  ['a path taken for a secret', 'hls_proxy_secret /etc/nginx/hls.secret;', '', qr/secret/, qr{file:/path}],
  ['a variable taken for a secret', 'hls_proxy_secret $hls_secret_of_the_server;', '', qr/secret/, qr/env:NAME/],
  ['hosts without that of the url', in_source('hosts cdn.example;'), '', qr/hosts/, qr/url/],
  ['a secret from an unset variable', 'hls_proxy_secret env:HLS_TEST_NOT_SET;', '', qr/HLS_TEST_NOT_SET/],
  ['secrets twice', "$secret $secret", '', qr/hls_proxy_secret.*duplicate/],
  ['links without a secret', $source, $link, qr/hls_proxy_secret/],
  ['an entry without a secret', $source, 'location = /e { hls_proxy_entry s; }', qr/hls_proxy_secret/],
  ['an unknown source', $secret, 'location = /e { hls_proxy_entry nope; }', qr/hls_proxy_entry/, qr/"nope"/],
  ['an entry without a source', "$secret $source", 'location = /e { hls_proxy_entry; }', qr/hls_proxy_entry/,
    qr/number of arguments/],
  ['an argument that is no key', "$secret $source", 'location = /e { hls_proxy_entry s nope=1; }',
    qr/hls_proxy_entry/, qr/nope/],
  ['an argument without a value', "$secret $source", 'location = /e { hls_proxy_entry s p; }',
    qr/hls_proxy_entry/, qr/"p"/],
  ['two entries in a location', "$secret $source", 'location = /e { hls_proxy_entry s; hls_proxy_entry s; }',
    qr/hls_proxy_entry.*duplicate/],
  ['an unknown variable in an argument', "$secret $source", 'location = /e { hls_proxy_entry s p=$nope; }',
    qr/nope/],
  ['a source twice', "$secret $source $source", '', qr/hls_proxy_source/, qr/"s".*duplicate|duplicate.*"s"/],
  ['a source without a name', "$secret hls_proxy_source { }", '', qr/hls_proxy_source/],
  ['a source without a url', "$secret hls_proxy_source s { key p; }", '', qr/hls_proxy_source/, qr/"url"/],
  ['a source in a server', $secret, $source, qr/hls_proxy_source.*not allowed here/],
  ['an unknown directive in a source', in_source('frobnicate 1;'), '', qr/hls_proxy_source/, qr/frobnicate/,
    qr/\bkey\b.*\burl\b/],
  ['a block without its end', "$secret hls_proxy_source s { key p; url http://127.0.0.1/\$p;", '',
    qr/unexpected/],
  ['a key twice', "$secret hls_proxy_source s { key p p; url http://127.0.0.1/; }", '', qr/hls_proxy_source/,
    qr/"p"/],
  ['keys twice', in_source('key z;'), '', qr/key.*duplicate/],
  ['a key of odd characters', "$secret hls_proxy_source s { key a-b; url http://127.0.0.1/; }", '', qr/a-b/],
  ['a key that entries use', "$secret hls_proxy_source s { key sig; url http://127.0.0.1/; }", '', qr/sig/],
  ['a key that until uses', "$secret hls_proxy_source s { key until; url http://127.0.0.1/; }", '',
    qr/until/],
  ['a bad regex', "$secret hls_proxy_source s { key p=^(; url http://127.0.0.1/; }", '', qr/\^\(/],
  ['a url with an unknown name', "$secret hls_proxy_source s { key p; url http://127.0.0.1/\$nope; }", '',
    qr/nope/, qr/\bp\b/],
  ['a url before its key', "$secret hls_proxy_source s { url http://127.0.0.1/\$p; key p; }", '', qr/\bp\b/,
    qr/key/],
  ['a url of another scheme', "$secret hls_proxy_source s { key p; url ftp://127.0.0.1/\$p; }", '', qr/url/,
    qr{http}],
  ['a url without a host', "$secret hls_proxy_source s { key p; url http:///x; }", '', qr/url/],
  ['a url with a bad port', "$secret hls_proxy_source s { key p; url http://127.0.0.1:99999/x; }", '',
    qr/url/],
  ['two urls', in_source('url http://127.0.0.1/;'), '', qr/url.*duplicate/],
  ['a header without a value', in_source('header Referer;'), '', qr/header/],
  ['a header with a bad name', in_source('header "Bad Name" x;'), '', qr/header/, qr/Bad Name/],
  ['a header with a line break', in_source("header Referer \"a\r\nX: y\";"), '', qr/header/],
  ['a header that is not for users', in_source('header Host x;'), '', qr/header/, qr/Host/],
  ['the length as a header', in_source('header content-length 5;'), '', qr/header/, qr/content-length/i],
  ['a header with an unknown name', in_source('header Referer http://x/$nope;'), '', qr/nope/],
  ['a host pattern with a scheme', in_source('hosts http://cdn.example;'), '', qr/hosts/],
  ['a host pattern with stars inside', in_source('hosts a.*.example;'), '', qr/hosts/],
  ['a host pattern with a path', in_source('hosts cdn.example/x;'), '', qr/hosts/],
  ['a host pattern with a bad port', in_source('hosts cdn.example:x;'), '', qr/hosts/],
  ['no host', in_source('hosts;'), '', qr/hosts/],
  ['no volatile argument', in_source('volatile;'), '', qr/volatile/],
  ['an entry that is no path', in_source('entry here;'), '', qr/entry/],
  ['a bad ttl', "$secret hls_proxy_link_ttl soon;", '', qr/hls_proxy_link_ttl/, qr/soon/],
  ['a ttl of nothing', "$secret hls_proxy_link_ttl 0;", '', qr/hls_proxy_link_ttl/],
  ['a bad playlist ttl', "$secret hls_proxy_link_ttl 1h playlist=x;", '', qr/hls_proxy_link_ttl/],
  ['an unknown ttl', "$secret hls_proxy_link_ttl 1h media=1h;", '', qr/hls_proxy_link_ttl/, qr/media/],
  ['a bad size', "$secret hls_proxy_max_playlist big;", '', qr/hls_proxy_max_playlist/],
  ['no on or off', $secret, 'location / { hls_proxy maybe; }', qr/hls_proxy/, qr/maybe/],
  ['an unknown auth', $secret, 'hls_proxy_auth basic;', qr/hls_proxy_auth|basic/, qr/basic/],
  ['apikey without a key', "$secret $source", 'location = /e { hls_proxy_entry s; hls_proxy_auth apikey; }',
    qr/hls_proxy_api_key/],
  ['a short API key', "$secret hls_proxy_api_key short;", '', qr/hls_proxy_api_key/, qr/16/],
  ['a zone without a size', "$secret hls_proxy_zone hls;", '', qr/hls_proxy_zone/, qr/"hls"/, qr/hls:32m/],
  ['a zone without a name', "$secret hls_proxy_zone :32m;", '', qr/hls_proxy_zone/, qr/":32m"/, qr/hls:32m;/],
  ['a zone with an empty size', "$secret hls_proxy_zone hls:;", '', qr/hls_proxy_zone/, qr/hls:32m/],
  ['a zone with a bad size', "$secret hls_proxy_zone hls:big;", '', qr/hls_proxy_zone/, qr/"hls:big"/, qr/hls:32m/],
  ['a zone with a negative size', "$secret hls_proxy_zone hls:-1;", '', qr/hls_proxy_zone/, qr/hls:32m/],
  ['a zone that is too small', "$secret hls_proxy_zone hls:127k;", '', qr/hls_proxy_zone/, qr/"hls:127k"/,
    qr/at least 128k/],
  ['two zones', "$secret $zone $zone", '', qr/hls_proxy_zone.*duplicate/],
  ['two zones of two names', "$secret $zone hls_proxy_zone other:1m;", '', qr/hls_proxy_zone.*duplicate/],
  ['a zone in a server', $secret, $zone, qr/hls_proxy_zone.*not allowed here/],
  ['a zone without a value', "$secret hls_proxy_zone;", '', qr/hls_proxy_zone/, qr/number of arguments/],
  ['a source with nothing', "$secret hls_proxy_source s { key p; }", '', qr/"s"/, qr/"url"/, qr/"resolver"/],
  ['a resolver without a zone', "$secret hls_proxy_source s { key p; resolver /_resolve; }", '',
    qr/hls_proxy_source "s"/, qr/"resolver" needs hls_proxy_zone/, qr/"hls_proxy_zone hls:32m;" to http/],
  ['a resolver beside a url', in_source('resolver /_resolve;'), '', qr/"url" and "resolver" exclude/, qr/keep "url"/],
  ['a url beside a resolver', resolved('url http://127.0.0.1/;'), '', qr/"url" and "resolver" exclude/,
    qr/keep .*"resolver"/],
  ['two resolvers', resolved('resolver /other;'), '', qr/"resolver" is duplicate/],
  ['a resolver without a value', "$secret $zone hls_proxy_source s { resolver; }", '', qr/number of arguments/,
    qr/"resolver"/],
  ['a resolver with two values', "$secret $zone hls_proxy_source s { resolver /a /b; }", '',
    qr/number of arguments/],
  ['a resolver that is an address', "$secret $zone hls_proxy_source s { resolver 127.0.0.53; }", '',
    qr/resolver "127\.0\.0\.53"/, qr{resolver /_resolve;}],
  ['a resolver that is a named location', "$secret $zone hls_proxy_source s { resolver \@resolve; }", '',
    qr/resolver "\@resolve"/, qr{resolver /_resolve;}],
  ['a resolver of nothing', "$secret $zone hls_proxy_source s { resolver ''; }", '', qr{resolver /_resolve;}],
  (map { ["a resolver with '$_'", "$secret $zone hls_proxy_source s { key p; resolver '/r${_}p'; }", '',
    qr{resolver "/r}, qr/plain path/] } '?', '#', ' ', '$', "\t"),
  ['a bad time of an answer', resolved('ttl soon;'), '', qr/ttl/, qr/"soon"/, qr/5m stale=1h/],
  ['no time of an answer', resolved('ttl 0;'), '', qr/ttl/, qr/"0"/, qr/5m stale=1h/],
  ['milliseconds of an answer', resolved('ttl 500ms;'), '', qr/ttl/, qr/"500ms"/],
  ['an endless time of an answer', resolved('ttl 11y;'), '', qr/ttl/, qr/"11y"/],
  ['a bad stale time', resolved('ttl 5m stale=x;'), '', qr/ttl/, qr/"x"/, qr/5m stale=1h/],
  ['a stale time of nothing', resolved('ttl 5m stale=;'), '', qr/ttl/, qr/""/],
  ['an unknown argument of ttl', resolved('ttl 5m 1h;'), '', qr/ttl/, qr/"1h"/, qr/5m stale=1h/],
  ['stale alone', resolved('ttl stale=1h;'), '', qr/ttl/, qr/"stale=1h"/, qr/5m stale=1h/],
  ['too much of ttl', resolved('ttl 5m stale=1h stale=2h;'), '', qr/number of arguments/, qr/"ttl"/],
  ['two ttls', resolved('ttl 5m; ttl 6m;'), '', qr/"ttl" is duplicate/],
  ['a bad cooldown', resolved('cooldown later;'), '', qr/cooldown/, qr/"later"/, qr/cooldown \d+s;/],
  ['a negative cooldown', resolved('cooldown -1s;'), '', qr/cooldown/, qr/"-1s"/],
  ['two cooldowns', resolved('cooldown 0; cooldown 1s;'), '', qr/"cooldown" is duplicate/],
  ['a bad deadline', resolved('deadline late;'), '', qr/deadline/, qr/"late"/, qr/deadline \d+s;/],
  ['no deadline', resolved('deadline 0;'), '', qr/deadline/, qr/"0"/],
  ['two deadlines', resolved('deadline 1s; deadline 1s;'), '', qr/"deadline" is duplicate/],
  ['a bad refresh_before', resolved('refresh_before dawn;'), '', qr/refresh_before/, qr/"dawn"/,
    qr/refresh_before \d+s;/],
  ['two of refresh_before', resolved('refresh_before 1s; refresh_before 1s;'), '', qr/"refresh_before" is duplicate/],
  ['refresh_on of nothing', resolved('refresh_on;'), '', qr/number of arguments/, qr/"refresh_on"/],
  ['refresh_on of a word', resolved('refresh_on 403 panic;'), '', qr/refresh_on/, qr/"panic"/, qr/timeout/, qr/invalid/],
  ['refresh_on off', resolved('refresh_on off;'), '', qr/refresh_on/, qr/"off"/],
  ['refresh_on a server error', resolved('refresh_on 403 503;'), '', qr/refresh_on/, qr/"503"/, qr/"error"/, qr/499/],
  ['refresh_on success', resolved('refresh_on 200;'), '', qr/refresh_on/, qr/"200"/, qr/400 to 499/],
  ['refresh_on a redirect', resolved('refresh_on 399;'), '', qr/refresh_on/, qr/"399"/, qr/400 to 499/],
  ['refresh_on beyond', resolved('refresh_on 4030;'), '', qr/refresh_on/, qr/"4030"/],
  ['refresh_on half a number', resolved('refresh_on 40x;'), '', qr/refresh_on/, qr/"40x"/],
  ['refresh_on a status twice', resolved('refresh_on 403 404 403;'), '', qr/refresh_on/, qr/"403" stands twice/],
  ['refresh_on a word twice', resolved('refresh_on timeout timeout;'), '', qr/refresh_on/, qr/"timeout" stands twice/],
  ['two of refresh_on', resolved('refresh_on 403; refresh_on 404;'), '', qr/"refresh_on" is duplicate/],
  ['a refresh with an argument', $secret, 'location @hls_refresh { hls_proxy_refresh on; }', qr/hls_proxy_refresh/,
    qr/number of arguments/],
  ['a refresh in a server', $secret, 'hls_proxy_refresh;', qr/hls_proxy_refresh.*not allowed here/],
  ['two refreshes', $secret, 'location @r { hls_proxy_refresh; hls_proxy_refresh; }', qr/hls_proxy_refresh.*duplicate/],
  ['a refresh beside an entry', "$secret $source", 'location /e { hls_proxy_entry s; hls_proxy_refresh; }',
    qr/hls_proxy_refresh.*beside another/],
  ['a status without a form', "$secret $zone", 'location /m { hls_proxy_status; }', qr/only prometheus yet/],
  ['a status in JSON', "$secret $zone", 'location /m { hls_proxy_status json; }', qr/only prometheus yet/],
  ['a status as a page', "$secret $zone", 'location /m { hls_proxy_status html; }', qr/only prometheus yet/],
  ['a status of two', "$secret $zone", 'location /m { hls_proxy_status prometheus json; }',
    qr/only prometheus yet/],
  ['two statuses', "$secret $zone", 'location /m { hls_proxy_status prometheus; hls_proxy_status prometheus; }',
    qr/hls_proxy_status.*duplicate/],
  ['a status without a zone', $secret, 'location /m { hls_proxy_status prometheus; }', qr/hls_proxy_status/,
    qr/hls_proxy_zone hls:32m;/],
  ['a status in a server', "$secret $zone", 'hls_proxy_status prometheus;', qr/hls_proxy_status.*not allowed here/],
  ['a base that is no path', "$secret hls_proxy_base hls;", '', qr/hls_proxy_base/],
  ['a base with a query', "$secret hls_proxy_base /hls?x=1;", '', qr/hls_proxy_base/],
  ['a public base without a scheme', "$secret hls_proxy_public_base tv.example;", '',
    qr/hls_proxy_public_base/],
);

for my $case (@bad) {
  my ($what, $http, $server, @says) = @$case;
  subtest $what => sub {
    my ($status, $text) = check(http => $http, server => $server);
    is($status, 1, 'refused');
    my ($line) = grep { /\[emerg\]/ } split /\n(?=\S)/, $text;
    like($line // "no [emerg] line: $text", $_, "says $_") for @says;
    like($line // '', qr/nginx\.conf:\d+/,
      'and where') if $what !~ /unknown variable/;   # nginx's own message
    unlike($text, qr/0123456789abcdef|\bshort\b/, 'never a secret');
    unlike($text, qr/signal|core dumped/, 'without a crash');
  };
}

subtest 'all variables of the interface' => sub {
  for my $name (qw(pass url uri host kind source key provider header_referer bind cache_key attempt refreshed link_state method)) {
    my ($status, $text) = check(http => "$secret log_format x \$hls_proxy_$name; access_log logs/x x;");
    is($status, 0, $name) or diag $text;
  }
};

subtest 'a source with a resolver' => sub {
  my %good = (
    'all of it' => 'ttl 5m stale=1h; cooldown 500ms; deadline 20s; refresh_before 30s; volatile token host; ' .
      'hosts cdn.example; header Referer https://x.example/$p; refresh_on 403 499 400 timeout error invalid;',
    'the least' => '',
    'stale of nothing' => 'ttl 1s stale=0;',
    'no cooldown' => 'cooldown 0;',
    'none in advance' => 'refresh_before 0;',
    'one word' => 'refresh_on invalid;',
    'ten years' => 'ttl 10y stale=10y; cooldown 3650d; deadline 3650d; refresh_before 10y;',
    'hosts, which no url has to be in' => 'hosts *.cdn.example;',
  );
  for my $what (sort keys %good) {
    my ($status, $text) = check(http => resolved($good{$what}),
      server => "$link location = /e { hls_proxy_entry s; } location = /_resolve { internal; return 404; }");
    is($status, 0, $what) or diag $text;
    unlike($text, qr/\[(?:warn|emerg|error)\]/, "$what: without a warning");
  }
  (my $late = resolved('')) =~ s/\Q$zone\E//;
  my ($status, $text) = check(http => "$late $zone", server => $link);
  is($status, 0, 'the zone may stand after it') or diag $text;
  ($status, $text) = check(http => "hls_proxy_zone hls:128k; $secret $source", server => $link);
  is($status, 0, 'a zone of the least size, without a resolver') or diag $text;
};

subtest 'what works, with a warning' => sub {
  my %odd = (
    'links without the place where refreshes go' => ["$secret $source",
      "location /hls/playlist/ { include $params; } location /hls/media/ { include $params; }",
      qr/server in \S+nginx\.conf:\d+ has no "location \@hls_refresh \{ hls_proxy_refresh; \}"/],
    'links below a level that has it on' => ["$secret $source hls_proxy on;", 'error_page 403 @hls_refresh;',
      qr/has no "location \@hls_refresh/],
    map { ("$_ without a resolver" => [in_source($_), $link,
            qr/source "s": "${\(split)[0]}" has no effect without "resolver"/]) }
      'ttl 5m;', 'cooldown 1s;', 'deadline 1s;', 'refresh_on 403;', 'refresh_before 1s;', 'max_resolves 3;');
  for my $what (sort keys %odd) {
    my ($http, $server, $message) = @{$odd{$what}};
    my ($status, $text) = check(http => $http, server => $server);
    is($status, 0, $what) or diag $text;
    like($text, $message, 'it is said');
    is(scalar(my @lines = $text =~ /\[warn\]/g), 1, 'once') or diag $text;
  }
};

subtest 'where errors lead' => sub {
  my %good = (
    'the location may stand before' => "$refresh location /hls/ { include $params; }",
    'a path' => "location /hls/ { include $params; error_page 403 /403.html; }",
    'a path with a variable' => "location /hls/ { include $params; error_page 403 \$uri; }",
    'not below hls_proxy' => "location /other/ { error_page 404 \@nowhere; } $link",
    'a status page below hls_proxy' => "hls_proxy on; location /m { hls_proxy_status prometheus; }" .
      'error_page 403 @hls_refresh; location @hls_refresh { hls_proxy_refresh; }',
  );
  $good{'a path'} .= $good{'a path with a variable'} =~ s{/hls/}{/else/}r;
  for my $what (sort keys %good) {
    my $server = $good{$what};
    $server .= $refresh unless $server =~ /hls_proxy_refresh/;
    my ($status, $text) = check(http => "$secret $source $zone", server => $server);
    is($status, 0, $what) or diag $text;
  }
};

subtest 'counters' => sub {
  my $nginx = HlsTest::Nginx->start(http => "$secret $zone", server => <<"END");
hls_proxy on;
location = /m { hls_proxy_status prometheus; }
location /if/ { hls_proxy_status prometheus; if (\$arg_x) { set \$x 1; } }
$refresh
END
  for my $uri ('/m', '/if/', '/if/?x=1') {
    my $r = $nginx->get($uri);
    is($r->{status}, 200, "$uri: for anybody, although hls_proxy is on above");
    is($r->header('Content-Type'), 'text/plain; version=0.0.4', 'its type');
  }
  my $text = $nginx->get('/m')->{body};
  my %labels = (
    hls_proxy_refreshes_total => [cause => qw(403 404 410 429 451 other timeout error invalid)],
    hls_proxy_rebinds_total => [rule => qw(entry same_path same_name same_place same_rendition)],
    hls_proxy_rebind_refusals_total => [reason => qw(other_provider not_remembered ambiguous moved outside_window
      other_structure incomplete fingerprint duration discontinuity date no_date encryption init_section byte_range
      gap no_rendition ambiguous_rendition)],
    map { $_ => [] } qw(hls_proxy_resolves_total hls_proxy_resolve_failures_total hls_proxy_waits_total
      hls_proxy_zone_evictions_total hls_proxy_zone_streams),
  );
  my (%want, %got);
  for my $name (keys %labels) {
    my ($label, @values) = @{$labels{$name}};
    $want{$name} = 1 unless $label;
    $want{"$name\{$label=\"$_\"}"} = 1 for @values;
    my $type = $name =~ /_total$/ ? 'counter' : 'gauge';
    like($text, qr/^# HELP $name \S.*\n# TYPE $name $type\n$name[ {]/m, "$name is described before its values");
  }
  for (split /\n/, $text) {
    next if /^#/;
    /^(\S+) (\d+)$/ ? $got{$1}++ : fail("a line of another form: $_");
  }
  is_deeply(\%got, \%want, 'all series, each once, and no other');
  like($text, qr/\n\z/, 'a line feed at the end');
  my $head = $nginx->head('/m');
  is_deeply([$head->{status}, $head->header('Content-Length'), $head->{body}], [200, length $text, ''], 'HEAD');
  my $post = $nginx->get('/m', method => 'POST');
  is($post->{status}, 405, 'POST');
};

subtest 'a base that no location serves' => sub {
  my ($status, $text) = check(http => "$secret $source",
    server => "$link location = /entry { hls_proxy_entry s; hls_proxy_base /elsewhere; }");
  is($status, 0, 'accepted');
  like($text, qr/\[warn\](?=.*hls_proxy_base).*\/elsewhere/, 'with a warning');
  ($status, $text) = check(http => "$secret $source", server => 'location = /entry { hls_proxy_entry s; }');
  like($text, qr/\[warn\](?=.*hls_proxy_base).*\/hls\//, 'the default base counts');
  ($status, $text) = check(http => "$secret $source hls_proxy_base /tv;",
    server => "location /tv/playlist/ { include $params; } location ~ ^/tv/media/ { include $params; } location = /entry { hls_proxy_entry s; } $refresh");
  is($status, 0, 'another base, regex locations');
  unlike($text, qr/\[warn\]/, 'served: no warning') or diag $text;
  ($status, $text) = check(http => "$secret $source",
    server => "hls_proxy_base https://tv.example/\$host/hls; location / { include $params; } location = /entry { hls_proxy_entry s; } $refresh");
  is($status, 0, 'an absolute base with variables');
};

subtest 'secrets from elsewhere' => sub {
  my $nginx = HlsTest::Nginx->new(server => '');
  my $file = $nginx->write_file('secret', "0123456789abcdef from a file\nsecond line\n");
  my ($status, $text) = check(http => "hls_proxy_secret file:$file; $source", server => $link);
  is($status, 0, 'a file') or diag $text;
  ($status, $text) = check(http => "hls_proxy_secret env:HLS_TEST_SECRET; $source", server => $link,
    env => { HLS_TEST_SECRET => '0123456789abcdef env' });
  is($status, 0, 'the environment') or diag $text;
  my $empty = $nginx->write_file('empty', "\n");
  ($status, $text) = check(http => "hls_proxy_secret file:$empty;");
  is($status, 1, 'an empty file is refused');
  like($text, qr/16/, 'for its length');

  my $origin = HlsTest::Origin->start;
  $origin->set('/live/x.m3u8', type => 'application/vnd.apple.mpegurl', body => "#EXTM3U\n");
  my %conf = relay_conf($origin, secret => "file:$file");
  my $relay = HlsTest::Nginx->start(%conf);
  is($relay->get(entry_uri(p => 'x.m3u8', -secret => '0123456789abcdef from a file'))->{status}, 200,
    'its first line, without the newline');
  $conf{http} =~ s/'file:[^']*'/env:HLS_TEST_SECRET/;
  my $env = HlsTest::Nginx->start(%conf, main => 'env HLS_TEST_SECRET;',
    env => { HLS_TEST_SECRET => '0123456789abcdef env' });
  is($env->get(entry_uri(p => 'x.m3u8', -secret => '0123456789abcdef env'))->{status}, 200, 'the variable');
  is($env->reload, 1, 'and after a reload');
  is($env->get(entry_uri(p => 'x.m3u8', -secret => '0123456789abcdef env'))->{status}, 200, 'still');
};

subtest 'inheritance' => sub {
  my $origin = HlsTest::Origin->start;
  $origin->set('/live/x.m3u8', type => 'application/vnd.apple.mpegurl',
    body => "#EXTM3U\n#EXTINF:1,\nx.ts\n");
  $origin->file('/live/x.ts', media_bytes(100));
  my $relay = start_relay($origin, http => 'hls_proxy_base /tv;', server => <<"END");
location /tv/ { include $params; }
location = /near { hls_proxy_entry s; hls_proxy_auth none; hls_proxy_base /near; }
location /near/ { include $params; hls_proxy_base /near; }
location /if/ { if (\$arg_p) { hls_proxy_entry s; } }
END
  my $r = $relay->get(entry_uri(p => 'x.m3u8'));
  my ($link) = $r->{body} =~ m{^(/\S+)}m;
  like($link, qr{^/tv/media/}, 'http level');
  is($relay->get($link)->{status}, 200, 'a link of it');
  ($link) = $relay->get('/near?p=x.m3u8')->{body} =~ m{^(/\S+)}m;
  like($link // '', qr{^/near/media/}, 'a location of its own');
  is($relay->get($link // '/none')->{status}, 200, 'a link of it');
  like($relay->get(entry_uri(-path => '/if/', p => 'x.m3u8'))->{body}, qr{^/tv/media/}m, 'inside of if');
};

finish();
