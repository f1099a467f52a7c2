use strict;
use warnings;
use lib 't/lib';
use Test::More;
use HlsTest;

# What of a request goes upstream, and what of an answer reaches the client.

my $origin = HlsTest::Origin->start;
my $port = $origin->port;
my $type = 'application/vnd.apple.mpegurl';
my $nginx = start_relay($origin);
my $own = start_relay($origin, source => <<'END');
header User-Agent "Player/9 (test)";
header Referer https://site.example/$p;
header X-Token t=1;
header Cookie session=secret;
header Authorization "Bearer secret";
END

$origin->set('/live/index.m3u8', type => $type, body => "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nchild.m3u8\n"
             . "#EXT-X-STREAM-INF:BANDWIDTH=2\nhttp://127.0.0.2:$port/child.m3u8\n");
$origin->set($_, type => $type,
  body => "#EXTM3U\n#EXTINF:1,\nseg.ts\n#EXTINF:1,\nhttp://127.0.0.2:$port/away.ts\n")
  for '/live/child.m3u8', '/child.m3u8';
$origin->file($_, media_bytes(1000)) for '/live/seg.ts', '/away.ts', '/seg.ts';

my @client = ('Cookie: mine=1', 'Authorization: Basic bWluZQ==', 'Referer: https://page.example/',
  'Origin: https://page.example',
  'X-Forwarded-For: 203.0.113.7', 'X-Forwarded-Host: evil.example', 'X-Real-IP: 203.0.113.7',
    'Forwarded: for=203.0.113.7',
  'User-Agent: Client/1', 'Accept: application/x-client', 'Accept-Encoding: gzip, br', 'Accept-Language: de',
    'Range: bytes=0-9',
  'If-Range: "x"', 'If-None-Match: "y"', 'If-Modified-Since: Tue, 03 Feb 2026 04:05:07 GMT', 'If-Match: "z"',
  'If-Unmodified-Since: Tue, 03 Feb 2026 04:05:06 GMT', 'X-Token: mine', 'X-Playback-Session-Id: 1',
    'Via: 1.1 x', 'TE: trailers',
  'Pragma: no-cache', 'Cache-Control: no-cache', 'Upgrade-Insecure-Requests: 1', 'Sec-Fetch-Mode: cors',
    'DNT: 1',
  'Proxy-Authorization: Basic eA==', 'X-Api-Key: mine', 'Expect: nothing', 'Content-Type: text/plain');
@client = grep { !/^Expect/ } @client;

sub asked {
  my ($relay, $uri, @headers) = @_;
  $origin->clear;
  $relay->get($uri, headers => [@headers]);
  my ($request) = $origin->requests;
  return $request // { headers => {}, head => '' };
}

subtest 'to the origin: playlists' => sub {
  my $request = asked($nginx, entry_uri(p => 'index.m3u8'), @client);
  my %headers = %{$request->{headers}};
  is($request->{method}, 'GET', 'method');
  is($headers{host}, "127.0.0.1:$port", 'Host');
  is($headers{'accept-encoding'}, 'identity', 'Accept-Encoding');
  like($headers{'user-agent'}, qr{^Mozilla/5\.0 }, "User-Agent: a browser's");
  is($headers{accept}, 'application/x-client', 'Accept');
  delete @headers{qw(host accept-encoding user-agent accept connection)};
  is_deeply(\%headers, {}, 'nothing else');
  $request = asked($nginx, first_link($nginx, entry_uri(p => 'index.m3u8')), @client);
  %headers = %{$request->{headers}};
  delete @headers{qw(host accept-encoding user-agent accept connection)};
  is_deeply(\%headers, {}, 'nor for a link');
};

