use strict;
use warnings;
use lib 't/lib';
use IO::Compress::Gzip qw(gzip);
use Test::More;
use HlsTest;

# nginx's proxy_cache and slice in front of origins.

my $origin = HlsTest::Origin->start;
my $port = $origin->port;
my $type = 'application/vnd.apple.mpegurl';
my $cache = 'proxy_cache hls; proxy_cache_key $hls_proxy_cache_key; proxy_cache_lock on; add_header X-Cache $upstream_cache_status always;';
my $params = HlsTest::Nginx->params_file;
my $nginx = start_relay($origin, source => 'volatile token expires;',
  http => <<"END", server => <<"END2", playlist => "$cache proxy_cache_valid 200 1m;", media => "$cache proxy_cache_valid 200 1d;");
proxy_cache_path %PREFIX%/temp/cache keys_zone=hls:1m use_temp_path=off;
hls_proxy_link_bind \$http_x_client;
hls_proxy_source sliced { key p; entry /sliced; url http://127.0.0.1:$port/live/\$p; }
hls_proxy_source other { key p; entry /other; url http://127.0.0.1:$port/live/\$p; }
END
location = /other { hls_proxy_entry other; }
location = /sliced { hls_proxy_entry sliced; hls_proxy_base /sl; }
location /sl/playlist/ { hls_proxy_base /sl; include $params; }
location /sl/media/ {
  hls_proxy_base /sl; include $params;
  slice 64k; proxy_cache hls; proxy_cache_key \$hls_proxy_cache_key\$slice_range; proxy_set_header Range \$slice_range;
  proxy_cache_valid 200 206 1h; add_header X-Cache \$upstream_cache_status always;
}
END2
my $bytes = media_bytes(400_000);

sub link_of {
  my ($name, %opt) = @_;
  $origin->set("/live/$name.m3u8", type => $type,
    body => "#EXTM3U\n#EXTINF:4,\n$name.ts" . ($opt{query} // '') . "\n");
  my $r = $nginx->get(entry_uri(-path => $opt{entry} // '/entry', p => "$name.m3u8"),
    headers => $opt{headers} // []);
  my ($link) = $r->{body} =~ m{^(/\w+/media/\S+)}m;
  return $link // '/none';
}
sub asked_for { my ($path) = @_; return scalar(my @r = $origin->requests($path)) }

subtest 'a segment' => sub {
  $origin->file('/live/a.ts', $bytes, type => 'video/mp2t', headers => ['Cache-Control: max-age=100',
    'Set-Cookie: x=1']);
  my $link = link_of('a');
  $origin->clear;
  my $first = $nginx->get($link);
  same_bytes($first->{body}, $bytes, 'fetched');
  is($first->header('X-Cache'), 'MISS', 'MISS');
  my $second = $nginx->get($link);
  is($second->header('X-Cache'), 'HIT',
    'HIT: Set-Cookie of an origin does not keep segments out of the cache');
  same_bytes($second->{body}, $bytes, 'the same');
  is($second->header('Set-Cookie'), undef, 'and comes out of it for nobody');
  my $range = $nginx->get($link, headers => ['Range: bytes=1000-1999']);
  is($range->{status}, 206, 'a range');
  same_bytes($range->{body}, substr($bytes, 1000, 1000), 'out of the cache');
  is($nginx->get($link, headers => ['Range: bytes=1000-1999', 'If-Range: "other"'])->{status}, 200,
    'If-Range');
  is($nginx->get($link, headers => ['If-None-Match: ' . $first->header('ETag')])->{status}, 304,
    'If-None-Match');
  my $head = $nginx->head($link);
  is($head->header('Content-Length'), 400_000, 'HEAD');
  is($head->{rest}, '', 'without body');
  is(asked_for('/live/a.ts'), 1, 'one request to the origin');
};

subtest 'the first request is for a range' => sub {
  $origin->file('/live/b.ts', $bytes, type => 'video/mp2t');
  my $link = link_of('b');
  $origin->clear;
  my $r = $nginx->get($link, headers => ['Range: bytes=100-199']);
  is($r->{status}, 206, 'status');
  same_bytes($r->{body}, substr($bytes, 100, 100), 'the range');
  same_bytes($nginx->get($link)->{body}, $bytes, 'then all of it: no part was taken for the whole');
  same_bytes($nginx->get($link, headers => ['Range: bytes=-5'])->{body}, substr($bytes, -5),
    'and another range');
  is(asked_for('/live/b.ts'), 1, 'one request to the origin');
};

subtest 'the first request is HEAD' => sub {
  $origin->file('/live/c.ts', $bytes, type => 'video/mp2t');
  my $link = link_of('c');
  my $head = $nginx->head($link);
  is($head->{status}, 200, 'status');
  is($head->{rest}, '', 'no body');
  same_bytes($nginx->get($link)->{body}, $bytes, 'then all of it');
};

subtest 'the first request is conditional' => sub {
  $origin->file('/live/d.ts', $bytes, type => 'video/mp2t');
  my $link = link_of('d');
  is($nginx->get($link, headers => ['If-None-Match: "v1-400000"'])->{status}, 304, 'not modified');
  same_bytes($nginx->get($link)->{body}, $bytes, 'then all of it');
};

subtest 'a playlist' => sub {
  my $text = "#EXTM3U\n#EXTINF:4,\nx.ts\n";
  gzip(\$text => \my $zipped);
  for my $case ([plain => $text], [gzip => $zipped, 'Content-Encoding: gzip', 'Vary: Accept-Encoding']) {
    my ($what, $body, @headers) = @$case;
    $origin->set("/live/$what.m3u8", type => $type, body => $body, headers => \@headers);
    $origin->clear;
    my $uri = entry_uri(p => "$what.m3u8");
    my $alice = $nginx->get($uri, headers => ['X-Client: alice']);
    my $bob = $nginx->get($uri, headers => ['X-Client: bob']);
    is(asked_for("/live/$what.m3u8"), 1, "$what: one request to the origin");
    is($bob->header('X-Cache'), 'HIT', 'HIT');
    for my $r ($alice, $bob) {
      is($r->{status}, 200, 'status');
      ok($r->{complete}, 'clean end');
      like($r->{body}, qr{^#EXTM3U\n#EXTINF:4,\n/hls/media/[\w-]+/x\.ts\?\S+\n$}, 'rewritten');
      is($r->header('Content-Type'), $type, 'type');
      is($r->header('ETag'), undef, 'no ETag');
    }
    isnt($alice->{body}, $bob->{body}, 'for each viewer an own signature');
    is($nginx->head($uri)->{status}, 200, 'HEAD');
    my $range = $nginx->get($uri, headers => ['X-Client: bob', 'Range: bytes=0-5']);
    is($range->{status}, 200, 'Range of a cached playlist is ignored');
    is($range->{body}, $bob->{body}, 'whole');
  }
};

subtest 'a playlist whose first request is HEAD' => sub {
  $origin->set('/live/h.m3u8', type => $type, body => "#EXTM3U\n#EXTINF:4,\nx.ts\n");
  is($nginx->head(entry_uri(p => 'h.m3u8'))->{status}, 200, 'HEAD');
  like($nginx->get(entry_uri(p => 'h.m3u8'))->{body}, qr/^#EXTM3U\n/, 'then GET');
};

subtest 'directives of Low-Latency HLS have entries of their own' => sub {
  $origin->set('/live/ll.m3u8', type => $type, body => "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nllv.m3u8\n");
  $origin->set('/live/llv.m3u8', type => $type, body => "#EXTM3U\n#EXTINF:4,\nx.ts\n");
  my $link = first_link($nginx, entry_uri(p => 'll.m3u8'));
  $origin->clear;
  $nginx->get("$link$_") for '&_HLS_msn=1', '&_HLS_msn=2', '&_HLS_msn=1', '', '&_HLS_msn=1&CMCD=bl%3D1',
    '&CMCD=bl%3D2';
  is_deeply([map { $_->{query} // '' } $origin->requests('/live/llv.m3u8')], ['_HLS_msn=1', '_HLS_msn=2', ''],
            'and CMCD, which differs for every request, has none');
};

subtest 'volatile arguments' => sub {
  $origin->file('/live/v.ts', $bytes, type => 'video/mp2t');
  $origin->set('/live/v.m3u8', type => $type, body => "#EXTM3U\n" . join '', map { "#EXTINF:4,\nv.ts?$_\n" }
               'token=1&v=1&expires=5', 'token=2&v=1&expires=6', 'token=2&v=2&expires=6', 'v=1');
  my @links = find_links($nginx->get(entry_uri(p => 'v.m3u8'))->{body});
  is(scalar @links, 4, 'four URLs, four links');
  $origin->clear;
  same_bytes($nginx->get($links[0])->{body}, $bytes, 'fetched with one token');
  same_bytes($nginx->get($links[1])->{body}, $bytes, 'with another');
  is(asked_for('/live/v.ts'), 1, 'is the same segment');
  is(($origin->requests)[0]{query}, 'token=1&v=1&expires=5', 'fetched with its token');
  $nginx->get($links[2]);
  is(asked_for('/live/v.ts'), 2, 'another argument is not');
};

subtest 'sources do not share entries' => sub {
  $origin->file('/live/s.ts', $bytes, type => 'video/mp2t');
  my ($a, $b) = (link_of('s'), link_of('s', entry => '/other'));
  $origin->clear;
  $nginx->get($_) for $a, $b;
  is(asked_for('/live/s.ts'), 2, 'one request each');
};

subtest 'errors are not kept' => sub {
  my %fail = ('404' => { status => 404, type => 'text/html', body => 'no' }, '403' => { status => 403,
    body => 'no' },
              '500' => { status => 500, body => 'no' }, 'HTML' => { type => 'text/html',
                body => '<html>wait</html>' },
              'HTML as video' => { type => 'video/mp2t', body => '<!doctype html><p>wait' },
              'cut short' => { type => 'video/mp2t', body => $bytes, cut => 1000 });
  my $n = 0;
  for my $what (sort keys %fail) {
    my $name = 'e' . $n++;
    my @failures = ($fail{$what}) x ($what eq '500' ? 2 : 1);   # 5xx are tried once more at once
    $origin->set("/live/$name.ts", sequence => [@failures, { type => 'video/mp2t', body => $bytes }]);
    my $link = link_of($name);
    my $first = $nginx->get($link);
    ok($first->{status} != 200 || !$first->{complete}, "$what: first an error");
    same_bytes($nginx->get($link)->{body}, $bytes, "$what: then the segment");
  }
  $origin->set('/live/ep.m3u8', sequence => [{ type => 'text/html', body => '<html>wait</html>' },
                                             { type => $type, body => "#EXTM3U\n#EXTINF:4,\nx.ts\n" }]);
  is($nginx->get(entry_uri(p => 'ep.m3u8'))->{status}, 502, 'HTML for a playlist: an error');
  like($nginx->get(entry_uri(p => 'ep.m3u8'))->{body}, qr/^#EXTM3U/, 'then the playlist');
};

subtest 'a link is checked before the cache is asked' => sub {
  my $link = link_of('a');
  is($nginx->get($link =~ s/sig=(.)/'sig=' . ($1 eq 'A' ? 'B' : 'A')/er)->{status}, 403,
    'a bad link to what is cached');
};

subtest 'many at once, one request' => sub {
  $origin->file('/live/m.ts', $bytes, type => 'video/mp2t', gate => 'many');
  my $link = link_of('m');
  $origin->clear;
  my @sockets = map { HlsTest::Client::connect_to($nginx->{port}) } 1 .. 5;
  HlsTest::Client::send_all($_, HlsTest::Client::request_bytes($nginx->{port}, $link)) for @sockets;
  is(scalar(my @r = $origin->wait_for_requests(1, '/live/m.ts')), 1, 'one request');
  $origin->release('many');
  for my $socket (@sockets) {
    my ($raw) = HlsTest::Client::read_all($socket);
    same_bytes(HlsTest::Client::parse_response($raw, 'closed', 'GET')->{body}, $bytes, 'the segment');
  }
  is(asked_for('/live/m.ts'), 1, 'still one');
};

subtest 'a stale playlist, renewed in the background' => sub {
  my $relay = start_relay($origin,
    http => 'proxy_cache_path %PREFIX%/temp/cache keys_zone=hls:1m use_temp_path=off;',
                          source => 'header User-Agent Player/9;',
                          playlist => "$cache proxy_cache_valid 200 1s; proxy_cache_use_stale updating; proxy_cache_background_update on;");
  my $version = sub { my ($n) = @_; return { type => $type,
    body => "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:$n\n#EXTINF:4,\nx-$n.ts\n" } };
  $origin->set('/live/stale.m3u8', sequence => [map { $version->($_) } 1 .. 9]);
  my $uri = entry_uri(p => 'stale.m3u8');
  like($relay->get($uri)->{body}, qr/SEQUENCE:1\n/, 'fetched');
  $origin->clear;
  my ($r, $end) = (undef, time + 10);
  do { $r = $relay->get($uri, headers => ['Cookie: mine=1',
    'Range: bytes=0-9']) } until $r->header('X-Cache') ne 'HIT' || time > $end;
  is($r->header('X-Cache'), 'STALE', 'stale');
  like($r->{body}, qr{^#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:1\n#EXTINF:4,\n/hls/media/[\w-]+/x-1\.ts\?\S+\n$},
    'rewritten');
  my ($request) = $origin->wait_for_requests(1, '/live/stale.m3u8');
  is_deeply([sort grep { !/^(connection|accept)$/ } keys %{$request->{headers}}],
    [qw(accept-encoding host user-agent)],
            "the renewal carries the stream's headers alone");
  is($request->{headers}{'user-agent'}, 'Player/9', "the source's");
  do { $r = $relay->get($uri) } until $r->{body} !~ /SEQUENCE:1\n/ || time > $end;
  like($r->{body}, qr{SEQUENCE:2\n#EXTINF:4,\n/hls/media/[\w-]+/x-2\.ts}, 'then the new one');
};

subtest 'revalidation' => sub {
  my $relay = start_relay($origin,
    http => 'proxy_cache_path %PREFIX%/temp/cache keys_zone=hls:1m use_temp_path=off;',
                          map { $_ => "$cache proxy_cache_valid 200 1s; proxy_cache_revalidate on;" } qw(playlist media));
  my $list = "#EXTM3U\n#EXTINF:4,\nr.ts\n";
  $origin->file('/live/r.m3u8', $list, type => $type);
  $origin->file('/live/r.ts', $bytes, type => 'video/mp2t');
  my $uri = entry_uri(p => 'r.m3u8');
  my $first = $relay->get($uri);
  my ($link) = find_links($first->{body});
  $relay->get($link);
  my $end = time + 10;
  for my $case ([$uri, $first->{body}, '/live/r.m3u8'], [$link, $bytes, '/live/r.ts']) {
    my ($what, $body, $path) = @$case;
    my $r;
    do { $origin->clear; $r = $relay->get($what) } until $r->header('X-Cache') ne 'HIT' || time > $end;
    is($r->header('X-Cache'), 'REVALIDATED', "$path: revalidated");
    same_bytes($r->{body}, $body, "$path: the same");
    like(($origin->requests($path))[0]{head}, qr/^If-(None-Match|Modified-Since): /m,
      "$path: by a conditional request");
  }
};

subtest 'slices' => sub {
  $origin->file('/live/big.mp4', $bytes, type => 'video/mp4');
  $origin->set('/live/big.m3u8', type => $type, body => "#EXTM3U\n#EXTINF:4,\nbig.mp4\n");
  my $r = $nginx->get(entry_uri(-path => '/sliced', p => 'big.m3u8'));
  my ($link) = $r->{body} =~ m{^(/sl/media/\S+)}m;
  ok($link, 'a link below another base') or return;
  $origin->clear;
  my $range = $nginx->get($link, headers => ['Range: bytes=100000-100099']);
  is($range->{status}, 206, 'a range');
  same_bytes($range->{body}, substr($bytes, 100_000, 100), 'its bytes');
  is_deeply([map { $_->{headers}{range} } $origin->requests], ['bytes=65536-131071'],
    'one slice was fetched');
  my $whole = $nginx->get($link);
  is($whole->{status}, 200, 'whole');
  ok($whole->{complete}, 'clean end');
  same_bytes($whole->{body}, $bytes, 'its bytes');
  is(asked_for('/live/big.mp4'), 7, 'seven slices, each once');
  my ($host) = grep { $_->{headers}{cookie} || $_->{headers}{'x-client'} } $origin->requests;
  is($host, undef, "slices carry no client's headers either");
  same_bytes($nginx->get($link, headers => ['Range: bytes=65000-66000'])->{body}, substr($bytes, 65_000,
    1001), 'over a border');
  is(asked_for('/live/big.mp4'), 7, 'from the cache');
  $origin->set('/live/big2.m3u8', type => $type, body => "#EXTM3U\n#EXTINF:4,\nbig2.mp4\n");
  $origin->set('/live/big2.mp4', status => 404, type => 'text/html', body => '<html>gone</html>');
  ($link) = $nginx->get(entry_uri(-path => '/sliced', p => 'big2.m3u8'))->{body} =~ m{^(/sl/media/\S+)}m;
  is($nginx->get($link)->{status}, 404, "the origin's 404");
};

finish();
