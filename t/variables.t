use strict;
use warnings;
use lib 't/lib';
use Test::More;
use HlsTest;

# $hls_proxy_* variables, in logs, headers and upstream groups of the user's own.

my $origin = HlsTest::Origin->start;
my $port = $origin->port;
my $type = 'application/vnd.apple.mpegurl';
my @names = qw(kind source key url uri host cache_key link_state provider bind pass method
               header_user_agent header_x_token header_absent);
my $log = join '|', map { "$_=\$hls_proxy_$_" } @names;
my $params = HlsTest::Nginx->params_file;

my $nginx = start_relay($origin, source => <<'END', http => <<"END2", server => <<'END3');
header User-Agent "Player/9";
header X-Token t-$p;
volatile token expires;
END
log_format hls escape=none '$log';
hls_proxy_source two { key site=^\\w+\$ n lang; entry /two; url http://127.0.0.1:$port/\$site/\$n.m3u8?token=\$lang&keep=1; volatile token host; }
END2
access_log logs/hls.log hls;
location = /two { hls_proxy_entry two; }
location = /plain { return 204; }
END3

$origin->set('/live/index.m3u8', type => $type,
  body => "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv/c.m3u8?token=1&a=%2F&expires=2&b\n"
  . "#EXT-X-STREAM-INF:BANDWIDTH=1\nv/c.m3u8?token=2&a=%2F&expires=3&b\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv/c.m3u8?a=%2F\n");
$origin->set('/live/v/c.m3u8', type => $type,
  body => "#EXTM3U\n#EXTINF:4,\nhttp://127.0.0.2:$port/seg.ts?token=9&x=1\n");
$origin->file('/seg.ts', media_bytes(100));
$origin->set('/abc/1.m3u8', type => $type,
  body => "#EXTM3U\n#EXTINF:4,\nhttp://127.0.0.2:$port/seg.ts?token=9&x=1\n"
             . "#EXTINF:4,\nhttp://127.0.0.1:$port/seg.ts?token=8&x=1\n#EXTINF:4,\nhttp://127.0.0.1:$port/other.ts?token=8&x=1\n");

# Requests, waits for its line in the log, returns { name => value }.
my $lines = 0;
sub logged {
  my ($uri, %opt) = @_;
  $nginx->get($uri, %opt);
  for (1 .. 1000) {
    my @log = split /\n/, $nginx->read_file('logs/hls.log');
    if (@log > $lines) {
      $lines = @log;
      return { map { my ($n, $v) = split /=/, $_, 2; ($n => $v) } split /\|(?=(?:@{[join '|', @names]})=)/,
        $log[-1] };
    }
    select undef, undef, undef, 0.005;
  }
  die 'no line in the access log';
}

my @variants = find_links($nginx->get(entry_uri(p => 'index.m3u8'))->{body});
my ($seg) = find_links($nginx->get($variants[0])->{body});
$lines = 2;
select undef, undef, undef, 0.005 while $nginx->read_file('logs/hls.log') !~ /\n.*\n/;

subtest 'a playlist' => sub {
  my $v = logged($variants[0]);
  is($v->{kind}, 'playlist', 'kind');
  is($v->{source}, 's', 'source');
  is($v->{key}, 'p=index.m3u8', 'key');
  is($v->{url}, "http://127.0.0.1:$port/live/v/c.m3u8?token=1&a=%2F&expires=2&b", 'url');
  is($v->{uri}, '/live/v/c.m3u8?token=1&a=%2F&expires=2&b', 'uri');
  is($v->{host}, "127.0.0.1:$port", 'host');
  is($v->{link_state}, 'ok', 'link_state');
  is($v->{header_user_agent}, 'Player/9', 'a header of the source');
  is($v->{header_x_token}, 't-index.m3u8', 'one with a key in it');
  is($v->{header_absent}, '', 'one that it does not have');
  is($v->{method}, 'GET', 'method');
  is($v->{provider}, '', 'no provider');
  is($v->{bind}, '', 'no bind');
  is(logged($variants[0], method => 'HEAD')->{method}, 'GET', 'method of HEAD');
};

subtest 'media' => sub {
  my $v = logged($seg, headers => ['Range: bytes=0-1']);
  is($v->{kind}, 'media', 'kind');
  is($v->{url}, "http://127.0.0.2:$port/seg.ts?token=9&x=1", 'url');
  is($v->{host}, "127.0.0.2:$port", 'host');
  is(logged($seg, method => 'HEAD')->{method}, 'HEAD', 'method of HEAD');
};

subtest 'an entry' => sub {
  my $v = logged(entry_uri(-path => '/two', site => 'abc', n => 1, lang => 'x y'));
  is($v->{kind}, 'playlist', 'kind');
  is($v->{source}, 'two', 'source');
  is($v->{key}, 'site=abc n=1 lang=x y', 'key');
  is($v->{uri}, '/abc/1.m3u8?token=x%20y&keep=1', 'uri');
  is($v->{link_state}, 'ok', 'link_state');
  is(logged(entry_uri(-path => '/two', site => 'abc', n => 1))->{key}, 'site=abc n=1',
    'an absent argument is left out');
};

subtest 'cache_key' => sub {
  my @key = map { logged($_)->{cache_key} } @variants;
  is($key[0], $key[1], 'volatile arguments do not count');
  isnt($key[0], $key[2], 'others do');
  unlike($key[0], qr/token=|expires=/, 'no token in it');
  like($key[0], qr{/live/v/c\.m3u8\?a=%2F&b}, 'the rest of the URL is');
  my $directive = logged("$variants[0]&_HLS_msn=5&_HLS_part=1")->{cache_key};
  isnt($directive, $key[0], 'delivery directives count');
  is(logged("$variants[0]&_HLS_part=1&_HLS_msn=5")->{cache_key}, $directive, 'in any order');
  is(logged("$variants[0]&CMCD=bl%3D1&foo=1")->{cache_key}, $key[0], 'CMCD and foreign arguments do not');
  my ($one, $two, $three) = map { logged($_)->{cache_key} }
    find_links($nginx->get(entry_uri(-path => '/two', site => 'abc', n => 1))->{body}) if ++$lines;
  is($one, $two, 'nor does the host where it is volatile');
  isnt($one, $three, 'the file name does');
  my ($other) = map { logged($_)->{cache_key} }
    find_links($nginx->get(entry_uri(-path => '/two', site => 'abc', n => 1,
      lang => 'de'))->{body}) if ++$lines;
  isnt($other, $one, "another stream's key is another");
};

subtest 'link_state' => sub {
  is(logged($seg =~ s/sig=./sig=-/r)->{link_state}, 'bad', 'bad');
  is(logged('/hls/media/x/y.ts')->{link_state}, 'bad', 'malformed: bad');
  my $v = logged('/plain');
  is($v->{link_state}, 'none', 'none');
  is($v->{$_}, '', "$_ is empty without a link") for qw(kind source key url uri host cache_key);
  $nginx->reload(http => $nginx->{http} . "\nhls_proxy_link_ttl 1s playlist=1s;");
  my ($short) = find_links($nginx->get(entry_uri(p => 'index.m3u8'))->{body});
  my ($exp) = $short =~ /exp=(\d+)/;
  select undef, undef, undef, 0.05 while time <= $exp;
  $lines = () = $nginx->read_file('logs/hls.log') =~ /\n/g;
  is(logged($short)->{link_state}, 'expired', 'expired');
};

subtest "an upstream group of the user's own" => sub {
  my $own = HlsTest::Nginx->start(http => <<"END", server => <<'END2');
hls_proxy_secret '$SECRET';
hls_proxy_source s { key p; entry /entry; url http://origin.example/live/\$p; header User-Agent "Player/9"; header X-Token t-\$p; }
upstream group { server 127.0.0.1:$port; keepalive 4; }
END
location = /entry { hls_proxy_entry s; }
location /hls/ {
  hls_proxy on;
  proxy_pass http://group$hls_proxy_uri;
  proxy_http_version 1.1;
  proxy_set_header Connection "";
  proxy_set_header Host $hls_proxy_host;
  proxy_set_header X-Token $hls_proxy_header_x_token;
  proxy_method $hls_proxy_method;
  add_header X-Kind $hls_proxy_kind;
}
END2
  $origin->set('/live/own.m3u8', type => $type,
    body => "#EXTM3U\n#EXTINF:4,\nown.ts?x=%2F&y\n#EXTINF:4,\nhtml.ts\n");
  $origin->file('/live/own.ts', media_bytes(500));
  $origin->clear;
  my $r = $own->get(entry_uri(p => 'own.m3u8'));
  is($r->{status}, 200, 'status');
  is($r->header('X-Kind'), 'playlist', 'add_header');
  my ($request) = $origin->requests;
  is($request->{target}, '/live/own.m3u8', 'target');
  is($request->{host}, 'origin.example', 'Host');
  is($request->{headers}{'x-token'}, 't-own.m3u8', 'a header by its variable');
  my @links = find_links($r->{body});
  $origin->clear;
  my $part = $own->get($links[0], headers => ['Range: bytes=5-9', 'Cookie: a=1']);
  is($part->{status}, 206, 'media: a range');
  is($part->header('X-Kind'), 'media', 'add_header');
  ($request) = $origin->requests;
  is($request->{target}, '/live/own.ts?x=%2F&y', 'byte for byte');
  is($request->{headers}{cookie}, undef, "no client's cookie");
  $origin->set('/live/html.ts', type => 'text/html', body => '<html>x</html>');
  is($own->get($links[1])->{status}, 502, 'HTML is refused here too');
  $origin->set('/live/own.m3u8', type => $type, body => "#EXTM3U\n#EXT-X-MAP:URI=\"x\n");
  is($own->get(entry_uri(p => 'own.m3u8'))->{status}, 502, 'and a broken playlist');
};

finish();
