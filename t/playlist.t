use strict;
use warnings;
use lib 't/lib';
use Test::More;
use HlsTest;

# Playlists through nginx: every URI position once, however the bytes arrive and whatever they say they are.

my $origin = HlsTest::Origin->start;
my $port = $origin->port;
my $nginx = start_relay($origin);
my $type = 'application/vnd.apple.mpegurl';

# Templates: [[URI -> what the origin must be asked for when its link is followed]].
my $multivariant = <<'END';
#EXTM3U
#EXT-X-VERSION:12
#EXT-X-INDEPENDENT-SEGMENTS
## a comment, "with quotes", https://not.example/x
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a,URI=1",NAME="English",URI="[[audio/en.m3u8?t=1&u=2 -> /live/audio/en.m3u8?t=1&u=2]]",DEFAULT=YES
#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="s",NAME="x,URI='y',",URI="[[../subs//de.m3u8 -> /subs//de.m3u8]]"
#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="cc",NAME="CC",INSTREAM-ID="CC1"
#EXT-X-STREAM-INF:BANDWIDTH=1280000,AUDIO="a,URI=1"
[[v1/index.m3u8 -> /live/v1/index.m3u8]]

#EXT-X-STREAM-INF:BANDWIDTH=2560000
# between
[[/v2/in%2Fdex.m3u8?q=/../a%20+b -> /v2/in%2Fdex.m3u8?q=/../a%20+b]]
#EXT-X-STREAM-INF:BANDWIDTH=7680000
[[//127.0.0.2:PORT/v3.m3u8 -> 127.0.0.2:PORT/v3.m3u8]]
#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=86000,URI="[[HTTP://127.0.0.1:PORT/low/iframe.m3u8#frag -> /low/iframe.m3u8]]"
#EXT-X-IMAGE-STREAM-INF:BANDWIDTH=12,RESOLUTION=320x180,URI="[[img.m3u8 -> /live/img.m3u8]]"
#EXT-X-SESSION-DATA:DATA-ID="com.example.title",VALUE="https://not.example/title"
#EXT-X-SESSION-DATA:DATA-ID="com.example.lyrics",URI="[[lyrics.json -> /live/lyrics.json]]"
#EXT-X-SESSION-KEY:METHOD=AES-128,URI="[[keys/1.key -> /live/keys/1.key]]"
#EXT-X-SESSION-KEY:METHOD=SAMPLE-AES,URI="skd://fair.play/1",KEYFORMAT="com.apple.streamingkeydelivery"
END
my $media = <<'END';
#EXTM3U
#EXT-X-TARGETDURATION:4
#EXT-X-MEDIA-SEQUENCE:7
#EXT-X-MAP:URI="[[init.mp4 -> /live/init.mp4]]",BYTERANGE="100@0"
#EXT-X-KEY:METHOD=AES-128,URI="[[keys/1.key -> /live/keys/1.key]]",IV=0x1
#EXT-X-KEY:METHOD=SAMPLE-AES,URI="https://drm.example/license",KEYFORMAT="com.microsoft.playready"
#EXTINF:4.0,Title with https://not.example/ "quotes"
[[seg 1|x.m4s -> /live/seg%201%7Cx.m4s]]
#EXT-X-KEY:METHOD=NONE
#EXTINF:4.0,
#EXT-X-BYTERANGE:75232@0
  [[./a/../seg-2.m4s?tok=A%2fB== -> /live/seg-2.m4s?tok=A%2fB==]]  
#EXT-X-DATERANGE:ID="ad",CLASS="com.apple.hls.interstitial",START-DATE="2026-01-02T03:04:05Z",X-ASSET-URI="[[ad.m3u8 -> /live/ad.m3u8]]",X-COM-URI="https://not.example/beacon"
#EXT-X-UNKNOWN:URI="unknown.bin"
#EXTINF:4.0,
[[?page=3 -> /live/NAME?page=3]]
#EXT-X-GAP
#EXTINF:4.0,
[[caf\xe9.m4s -> /live/caf%E9.m4s]]
#EXT-X-PREFETCH:[[next.m4s -> /live/next.m4s]]
#EXT-X-KEY:METHOD=AES-128,URI="data:text/plain;base64,AAAA"
#EXTINF:4.0,
data:video/mp4;base64,AAAA
#EXT-X-ENDLIST
END
s/PORT/$port/g, s/\\xe9/\xe9/g for $multivariant, $media;
my $media_named = sub { my ($name) = @_; $media =~ s/NAME/$name/r };

check_rewrite($nginx, $origin, 'multi.m3u8', $multivariant, -label => 'a multivariant playlist');
check_rewrite($nginx, $origin, 'media.m3u8', $media_named->('media.m3u8'), -label => 'a media playlist');
check_rewrite($nginx, $origin, 'crlf.m3u8', $media_named->('crlf.m3u8') =~ s/\n/\r\n/gr, -label => 'CRLF');
check_rewrite($nginx, $origin, 'cr.m3u8', $multivariant =~ s/\n/\r/gr, -label => 'bare CR');
check_rewrite($nginx, $origin, 'bytes.m3u8', $media_named->('bytes.m3u8'), -label => 'chunks of one byte',
              framing => 'chunked', chunk_size => 1, write_size => 5, -follow => 0);
check_rewrite($nginx, $origin, 'close.m3u8', $multivariant, -label => 'delimited by closing',
  framing => 'close',
              write_size => 13, -follow => 0);
check_rewrite($nginx, $origin, 'bom.m3u8', "\xef\xbb\xbf$multivariant", -label => 'a BOM', -follow => 0);
check_rewrite($nginx, $origin, 'blank.m3u8', "\r\n \t\n" x 20 . $multivariant, -label => 'blanks in front',
  -follow => 0);
check_rewrite($nginx, $origin, 'both.m3u8', "\xef\xbb\xbf" . "\n" x 512 . $multivariant, framing => 'chunked',
              chunk_size => 1, -label => 'a BOM and 512 blanks in chunks of one byte', -follow => 0);
check_rewrite($nginx, $origin, 'last.m3u8', "#EXTM3U\n#EXTINF:1,\n[[z.ts -> /live/z.ts]]",
  -label => 'no newline at the end');
check_rewrite($nginx, $origin, 'map.m3u8', qq(#EXTM3U\n#EXT-X-MAP:URI="[[z.mp4 -> /live/z.mp4]]"),
              -label => 'a tag without newline at the end');
check_rewrite($nginx, $origin, 'utf8.m3u8', "#EXTM3U\n#EXTINF:1,tit\xc3",
  -label => 'ends inside of a UTF-8 character');
check_rewrite($nginx, $origin, 'utf8u.m3u8', "#EXTM3U\n#EXTINF:1,\n[[seg\xc3 -> /live/seg%C3]]",
              -label => 'ends inside of a UTF-8 character of a URI');
check_rewrite($nginx, $origin, 'empty.m3u8', '#EXTM3U', -label => 'the header alone');
check_rewrite($nginx, $origin, 'plain.m3u8', "#EXTM3U x-tvg-url=\"http://epg.example/\"\n"
              . "#EXTINF:-1 tvg-logo=\"http://logo.example/1.png\",One\n[[http://127.0.0.2:$port/one -> 127.0.0.2:$port/one]]\n"
              . "#EXTINF:-1,Two\nrtmp://two.example/live\n", -label => 'a plain M3U');
check_rewrite($nginx, $origin, 'long.m3u8', "#EXTM3U\n#EXTINF:4," . 'x' x 100_000 . "\n# " . 'y' x 200_000
              . "\n[[a.ts -> /live/a.ts]]\n", -label => 'long lines without a URI');
my $name = 'n' x 3000 . '.ts';
check_rewrite($nginx, $origin, 'uri.m3u8',
  "#EXTM3U\n[[$name?q=" . 'r' x 3000 . " -> /live/$name?q=" . 'r' x 3000 . ']]',
              -label => 'a URI of 6000 bytes');

for my $declared ('audio/mpegurl', 'application/x-mpegURL', 'audio/x-mpegurl', 'text/plain',
    'text/html; charset=utf-8',
                  'application/octet-stream', 'video/mp2t', 'image/png', undef) {
  my $label = $declared // 'none';
  my $r = check_rewrite($nginx, $origin, 'typed.m3u8', "#EXTM3U\n#EXTINF:1,\n[[z.ts -> /live/z.ts]]\n",
    type => $declared,
                        -label => "declared as $label", -follow => 0);
  is($r->header('Content-Type'), $type, "declared as $label: its true type");
}

subtest 'steering is dropped' => sub {
  $origin->set('/live/steer.m3u8', type => $type, body => <<"END");
#EXTM3U
#EXT-X-CONTENT-STEERING:SERVER-URI="https://steer.example/m.json?token=x",PATHWAY-ID="A"
#EXT-X-STREAM-INF:BANDWIDTH=1,PATHWAY-ID="A"
a.m3u8
END
  my $r = $nginx->get(entry_uri(p => 'steer.m3u8'));
  (my $got = $r->{body}) =~ s{/hls/\S+}{LINK};
  is($got, qq(#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1,PATHWAY-ID="A"\nLINK\n), 'the line is gone');
};

subtest 'a playlist behind a media link' => sub {
  $origin->set('/live/outer.m3u8', type => $type, body => "#EXTM3U\n#EXTINF:4,\ninner.ts\n");
  $origin->set('/live/inner.ts', type => 'video/mp2t', body => "#EXTM3U\n#EXTINF:4,\ndeep/x.ts\n");
  $origin->file('/live/deep/x.ts', media_bytes(300));
  my $link = first_link($nginx, entry_uri(p => 'outer.m3u8'));
  like($link, qr{/media/}, 'the link is for media');
  my $r = $nginx->get($link);
  is($r->{status}, 200, 'status');
  is($r->header('Content-Type'), $type, 'type');
  is(() = $r->{body} =~ /deep/g, 0, 'rewritten') if $r->{body} !~ m{/x\.ts\?};
  my ($inner) = find_links($r->{body});
  same_bytes($nginx->get($inner // '/none')->{body}, media_bytes(300), 'and its link opens');
  unlike($nginx->get($link, headers => ['Range: bytes=0-99'])->{body}, qr/^deep/m,
    'with Range: not upstream\'s lines');
};

subtest 'hosts' => sub {
  my $picky = start_relay($origin, source => "hosts 127.0.0.1;");
  $origin->set('/live/hosts.m3u8', type => $type,
    body => "#EXTM3U\n#EXTINF:4,\nhttp://127.0.0.2:$port/x.ts?secret=1\n"
               . "#EXTINF:4,\nhttp://127.0.0.1:$port/live/y.ts\n");
  $origin->file('/x.ts', media_bytes(100));
  $origin->file('/live/y.ts', media_bytes(100));
  my $r = $picky->get(entry_uri(p => 'hosts.m3u8'));
  is($r->{status}, 200, 'status');
  unlike($r->{body}, qr/127\.0\.0\.2/, "the foreign host's URL is not in it");
  my @lines = grep { /^\// } split /\n/, $r->{body};
  is(scalar @lines, 2, 'two lines of ours');
  $origin->clear;
  is($picky->get($lines[0])->{status}, 403, 'the one outside leads nowhere');
  is(scalar(my @asked = $origin->requests), 0, 'and was not asked for');
  is($picky->get($lines[1])->{status}, 200, 'the one inside works');
};

subtest 'HEAD' => sub {
  $origin->set('/live/head.m3u8', type => $type,
    body => "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv1/index.m3u8\n");
  my $get = $nginx->get(entry_uri(p => 'head.m3u8'));
  my ($link) = find_links($get->{body});

  $origin->set('/live/v1/index.m3u8', type => $type, body => "#EXTM3U\n#EXTINF:4,\nz.ts\n");
  my ($g, $h) = ($nginx->get($link), $nginx->head($link));
  is($h->{status}, 200, 'status');
  is($h->{rest}, '', 'no body');
  my $names = sub { join ' ',
    sort grep { !/^(date|content-length|transfer-encoding)$/ } map { lc $_->[0] } @{$_[0]{headers}} };
  is($names->($h), $names->($g), 'the headers of GET');
  is($h->header('Content-Type'), $type, 'type');
  my $length = $h->header('Content-Length');
  ok(!defined $length || $length == length $g->{body}, 'no wrong length');
};

subtest 'to an HTTP/1.0 client' => sub {
  $origin->set('/live/old.m3u8', type => $type, body => "#EXTM3U\n#EXTINF:4,\nz.ts\n");
  my $r = $nginx->get(entry_uri(p => 'old.m3u8'), version => 'HTTP/1.0');
  is($r->header('Transfer-Encoding'), undef, 'not chunked');
  like($r->{body}, qr{^#EXTM3U\n#EXTINF:4,\n/hls/media/\S+\n$}, 'whole');
};

subtest 'many playlists on one connection' => sub {
  $origin->set('/live/keep.m3u8', type => $type, body => "#EXTM3U\n#EXTINF:4,\nz.ts\n");
  my $uri = entry_uri(p => 'keep.m3u8');
  my $one = HlsTest::Client::request_bytes($nginx->{port}, $uri, headers => ['Connection: keep-alive']);
  my $raw = $nginx->raw($one x 5 . HlsTest::Client::request_bytes($nginx->{port}, $uri));
  my @bodies;
  while (length $raw) {
    my $r = HlsTest::Client::parse_response($raw, 'closed', 'GET');
    last unless $r->{complete};
    push @bodies, $r->{body};
    $raw = $r->{rest};
  }
  is(scalar @bodies, 6, 'six answers');
  is(scalar(grep { $_ eq $bodies[0] } @bodies), 6, 'all equal');
};

finish();