subtest 'to the origin: media' => sub {
  my ($child) = find_links($nginx->get(entry_uri(p => 'index.m3u8'))->{body});
  my ($seg) = find_links($nginx->get($child)->{body});
  my $request = asked($nginx, $seg, @client);
  my %headers = %{$request->{headers}};
  is($headers{range}, 'bytes=0-9', 'Range');
  is($headers{'if-range'}, '"x"', 'If-Range');
  is($headers{'if-none-match'}, '"y"', 'If-None-Match');
  is($headers{'if-modified-since'}, 'Tue, 03 Feb 2026 04:05:07 GMT', 'If-Modified-Since');
  is($headers{'accept-encoding'}, 'identity', 'Accept-Encoding');
  delete @headers{qw(host accept-encoding user-agent accept connection range if-range if-none-match if-modified-since)};
  is_deeply(\%headers, {}, 'nothing else');
  $request = asked($nginx, $seg);
  is_deeply([sort grep { !/^(connection|accept)$/ } keys %{$request->{headers}}],
    [qw(accept-encoding host user-agent)],
            'a bare request stays bare');
};

subtest "the source's own headers" => sub {
  my $request = asked($own, entry_uri(p => 'index.m3u8'), @client);
  my %headers = %{$request->{headers}};
  is($headers{'user-agent'}, 'Player/9 (test)', 'User-Agent');
  is($headers{referer}, 'https://site.example/index.m3u8', 'a value with a key in it');
  is($headers{'x-token'}, 't=1', 'a header of its own');
  is($headers{cookie}, 'session=secret', 'Cookie');
  is($headers{authorization}, 'Bearer secret', 'Authorization');
  is(() = $request->{head} =~ /^user-agent:/gim, 1, 'once');

  my @variants = find_links($own->get(entry_uri(p => 'index.m3u8'))->{body});
  my ($near) = find_links($own->get($variants[0])->{body});
  $request = asked($own, $near);
  is($request->{headers}{cookie}, 'session=secret', 'a segment of the same host gets the Cookie');
  is($request->{headers}{authorization}, 'Bearer secret', 'and the Authorization');
  for my $far ($variants[1], (find_links($own->get($variants[0])->{body}))[1]) {
    $request = asked($own, $far, @client);
    is($request->{host}, "127.0.0.2:$port", 'another host');
    is($request->{headers}{cookie}, undef, 'gets no Cookie');
    is($request->{headers}{authorization}, undef, 'no Authorization');
    is($request->{headers}{'user-agent'}, 'Player/9 (test)', 'but the User-Agent');
    is($request->{headers}{referer}, 'https://site.example/index.m3u8', 'the Referer');
    is($request->{headers}{'x-token'}, 't=1', 'and the rest');
  }
};

my @bad = ('X-Accel-Redirect: /etc/passwd', 'X-Accel-Expires: 1000', 'X-Accel-Buffering: no',
  'X-Accel-Limit-Rate: 1',
  'X-Accel-Charset: koi8-r', 'Set-Cookie: a=1; Path=/', 'Set-Cookie: b=2', 'Service-Worker-Allowed: /',
    'Clear-Site-Data: "*"',
  'Strict-Transport-Security: max-age=9', 'Refresh: 0; url=http://evil.example/',
    'Link: <http://evil.example/>; rel=preload',
  'Alt-Svc: h3=":443"', 'Content-Location: http://origin.example/x', 'NEL: {}', 'Report-To: {}',
  'Content-Security-Policy: default-src *', 'X-Frame-Options: DENY',
    'Access-Control-Allow-Origin: https://origin.example',
  'Access-Control-Allow-Credentials: true', 'Cross-Origin-Resource-Policy: same-origin',
    'WWW-Authenticate: Basic realm="x"');

