use strict;
use warnings;
use lib 't/lib';
use Test::More;
use HlsTest;
use HlsTest::RotatingOrigin;

# Redirects of origins are followed inside: a player sees none, and is never led past the relay.

my $origin = HlsTest::RotatingOrigin->start;
my $port = $origin->port;
my $resolver = $origin->resolver_url;
my $type = 'application/vnd.apple.mpegurl';
my $cache = 'proxy_cache hls; proxy_cache_key $hls_proxy_cache_key; proxy_cache_valid 200 1h; add_header X-Cache $upstream_cache_status always;';
my $params = HlsTest::Nginx->params_file;
my $nginx = start_relay($origin,
  source => 'header Cookie sid=7; header Authorization "Bearer 8"; header X-Any 9;',
  http => <<"END", server => <<"END2");
hls_proxy_zone streams:1m;
proxy_cache_path %PREFIX%/temp/cache keys_zone=hls:1m use_temp_path=off;
hls_proxy_source picky { key p; entry /picky; hosts 127.0.0.1; url http://127.0.0.1:$port/live/\$p; }
hls_proxy_source moving { key p; entry /moving; resolver /_resolve; cooldown 0; }
hls_proxy_source kept { key p; entry /kept; url http://127.0.0.1:$port/live/\$p; }
log_format tries '\$uri|\$status|\$hls_proxy_attempt|\$hls_proxy_refreshed';
END
location = /picky { hls_proxy_entry picky; }
location = /moving { hls_proxy_entry moving; }
location = /kept { hls_proxy_entry kept; hls_proxy_base /kept; }
location /kept/ { hls_proxy_base /kept; include $params; $cache }
location = /_resolve { internal; proxy_pass $resolver; }
access_log logs/tries.log tries;
END2
my $bytes = media_bytes(1000);
$origin->set('/live/index.m3u8', type => $type,
  body => "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nmoved.m3u8\n");
$origin->set('/live/media.m3u8', type => $type,
  body => "#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI=\"moved.key\"\n#EXT-X-MAP:URI=\"moved.mp4\"\n#EXTINF:4,\nmoved.ts\n");
$origin->file($_, $bytes, type => 'video/mp2t') for '/cdn/a.ts', '/live/a.ts', '/cdn/deep/b.ts';
$origin->set($_, type => $type, body => "#EXTM3U\n#EXTINF:4,\ndeep/b.ts\n") for '/cdn/final.m3u8',
  '/live/final.m3u8';

sub redirect {
  my ($path, $location, $status, %route) = @_;
  return $origin->set($path, status => $status // 302, type => 'text/html', reason => 'Moved',
    headers => [defined $location ? "Location: $location" : ()], %route,
    body => "<a href='" . ($location // '') . "'>moved</a>");
}
sub targets { return map { "$_->{host}$_->{target}" } $origin->requests }

my ($key, $map, $media) = find_links($nginx->get(entry_uri(p => 'media.m3u8'))->{body});
my $playlist = first_link($nginx, entry_uri(p => 'index.m3u8'));

subtest 'of a segment' => sub {
  my ($here, $there) = ("127.0.0.1:$port", "127.0.0.2:$port");
  for my $case ([301, "http://$here/cdn/a.ts?t=1", "$here/cdn/a.ts?t=1"], [302, '/cdn/a.ts',
    "$here/cdn/a.ts"],
                [303, 'a.ts', "$here/live/a.ts"], [307, "//$there/cdn/a.ts", "$there/cdn/a.ts"],
                [308, "HTTP://$there/cdn/../cdn/a.ts#x", "$there/cdn/a.ts"]) {
    my ($status, $location, $target) = @$case;
    redirect('/live/moved.ts', $location, $status);
    $origin->clear;
    my $r = $nginx->get($media);
    is($r->{status}, 200, "$status $location");
    same_bytes($r->{body}, $bytes, 'the bytes of where it leads');
    is($r->header('Location'), undef, 'no Location');
    is($r->header('Access-Control-Allow-Origin'), '*', 'CORS');
    is($r->header('Content-Type'), 'video/mp2t', 'the type of where it leads');
    is_deeply([targets()], ["$here/live/moved.ts", $target], 'which was asked, with its own Host');
    $origin->clear;
    $r = $nginx->get($media, headers => ['Range: bytes=10-19']);
    is($r->{status}, 206, 'Range');
    same_bytes($r->{body}, substr($bytes, 10, 10), 'the range');
    is_deeply([map { $_->{headers}{range} } $origin->requests], [('bytes=10-19') x 2], 'at each hop');
    $origin->clear;
    $r = $nginx->head($media);
    is_deeply([$r->{status}, $r->header('Content-Length'), $r->{rest}], [200, 1000, ''], 'HEAD');
    is_deeply([map { $_->{method} } $origin->requests], ['HEAD', 'HEAD'], 'at each hop');
    my $tag = $nginx->get($media)->header('ETag') // 'none';
    is($nginx->get($media, headers => ["If-None-Match: $tag"])->{status}, 304, 'If-None-Match');
  }
};

subtest 'of other files' => sub {
  redirect("/live/moved.$_", '/cdn/a.ts') for 'key', 'mp4';
  same_bytes($nginx->get($key)->{body}, $bytes, 'a key');
  same_bytes($nginx->get($map)->{body}, $bytes, 'an init section');
  redirect('/live/film.mp4', '/cdn/a.ts');
  my $r = $nginx->get(entry_uri(p => 'film.mp4'), headers => ['Range: bytes=5-9']);
  is($r->{status}, 206, 'an entry that is a file');
  same_bytes($r->{body}, substr($bytes, 5, 5), 'its range');
};

subtest 'of a playlist' => sub {
  for my $location ('/cdn/final.m3u8?token=1', "http://127.0.0.2:$port/cdn/final.m3u8") {
    my ($host) = $location =~ m{//([^/]+)};
    $host //= "127.0.0.1:$port";
    redirect('/live/moved.m3u8', $location);
    for my $case ([$playlist, 'a link'], [entry_uri(p => 'moved.m3u8'), 'an entry']) {
      my ($uri, $what) = @$case;
      for my $method ('GET', 'HEAD') {
        my $r = $nginx->get($uri, method => $method);
        is($r->{status}, 200, "$what, $method");
        is($r->header('Location'), undef, 'no Location');
        is($r->header('Content-Type'), $type, 'type');
      }
      my ($segment) = find_links($nginx->get($uri)->{body});
      $origin->clear;
      same_bytes($nginx->get($segment // '/none')->{body}, $bytes, 'its segment');
      is_deeply([targets()], ["$host/cdn/deep/b.ts"],
        'whose reference is relative to where the redirect led');
    }
  }
};

subtest 'several hops' => sub {
  for my $hops (1 .. 7) {
    redirect("/hop/$_.ts", '/hop/' . ($_ + 1) . '.ts', (301, 302, 303, 307, 308)[$_ % 5]) for 1 .. $hops - 1;
    redirect("/hop/$hops.ts", '/cdn/a.ts');
    redirect('/live/moved.ts', '/hop/2.ts') if $hops > 1;
    redirect('/live/moved.ts', '/cdn/a.ts') if $hops == 1;
    $origin->clear;
    my $r = $nginx->get($media);
    if ($hops <= 5) {
      is($r->{status}, 200, "$hops: followed");
      same_bytes($r->{body}, $bytes, 'its bytes');
    } else {
      is($r->{status}, 502, "$hops: too many");
      is($r->header('Location'), undef, 'no Location');
      is(scalar(my @r = $origin->requests), 6, 'the sixth hop was not taken');
    }
  }
  redirect('/live/moved.ts', 'moved.ts');
  $origin->clear;
  is($nginx->get($media)->{status}, 502, 'a loop of one');
  is(scalar(my @r = $origin->requests), 6, 'ends after five hops');
  redirect('/live/moved.ts', '/live/back.ts');
  redirect('/live/back.ts', '/live/moved.ts');
  is($nginx->get($media)->{status}, 502, 'a loop of two');
  redirect('/live/moved.m3u8', 'moved.m3u8');
  is($nginx->get($playlist)->{status}, 502, 'of a playlist');
  is($nginx->get(entry_uri(p => 'moved.m3u8'))->{status}, 502, 'of an entry');
};

subtest 'where it leads may refuse' => sub {
  redirect('/live/moved.ts', '/cdn/gone.ts');
  for my $status (403, 404, 410, 429, 503) {
    $origin->set('/cdn/gone.ts', status => $status, type => 'text/plain', body => 'no');
    is($nginx->get($media)->{status}, $status, "the status of where it leads: $status");
  }
  $origin->set('/cdn/gone.ts', type => 'text/html', body => '<html>wait</html>');
  is($nginx->get($media)->{status}, 502, 'an HTML page');
  redirect('/live/moved.ts', 'http://127.0.0.1:1/a.ts');
  is($nginx->get($media)->{status}, 502, 'nobody listens there');
};

subtest 'where it must not lead' => sub {
  my ($picky) = (find_links($nginx->get(entry_uri(-path => '/picky', p => 'media.m3u8'))->{body}))[2];
  for my $location ("http://127.0.0.2:$port/cdn/a.ts", "//127.0.0.2:$port/cdn/a.ts",
    "http://127.0.0.1\@127.0.0.2:$port/cdn/a.ts") {
    redirect('/live/moved.ts', $location);
    $origin->clear;
    my $r = $nginx->get($picky);
    is($r->{status}, 502, "$location: outside of hosts");
    unlike($r->{raw}, qr/127\.0\.0\.2/, 'and not named');
    is(scalar(grep { $_->{address} eq '127.0.0.2' } $origin->requests), 0, 'that host was not asked');
  }
  redirect('/live/moved.ts', '/cdn/a.ts');
  same_bytes($nginx->get($picky)->{body}, $bytes, 'within hosts it leads on');
  redirect('/live/moved.ts', '/live/second.ts');
  redirect('/live/second.ts', "http://127.0.0.2:$port/cdn/a.ts");
  is($nginx->get($picky)->{status}, 502, 'each hop is checked');
  for my $location ('javascript:alert(1)', 'data:text/html,x', 'file:///etc/passwd', 'ftp://127.0.0.1/', '',
    'http://',
                    'http://a b/', 'http://127.0.0.1:99999/', undef, 'http://127.0.0.1/' . 'x' x 9000) {
    redirect('/live/moved.ts', $location);
    my $r = $nginx->get($media);
    # An empty reference is the URL itself: a loop.
    is($r->{status}, 502, 'Location: ' . substr($location // 'none', 0, 40) . ': 502');
    is($r->header('Location'), undef, 'no Location');
    unlike($r->{raw}, qr/alert|passwd|xxxx/, 'nothing of it comes through');
  }
  for my $status (300, 304, 305, 306, 399) {
    redirect('/live/moved.ts', '/cdn/a.ts', $status);
    my $r = $nginx->get($media);
    is($r->header('Location'), undef, "$status: no Location");
    unlike($r->header('Content-Type') // '', qr/html/, "nor a page that a browser shows");
  }
};

subtest 'Cookie and Authorization stay with the host that they are for' => sub {
  redirect('/live/moved.ts', "http://127.0.0.2:$port/cdn/a.ts");
  $origin->clear;
  same_bytes($nginx->get($media)->{body}, $bytes, 'to another host');
  my ($first, $second) = $origin->requests;
  is($first->{headers}{cookie}, 'sid=7', 'Cookie to the first');
  is($second->{headers}{$_}, undef, "no $_ to the other") for qw(cookie authorization);
  is($second->{headers}{'x-any'}, 9, 'but the rest');
  redirect('/live/moved.ts', '/cdn/a.ts');
  $origin->clear;
  $nginx->get($media);
  is_deeply([map { $_->{headers}{authorization} } $origin->requests], [('Bearer 8') x 2],
    'both on the same host');
};

subtest 'the cache goes by the URL that was asked' => sub {
  redirect('/live/moved.ts', '/cdn/a.ts?token=1');
  my ($link) = $nginx->get(entry_uri(-path => '/kept', p => 'media.m3u8'))->{body} =~ m{^(/kept/media/\S+)}m;
  my $r = $nginx->get($link // '/none');
  is($r->{status}, 200, 'followed');
  is($r->header('X-Cache'), 'MISS', 'MISS');
  redirect('/live/moved.ts', '/cdn/gone.ts?token=2');
  $origin->clear;
  $r = $nginx->get($link // '/none');
  is($r->header('X-Cache'), 'HIT', 'then HIT');
  same_bytes($r->{body}, $bytes, 'the same bytes');
  $r = $nginx->get($link // '/none', headers => ['Range: bytes=100-109']);
  same_bytes($r->{body}, substr($bytes, 100, 10), 'a range of it');
  is(scalar(my @r = $origin->requests), 0, 'the origin is not asked');
  redirect('/live/other.ts', '/cdn/gone.ts', 301, headers => ['Location: /cdn/gone.ts',
    'Cache-Control: max-age=1000']);
  $origin->set('/live/other.m3u8', type => $type, body => "#EXTM3U\n#EXTINF:4,\nother.ts\n");
  $origin->set('/cdn/gone.ts', status => 404,
    type => 'text/plain', body => 'no', headers => ['Cache-Control: max-age=1000']);
  ($link) = $nginx->get(entry_uri(-path => '/kept', p => 'other.m3u8'))->{body} =~ m{^(/kept/media/\S+)}m;
  is($nginx->get($link // '/none')->{status}, 404, 'a redirect to nothing');
  $origin->file('/live/other.ts', $bytes, type => 'video/mp2t');
  same_bytes($nginx->get($link // '/none')->{body}, $bytes, 'is not kept');
};

subtest 'a redirect to what is dead' => sub {
  my $files = media_playlist(name => 'lo', count => 3);
  $files->{'lo/seg-1.ts'} = { route => { status => 302, type => 'text/html',
    headers => ['Location: /token/1.ts'], body => 'x' } };
  my %state = (entry => 'lo/index.m3u8', files => $files,
    versions => { 1 => { 'lo/seg-1.ts' => { route => { status => 302, type => 'text/html',
      headers => ['Location: /token/2.ts'], body => 'x' } } } });
  $origin->stream('led', %state);
  my $entry = entry_uri(-path => '/moving', p => 'led');
  $origin->file('/token/1.ts', $bytes, type => 'video/mp2t');
  $origin->set('/token/2.ts', status => 404, body => 'no');
  my $links = open_stream($nginx, 'led', $files, file => 'lo/index.m3u8', entry => $entry);
  same_bytes(get_file($nginx, $links, 'lo/seg-1.ts')->{body}, $bytes, 'followed');
  $origin->set('/token/1.ts', status => 403, body => 'dead');
  $origin->file('/token/2.ts', $bytes, type => 'video/mp2t');
  $origin->rotate('led');
  $origin->update('led', alive_from => 0);
  my $r = get_file($nginx, $links, 'lo/seg-1.ts', headers => ['Range: bytes=0-99']);
  is($r->{status}, 206, 'refreshed');
  same_bytes($r->{body}, substr($bytes, 0, 100), 'and followed again');
  is(scalar(my @r = $origin->resolves('led')), 2, 'one more resolve');
};

subtest 'Refresh and the like' => sub {
  $origin->set('/live/moved.ts', type => 'video/mp2t', body => $bytes,
    headers => ["Refresh: 0;url=http://127.0.0.2/", "Location: http://127.0.0.2/x"]);
  my $r = $nginx->get($media);
  is($r->{status}, 200, 'the status stays');
  is($r->header('Refresh'), undef, 'no Refresh');
  unlike($r->header('Location') // '', qr/127\.0\.0\.2/, "no Location of the origin's on a 200");
  $origin->set('/live/moved.ts', status => 201, type => 'video/mp2t', body => $bytes,
    headers => ["Location: http://127.0.0.2/x"]);
  unlike($nginx->get($media)->header('Location') // '', qr/127\.0\.0\.2/, 'nor on a 201');
};

subtest 'a connection is kept' => sub {
  redirect('/live/moved.ts', '/cdn/a.ts');
  my $socket = HlsTest::Client::connect_to($nginx->{port});
  for my $n (1 .. 3) {
    HlsTest::Client::send_all($socket, HlsTest::Client::request_bytes($nginx->{port}, $media,
      headers => ['Connection: keep-alive']));
    my ($raw) = HlsTest::Client::read_all($socket, until => sub { HlsTest::Client::parse_response($_[0], '',
      'GET')->{complete} });
    same_bytes(HlsTest::Client::parse_response($raw, '', 'GET')->{body}, $bytes,
      "request $n of one connection");
  }
};

# Without the location that error_page leads to.
subtest 'a server without @hls_refresh' => sub {
  my %conf = relay_conf($origin);
  $conf{server} =~ s/location \@hls_refresh \{[^}]*\}//;
  my $plain = HlsTest::Nginx->start(%conf);
  $origin->file('/cdn/a.ts', $bytes, type => 'video/mp2t');
  redirect('/live/moved.ts', '/cdn/a.ts?t=1');
  my $r = $plain->get(first_link($plain, entry_uri(p => 'media.m3u8'), qr{moved\.ts}));
  is($r->{status}, 302, 'a redirect stays one');
  like($r->header('Location') // '', qr{^(?:http://127\.0\.0\.1:\d+)?/hls/media/}, 'to a link');
  unlike($r->{raw}, qr{/cdn/}, "which does not tell the origin's address");
  same_bytes($plain->get($r->header('Location') // '/none')->{body}, $bytes, 'that works');
  $origin->set('/live/moved.ts', status => 403, type => 'text/plain', body => 'no');
  is($plain->get(first_link($plain, entry_uri(p => 'media.m3u8'), qr{moved\.ts}))->{status}, 403, 'an error, too');
};

finish();
