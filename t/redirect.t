use strict;
use warnings;
use lib 't/lib';
use Test::More;
use HlsTest;

# Redirects of origins: a player must not be led past the relay.

my $origin = HlsTest::Origin->start;
my $port = $origin->port;
my $type = 'application/vnd.apple.mpegurl';
my $nginx = start_relay($origin,
  http => "hls_proxy_source picky { key p; entry /picky; hosts 127.0.0.1; url http://127.0.0.1:$port/live/\$p; }",
                        server => 'location = /picky { hls_proxy_entry picky; }');
my $bytes = media_bytes(1000);
$origin->set('/live/index.m3u8', type => $type,
  body => "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nmoved.m3u8\n");
$origin->set('/live/media.m3u8', type => $type, body => "#EXTM3U\n#EXTINF:4,\nmoved.ts\n");
$origin->file($_, $bytes, type => 'video/mp2t') for '/cdn/a.ts', '/live/a.ts';
$origin->set($_, type => $type, body => "#EXTM3U\n#EXTINF:4,\na.ts\n") for '/cdn/final.m3u8',
  '/live/final.m3u8';

sub redirect { my ($path, $location, $status) = @_; $origin->set($path, status => $status // 302,
  headers => [defined $location ? "Location: $location" : ()], type => 'text/html',
  body => "<a href='" . ($location // '') . "'>moved</a>") }

my $media = first_link($nginx, entry_uri(p => 'media.m3u8'));
my $playlist = first_link($nginx, entry_uri(p => 'index.m3u8'));

subtest 'of a segment' => sub {
  for my $case ([301, "http://127.0.0.1:$port/cdn/a.ts?t=1", '127.0.0.1', '/cdn/a.ts?t=1'], [302, '/cdn/a.ts',
      '127.0.0.1', '/cdn/a.ts'],
                [303, 'a.ts', '127.0.0.1', '/live/a.ts'], [307, "//127.0.0.2:$port/cdn/a.ts", '127.0.0.2',
                  '/cdn/a.ts'],
                [308, "HTTP://127.0.0.2:$port/cdn/a.ts#x", '127.0.0.2', '/cdn/a.ts']) {
    my ($status, $location, $host, $target) = @$case;
    redirect('/live/moved.ts', $location, $status);
    my $r = $nginx->get($media);
    is($r->{status}, $status, "$status $location");
    my $link = $r->header('Location') // '';
    like($link, qr{^(?:http://127\.0\.0\.1:$nginx->{port})?/hls/media/}, 'to a link');
    unlike($r->{body}, qr/\Q$location\E/, "the origin's page does not tell more");
    is($r->header('Access-Control-Allow-Origin'), '*', 'CORS');
    $origin->clear;
    my $final = $nginx->get($link || '/none', headers => ['Range: bytes=0-9']);
    is($final->{status}, 206, 'which works');
    is($final->{body}, substr($bytes, 0, 10), 'its bytes');
    my ($request) = $origin->requests;
    is("$request->{host}$request->{target}", "$host:$port$target", 'from where it should');
  }
};

subtest 'of a playlist' => sub {
  redirect('/live/moved.m3u8', '/cdn/final.m3u8?token=1');
  for my $case ([$playlist, 'a link'], [entry_uri(p => 'moved.m3u8'), 'an entry']) {
    my ($uri, $what) = @$case;
    my $r = $nginx->get($uri);
    is($r->{status}, 302, $what);
    like($r->header('Location') // '', qr{/hls/playlist/[\w-]+/final\.m3u8\?}, 'to a playlist link');
    my $final = $nginx->get($r->header('Location') // '/none');
    my ($seg) = find_links($final->{body});
    $origin->clear;
    $nginx->get($seg // '/none');
    is(($origin->requests)[0]{target}, '/cdn/a.ts', 'references are relative to where the redirect led');
  }
};

subtest 'where it must not lead' => sub {
  for my $location ("http://127.0.0.2:$port/cdn/a.ts", "//127.0.0.2:$port/cdn/a.ts") {
    redirect('/live/moved.ts', $location);
    my ($link) = find_links($nginx->get(entry_uri(-path => '/picky', p => 'media.m3u8'))->{body});
    $origin->clear;
    my $r = $nginx->get($link);
    my $next = $r->header('Location') // '';
    unlike($next, qr/127\.0\.0\.2/, "$location: not named");
    if ($next) {
      $next = $nginx->get($next);
      is($next->{status}, 403, 'leads nowhere');
    } else { is($r->{status}, 502, 'is refused') }
    is(scalar(grep { $_->{address} eq '127.0.0.2' } $origin->requests), 0, 'that host was not asked');
  }
  for my $location ('javascript:alert(1)', 'data:text/html,x', 'file:///etc/passwd', 'ftp://127.0.0.1/', '',
      "http://", 'http://a b/',
                    'http://127.0.0.1:99999/', undef) {
    redirect('/live/moved.ts', $location);
    my $r = $nginx->get($media);
    my $next = $r->header('Location');
    unlike($next // '', qr/^(?!http:\/\/127\.0\.0\.1:$nginx->{port}\/|\/hls\/).+/,
      'Location: ' . ($location // 'none') . ' does not come through');
    ok($r->{status} == 502 || $next, "502, or a link ($r->{status})");
  }
  redirect('/live/moved.ts', 'http://127.0.0.1/' . 'x' x 9000);
  unlike($nginx->get($media)->{raw}, qr/xxxx/, 'a Location of 9 KB');
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

finish();