sub check_rules {
  my ($r, $what) = @_;
  for my $header (@bad) {
    my ($name, $value) = split /: /, $header, 2;
    unlike($r->header($name) // '', qr/\Q$value\E/, "$what: the origin's $name");
  }
  is($r->header('X-Content-Type-Options'), 'nosniff', "$what: nosniff");
  is($r->header('Content-Security-Policy'), 'sandbox', "$what: sandbox");
  is($r->header('Access-Control-Allow-Origin'), '*', "$what: CORS");
  like($r->header('Access-Control-Expose-Headers') // '', qr/Content-Range/i, "$what: exposed headers");
  is(scalar(grep { lc $_->[0] eq 'access-control-allow-origin' } @{$r->{headers}}), 1,
    "$what: one CORS header");
}

subtest 'to the client: playlists' => sub {
  $origin->set('/live/head.m3u8', type => $type, body => "#EXTM3U\n#EXTINF:1,\nseg.ts\n", headers => [@bad,
    'ETag: "e1"',
    'Last-Modified: Tue, 03 Feb 2026 04:05:06 GMT', 'Content-MD5: Q2hlY2sgSW50ZWdyaXR5IQ==',
      'Digest: sha-256=x',
    'Content-Digest: sha-256=:x:', 'Repr-Digest: sha-256=:x:', 'Accept-Ranges: bytes', 'Age: 17',
      'Cache-Control: max-age=3, public',
    'Date: Tue, 03 Feb 2026 04:05:07 GMT', 'Expires: Tue, 03 Feb 2026 04:06:07 GMT', 'X-Served-By: cache-1']);
  my $r = $nginx->get(entry_uri(p => 'head.m3u8'));
  is($r->{status}, 200, 'status');
  check_rules($r, 'playlist');
  is($r->header($_), undef,
    $_) for qw(ETag Last-Modified Content-MD5 Digest Content-Digest Repr-Digest Accept-Ranges);
  is($r->header('Age'), '17', 'Age is kept');
  is($r->header('Cache-Control'), 'max-age=3, public', 'Cache-Control');
  is($r->header('Date'), 'Tue, 03 Feb 2026 04:05:07 GMT', 'Date');
  my $length = $r->header('Content-Length');
  ok(!defined $length || $length == length $r->{body}, "not the origin's length");
  for my $condition ('If-None-Match: "e1"', 'If-None-Match: *',
      'If-Modified-Since: Tue, 03 Feb 2026 04:05:06 GMT',
                     'If-Modified-Since: Tue, 03 Feb 2099 04:05:06 GMT', 'If-Match: "other"',
                       'Range: bytes=0-3', 'Range: bytes=99999-',
                     'If-Unmodified-Since: Tue, 03 Feb 2020 04:05:06 GMT') {
    my $again = $nginx->get(entry_uri(p => 'head.m3u8'), headers => [$condition]);
    is($again->{status}, 200, "$condition: 200");
    is($again->{body}, $r->{body}, 'whole');
  }
};

subtest 'to the client: media' => sub {
  my $bytes = media_bytes(1000);
  $origin->file('/live/seg.ts', $bytes, type => 'video/mp2t', headers => [@bad, 'Cache-Control: max-age=60',
    'Age: 3', 'X-Served-By: cache-1']);
  my ($child) = find_links($nginx->get(entry_uri(p => 'index.m3u8'))->{body});
  my ($seg) = find_links($nginx->get($child)->{body});
  for my $case ([200], [206, 'Range: bytes=1-5'], [304, 'If-None-Match: "v1-1000"'], [416,
      'Range: bytes=5000-']) {
    my ($status, @headers) = @$case;
    my $r = $nginx->get($seg, headers => \@headers);
    is($r->{status}, $status, "status $status");
    check_rules($r, $status);
    is($r->header('ETag'), '"v1-1000"', "$status: ETag") if $status != 416;
    is($r->header('Last-Modified'), 'Tue, 03 Feb 2026 04:05:06 GMT',
      "$status: Last-Modified") if $status != 416;
    is($r->header('Cache-Control'), 'max-age=60', "$status: Cache-Control");
    is($r->header('Accept-Ranges'), 'bytes', "$status: Accept-Ranges") if $status == 200;
  }
};

subtest 'types that a browser would run' => sub {
  $origin->set('/live/one.m3u8', type => $type, body => "#EXTM3U\n" . join '',
    map { "#EXTINF:1,\n$_\n" } qw(a.ts b.bin c.vtt d.png e.html));
  my %link = map { m{/([a-e]\.\w+)\?} ? ($1 => $_) : () } find_links($nginx->get(entry_uri(p => 'one.m3u8'))->{body});
  my @cases = (
    ['a.ts', 'text/html', 'G...', qr{^application/octet-stream$}], ['a.ts', 'image/svg+xml', 'G...',
      qr{^application/octet-stream$}],
    ['a.ts', 'application/javascript', 'G...', qr{^application/octet-stream$}], ['a.ts', 'text/xml', 'G...',
      qr{^application/octet-stream$}],
    ['a.ts', 'application/pdf', 'G...', qr{^application/octet-stream$}], ['a.ts', 'video/mp2t', 'G...',
      qr{^video/mp2t$}],
    ['a.ts', 'video/MP2T; charset=utf-8', 'G...', qr{^video/mp2t$}i], ['a.ts', 'video/mp4', 'G...',
      qr{^video/mp4$}],
    ['a.ts', 'text/plain', 'G...', qr{^video/mp2t$}], ['a.ts', 'application/octet-stream', 'G...',
      qr{^video/mp2t$}],
    ['a.ts', undef, 'G...', qr{^video/mp2t$}], ['c.vtt', 'text/vtt; charset=utf-8', "WEBVTT\n",
      qr{^text/vtt(; ?charset=utf-8)?$}],
    ['c.vtt', 'text/plain', "WEBVTT\n", qr{^text/vtt}], ['d.png', 'image/png', "\x89PNG", qr{^image/png$}],
  );
  for my $case (@cases) {
    my ($name, $declared, $body, $want) = @$case;
    $link{$name} or next;
    $origin->set("/live/$name", type => $declared, body => $body);
    my $r = $nginx->get($link{$name});
    is($r->{status}, 200, "$name as " . ($declared // 'nothing'));
    like($r->header('Content-Type') // 'none', $want, 'its type');
    is($r->{body}, $body, 'its bytes');
  }
  ok($link{'a.ts'} && $link{'c.vtt'}, 'there were such links');
};

subtest "a client's Host cannot break out of an attribute" => sub {
  $origin->set('/live/host.m3u8', type => $type,
               body => "#EXTM3U\n#EXT-X-DATERANGE:ID=\"a\",START-DATE=\"2026-01-02T03:04:05Z\",X-ASSET-URI=\"a.m3u8\"\n");
  for my $host ('x",URI="y', 'a b', "a\tb", 'a<b>', 'a{$b}', 'a\\b', 'user@evil', 'a#b', 'a?b') {
    my $r = $nginx->get(entry_uri(p => 'host.m3u8'), headers => ["Host: $host"]);
    my ($value) = $r->{body} =~ /X-ASSET-URI="(.*?)"/;
    ok($r->{status} == 400 || ($value // '') =~ m{^http://[\w.:%-]+/hls/playlist/[\w-]+/a\.m3u8\?[\w=&-]+$},
      "Host: $host")
      or diag($r->{status}, ' ', $r->{body});
  }
};

subtest 'errors of our own' => sub {
  for my $case (['/hls/media/x/y.ts?u=1', 'a bad link'], ['/hls/playlist/x/y.m3u8', 'a bad playlist link'],
      ['/entry?p=1', 'a bad entry']) {
    my ($uri, $what) = @$case;
    my $r = $nginx->get($uri);
    like($r->{status}, qr/^40[03]$/, $what);
    is($r->header('Access-Control-Allow-Origin'), '*', "$what: CORS") if $uri =~ /^\/hls/;
  }
  my $seg = first_link($nginx, entry_uri(p => 'one.m3u8'));
  my $r = $nginx->get($seg, method => 'POST', body => 'x');
  is($r->{status}, 405, 'POST');
  is($r->header('Access-Control-Allow-Origin'), '*', 'POST: CORS');
};

finish();
