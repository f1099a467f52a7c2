use strict;
use warnings;
use lib 't/lib';
use IO::Compress::Gzip qw(gzip);
use JSON::PP qw(decode_json encode_json);
use Test::More;
use HlsTest;

# JSON documents of HLS: asset lists (RFC 8216bis appendix D) and chapters.

my $origin = HlsTest::Origin->start;
my $port = $origin->port;
my $type = 'application/vnd.apple.mpegurl';
my $nginx = start_relay($origin);

$origin->set('/live/main.m3u8', type => $type, body => <<"END");
#EXTM3U
#EXT-X-TARGETDURATION:4
#EXT-X-DATERANGE:ID="a",CLASS="com.apple.hls.interstitial",START-DATE="2026-01-02T03:04:05Z",X-ASSET-LIST="ads/list.json?t=1"
#EXT-X-DATERANGE:ID="p",CLASS="com.apple.hls.preload",START-DATE="2026-01-02T03:04:05Z",X-URI="ads/list.json?t=1"
#EXTINF:4,
seg.ts
END
$origin->set('/live/sessions.m3u8', type => $type,
  body => "#EXTM3U\n#EXT-X-SESSION-DATA:DATA-ID=\"com.apple.hls.chapters\",URI=\"ch/chapters.json\"\n");
my $playlist = $nginx->get(entry_uri(p => 'main.m3u8'))->{body};
my ($list) = $playlist =~ /X-ASSET-LIST="([^"]+)"/;
my ($preload) = $playlist =~ /X-URI="([^"]+)"/;

my $document = { ASSETS => [{ URI => "http://127.0.0.1:$port/live/ad/1.m3u8", DURATION => 15.5 },
                            { URI => "http://127.0.0.2:$port/2.m3u8?a=b&c", DURATION => 10,
                              'X-AD' => { uri => 'https://track.example/' } }],
                 'SKIP-CONTROL' => { OFFSET => 0, 'LABEL-ID' => "skip \xe4" } };

sub served {
  my ($body, %route) = @_;
  $origin->set('/live/ads/list.json', type => 'application/json', %route, body => $body);
  return $nginx->get($list);
}

subtest 'an asset list' => sub {
  is($preload, $list, 'a preload names the same link');
  like($list, qr{^http://127\.0\.0\.1:$nginx->{port}/hls/playlist/}, 'which is absolute');
  gzip(\encode_json($document) => \my $zipped);
  for my $case ([plain => encode_json($document)], ['another type' => encode_json($document),
      type => 'text/plain'],
                [gzip => $zipped, headers => ['Content-Encoding: gzip']],
                ['one byte at a time' => encode_json($document), framing => 'chunked', chunk_size => 1,
                  write_size => 3]) {
    my ($what, $body, %route) = @$case;
    my $r = served($body, %route);
    is($r->{status}, 200, "$what: status");
    like($r->header('Content-Type'), qr{^application/json}, "$what: type");
    ok($r->{complete}, "$what: clean end");
    my $got = eval { decode_json($r->{body}) } // {};
    my @uris = map { $_->{URI} } @{$got->{ASSETS} // []};
    like($_, qr{^http://127\.0\.0\.1:$nginx->{port}/hls/playlist/[\w-]+/[12]\.m3u8\?},
      "$what: an absolute link") for @uris;
    $origin->clear;
    $nginx->get($_) for @uris;
    is_deeply([map { "$_->{host}$_->{target}" } $origin->requests], ["127.0.0.1:$port/live/ad/1.m3u8",
      "127.0.0.2:$port/2.m3u8?a=b&c"],
              "$what: where they lead");
    $got->{ASSETS}[$_]{URI} = $document->{ASSETS}[$_]{URI} for 0, 1;
    is_deeply($got, $document, "$what: all else as it was");
  }
};

subtest 'a public base for what must be absolute' => sub {
  my $public = start_relay($origin, server => 'hls_proxy_public_base https://tv.example/x;');
  my $r = $public->get(entry_uri(p => 'main.m3u8'));
  my ($link) = $r->{body} =~ /X-ASSET-LIST="([^"]+)"/;
  like($link, qr{^https://tv\.example(/x)?/hls/playlist/}, 'is used');
  my ($seg) = $r->{body} =~ /^(\/hls\/media\S+)/m;
  ok($seg, 'links of segments stay path-absolute');
};

subtest 'empty and unknown' => sub {
  is_deeply(decode_json(served('{"ASSETS":[]}')->{body}), { ASSETS => [] }, 'no assets');
  my $r = served('{"hello":["http://other.example/"]}');
  is($r->{status}, 200, 'JSON of another shape: status');
  is_deeply(decode_json($r->{body}), { hello => ['http://other.example/'] }, 'as it is');
};

subtest 'what cannot be rewritten' => sub {
  my $deep = '[' x 5000 . ']' x 5000;
  my $long = encode_json({ ASSETS => [{ URI => 'http://leak.example/' . 'x' x 9000, DURATION => 1 }] });
  my $cut = substr encode_json({ ASSETS => [{ URI => 'http://leak.example/a.m3u8', DURATION => 1 }] }), 0, -3;
  for my $case (['a URI of 9 KB', $long], ['cut short', $cut], ['nested too deep',
      qq({"ASSETS":[{"URI":"http://leak.example/","X":$deep}]})]) {
    my $r = served($case->[1]);
    is($r->{status}, 502, "$case->[0]: 502");
    unlike($r->{raw}, qr/leak\.example/, 'without the URL');
  }
  my $r = served(encode_json($document), cut => 40);
  ok($r->{status} == 502 || !$r->{complete}, 'an origin that closes mid-body: no clean end');
};

subtest 'a playlist where the list was expected' => sub {
  my $r = served("#EXTM3U\n#EXTINF:4,\nx.ts\n");
  like($r->{body}, qr{^#EXTM3U\n#EXTINF:4,\n/hls/media/}, 'is a playlist');
  is($r->header('Content-Type'), $type, 'type');
};

subtest 'chapters' => sub {
  my $link = first_link($nginx, entry_uri(p => 'sessions.m3u8'));
  $origin->set('/live/ch/chapters.json', type => 'application/json', body =>
    '[{"chapter":1,"titles":[{"language":"en","title":"One"}],"images":[{"image-category":"cover","pixel-width":10,"url":"img/1.jpg"}]}]');
  my $r = $nginx->get($link);
  is($r->{status}, 200, 'status');
  my $got = eval { decode_json($r->{body}) };
  $origin->clear;
  $nginx->get($got->[0]{images}[0]{url} // '/none');
  is(($origin->requests)[0]{target}, '/live/ch/img/1.jpg', 'images lead through us');
  is($got->[0]{titles}[0]{title}, 'One', 'the rest stays');
};

finish();
