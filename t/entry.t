use strict;
use warnings;
use lib 't/lib';
use Test::More;
use HlsTest;

# Entries: the stable, signed addresses of streams.

my $origin = HlsTest::Origin->start;
my $port = $origin->port;
my $text = "#EXTM3U\n#EXTINF:4,\nseg.ts\n";
$origin->set("/live/$_", type => 'application/vnd.apple.mpegurl', body => $text)
  for 'index.m3u8', 'a%20b%2Bc%2F%C3%BC~%2A.m3u8', '7.m3u8', 'x-1.m3u8';
$origin->file('/live/seg.ts', media_bytes(500));
my $movie = media_bytes(5000);
$origin->file('/film/big%20movie.mp4', $movie, type => 'video/mp4');

my $nginx = start_relay($origin, http => <<"END", server => <<'END');
hls_proxy_source strict { key site=^[a-z]+\$ n=^\\d+\$ lang; entry /strict; url http://127.0.0.1:$port/\$site/\$n.m3u8?l=\$lang; }
hls_proxy_source film { key title; entry /film; url http://127.0.0.1:$port/film/\$title; }
END
hls_proxy_api_key 'key one 0123456789' key-two-0123456789;
location = /strict { hls_proxy_entry strict; }
location = /film { hls_proxy_entry film; }
location = /open { hls_proxy_entry s; hls_proxy_auth none; }
location = /machine { hls_proxy_entry s; hls_proxy_auth apikey; }
location ~ ^/episode/(?<episode>\w+)$ { hls_proxy_entry s p=$episode.m3u8; hls_proxy_auth none; }
location ~ ^/signed/(?<signed>[\w-]+)$ { hls_proxy_entry s p=$signed.m3u8; }
END

subtest 'a signed entry' => sub {
  my $r = $nginx->get(entry_uri(p => 'index.m3u8'));
  is($r->{status}, 200, 'status');
  like($r->{body}, qr/^#EXTM3U\n#EXTINF:4,\n\/hls\/media\//, 'the rewritten playlist');
  is($r->header('Content-Type'), 'application/vnd.apple.mpegurl', 'type');
  is($r->header('Location'), undef, 'no redirect that a client could see');
  is($r->header('Access-Control-Allow-Origin'), '*', 'CORS');
  my ($link) = find_links($r->{body});
  same_bytes($nginx->get($link)->{body}, media_bytes(500), 'its link opens');
  my $head = $nginx->head(entry_uri(p => 'index.m3u8'));
  is($head->{status}, 200, 'HEAD');
  is($head->{rest}, '', 'has no body');
};

subtest 'the signature is that of urllib.parse.urlencode(sorted(args.items()))' => sub {
  # made with Python 3: hmac.new(secret, urlencode(sorted(args.items())).encode(), sha256).hexdigest()
  my $python = '1b0b33b2e52c439bf34a2f9f99e9f60ec2a83413beb465023f49017af4f9c912';
  my %args = (p => "a b+c/\xc3\xbc~*.m3u8", z => '1', A => '&=');
  is(sign_args($SECRET, %args), $python, "the test's own formula agrees with Python");
  my $query = 'z=1&p=a%20b%2bc/%C3%BC~*.m3u8&A=%26%3D';
  is($nginx->get("/entry?$query&sig=$python")->{status}, 200, 'another order, another spelling');
  is($nginx->get("/entry?sig=$python&$query")->{status}, 200, 'the signature in front');
  is($nginx->get("/entry?$query&token=$python")->{status}, 200, 'token= for sig=');
  is($nginx->get("/entry?$query&sig=" . uc $python)->{status} =~ /^(200|403)$/ ? 1 : 0, 1,
    'upper case is decided');
  my ($request) = grep { $_->{path} =~ /a%20b/ } $origin->requests;
  is($request->{target}, '/live/a%20b%2Bc%2F%C3%BC~%2A.m3u8', 'the value percent-encoded in the URL');
};

subtest 'without a valid signature' => sub {
  $origin->clear;
  my $good = entry_uri(p => 'index.m3u8');
  my %is = (
    'no signature' => '/entry?p=index.m3u8',
    'an empty one' => '/entry?p=index.m3u8&sig=',
    'one of another stream' => '/entry?p=other.m3u8&sig=' . sign_args($SECRET, p => 'index.m3u8'),
    'a short one' => substr($good, 0, -1),
    'a long one' => $good . '0',
    'one changed digit' => $good =~ s/(.)$/$1 eq '0' ? '1' : '0'/er,
    'an argument more' => "$good&lang=de",
    'an until more' => "$good&until=99999999999",
    'the key twice' => $good =~ s/\?/?p=other.m3u8&/r,
    'the secret of someone else' => entry_uri(p => 'index.m3u8', -secret => 'someone else, 0123456789'),
    'a signature over nothing' => '/entry?p=index.m3u8&sig=' . sign_args($SECRET),
  );
  like($nginx->get($is{$_})->{status}, /empty|short|long/ ? qr/^40[03]$/ : qr/^403$/, $_) for sort keys %is;
  is(scalar(my @asked = $origin->requests), 0, 'the origin was not asked');
};

subtest 'until' => sub {
  is($nginx->get(entry_uri(p => 'index.m3u8', until => time - 10))->{status}, 410, 'in the past');
  is($nginx->get(entry_uri(p => 'index.m3u8', until => 'tomorrow'))->{status}, 400, 'not a number');
  is($nginx->get(entry_uri(p => 'index.m3u8', until => -5))->{status}, 400, 'negative');
  my $end = time + 2;
  my $r = $nginx->get(entry_uri(p => 'index.m3u8', until => $end));
  is($r->{status}, 200, 'in the future');
  my ($link) = find_links($r->{body});
  like($link, qr/[?&]end=$end(?:&|$)/, 'is copied to the links');
  is($nginx->get($link)->{status}, 200, 'which open until then');
  is($nginx->get($link =~ s/end=\d+/'end=' . ($end + 1000)/er)->{status}, 403, 'a later end: no');
  is($nginx->get($link =~ s/&end=\d+//r)->{status}, 403, 'no end: no');
  select undef, undef, undef, 0.1 while time <= $end;
  is($nginx->get($link)->{status}, 410, 'and not afterwards');
};

subtest 'keys' => sub {
  $origin->clear;
  is($nginx->get(entry_uri(-path => '/strict', site => 'abc', n => 'x1'))->{status}, 400,
    'a value its regex refuses');
  is($nginx->get(entry_uri(-path => '/strict', site => "abc\n", n => '1'))->{status}, 400,
    'a trailing newline too');
  is($nginx->get(entry_uri(-path => '/strict', site => '', n => '1'))->{status}, 400, 'and an empty value');
  is(scalar(my @asked = $origin->requests), 0, 'the origin was not asked');
  $nginx->get(entry_uri(-path => '/strict', site => 'abc', n => '12', lang => 'd/e&f g', more => 'x'));
  my ($request) = $origin->requests;
  is($request && $request->{target}, '/abc/12.m3u8?l=d%2Fe%26f%20g', 'nothing but the key goes into the URL');
  like($nginx->get(entry_uri(p => "a\nb"))->{status}, qr/^(400|404)$/,
    'a line feed in a value: refused or escaped');
  like($nginx->get(entry_uri(p => "..\0/x"))->{status}, qr/^(400|404)$/, 'NUL');
  my ($nul) = grep { $_->{target} =~ /[\x00-\x20]/ } $origin->requests;
  is($nul, undef, 'no control character went upstream');
};

subtest 'other ways to be allowed' => sub {
  is($nginx->get('/open?p=index.m3u8')->{status}, 200, 'hls_proxy_auth none');
  is($nginx->get('/open?p=index.m3u8&until=' . (time - 5))->{status}, 410, 'where until still counts');
  is($nginx->get('/machine?p=index.m3u8', headers => ['X-Api-Key: key one 0123456789'])->{status}, 200,
    'an API key');
  is($nginx->get('/machine?p=index.m3u8', headers => ['X-Api-Key: key-two-0123456789'])->{status}, 200,
    'another');
  is($nginx->get('/machine?p=index.m3u8', headers => ['X-Api-Key: key-two-012345678'])->{status}, 403,
    'a wrong one');
  is($nginx->get('/machine?p=index.m3u8')->{status}, 403, 'none');
  is($nginx->get('/machine?p=index.m3u8&api_key=key-two-0123456789')->{status}, 403, 'never in the URL');
  is($nginx->get(entry_uri(-path => '/machine', p => 'index.m3u8'))->{status}, 403,
    'a signature is no API key');
};

subtest 'arguments from the configuration' => sub {
  like($nginx->get('/episode/7')->{body}, qr/^#EXTM3U/, 'a capture of the location');
  is($nginx->get('/episode/nothere')->{status}, 404, "the origin's 404");
  my $r = $nginx->get('/signed/x-1');
  is($r->{status}, 403, 'a signature is asked for there too');
  is($nginx->get('/signed/x-1?sig=' . sign_args($SECRET, p => 'x-1.m3u8'))->{status}, 200, 'which covers the capture');
  is($nginx->get('/signed/index?sig=' . sign_args($SECRET, p => 'x-1.m3u8'))->{status}, 403,
    'and is good for no other stream');
  is($nginx->get('/signed/x-1?sig=' . sign_args($SECRET))->{status}, 403, 'one over the query alone is good for none');
};

subtest 'methods' => sub {
  is($nginx->get(entry_uri(p => 'index.m3u8'), method => $_, body => '')->{status}, 405,
    $_) for qw(POST PUT DELETE);
};

subtest 'a source whose answer is a file' => sub {
  my $uri = entry_uri(-path => '/film', title => 'big movie.mp4');
  my $r = $nginx->get($uri);
  is($r->{status}, 200, 'whole');
  same_bytes($r->{body}, $movie, 'its bytes');
  is($r->header('Content-Type'), 'video/mp4', 'its type');
  $r = $nginx->get($uri, headers => ['Range: bytes=100-199']);
  is($r->{status}, 206, 'a range');
  same_bytes($r->{body}, substr($movie, 100, 100), 'its bytes');
  is($r->header('Content-Range'), 'bytes 100-199/5000', 'where it is');
};

finish();
