use strict;
use warnings;
use lib 't/lib';
use Test::More;
use HlsTest;

# Segments and other media: the origin's bytes, ranges and conditions.

my $origin = HlsTest::Origin->start;
my $type = 'application/vnd.apple.mpegurl';
my $files_port = HlsTest::Nginx::free_port();
my $nginx = start_relay($origin, http => <<"END", server => 'location = /files { hls_proxy_entry files; }');
server { listen 127.0.0.1:$files_port; root %PREFIX%/html; types { video/mp2t ts; application/vnd.apple.mpegurl m3u8; } }
hls_proxy_source files { key p; entry /files; url http://127.0.0.1:$files_port/\$p; }
END
my $size = 300_000;
my $bytes = media_bytes($size);
my $playlist = <<"END";
#EXTM3U
#EXT-X-TARGETDURATION:4
#EXT-X-VERSION:4
#EXTINF:4,
#EXT-X-BYTERANGE:1000\@0
seg.ts
#EXTINF:4,
#EXT-X-BYTERANGE:2000
seg.ts
#EXT-X-ENDLIST
END
$origin->set('/live/index.m3u8', type => $type, body => $playlist);
$origin->file('/live/seg.ts', $bytes, type => 'video/mp2t');
$nginx->write_file('html/index.m3u8', $playlist);
$nginx->write_file('html/seg.ts', $bytes);

my %entry = ('a programmable origin' => entry_uri(p => 'index.m3u8'),
  'nginx as the origin' => entry_uri(-path => '/files', p => 'index.m3u8'));
for my $what (sort keys %entry) {
  subtest $what => sub {
    my @links = find_links($nginx->get($entry{$what})->{body});
    is(scalar @links, 2, 'two segments');
    is($links[0], $links[1], 'of one file: one link');
    my $whole = $nginx->get($links[0]);
    is($whole->{status}, 200, 'whole');
    same_bytes($whole->{body}, $bytes, 'its bytes');
    is($whole->header('Content-Length'), $size, 'its length');
    my ($etag, $modified) = map { $whole->header($_) } qw(ETag Last-Modified);
    for my $case (['bytes=0-999', 0, 999], ['bytes=1000-2999', 1000, 2999], ['bytes=299999-', 299_999,
        299_999],
                  ['bytes=-100', 299_900, 299_999], ['bytes=1000-9007199254740991', 1000, 299_999]) {
      my ($range, $from, $to) = @$case;
      my $r = $nginx->get($links[0], headers => ["Range: $range"]);
      is($r->{status}, 206, $range);
      is($r->header('Content-Range'), "bytes $from-$to/$size", 'where');
      is($r->header('Content-Length'), $to - $from + 1, 'how long');
      same_bytes($r->{body}, substr($bytes, $from, $to - $from + 1), 'its bytes');
    }
    is($nginx->get($links[0], headers => ['Range: bytes=300000-'])->{status}, 416, 'a range behind the end');
    is($nginx->get($links[0], headers => ['Range: bytes=0-9', "If-Range: $etag"])->{status}, 206,
      'If-Range with the ETag');
    is($nginx->get($links[0], headers => ['Range: bytes=0-9', "If-Range: $modified"])->{status}, 206,
      'with the date');
    my $r = $nginx->get($links[0], headers => ['Range: bytes=0-9', 'If-Range: "other"']);
    is($r->{status}, 200, 'with another ETag');
    same_bytes($r->{body}, $bytes, 'all of it');
    is($nginx->get($links[0], headers => ["If-None-Match: $etag"])->{status}, 304, 'If-None-Match');
    is($nginx->get($links[0], headers => ["If-Modified-Since: $modified"])->{status}, 304,
      'If-Modified-Since');
    is($nginx->get($links[0], headers => ['If-None-Match: "other"'])->{status}, 200, 'another ETag');
    my $head = $nginx->head($links[0]);
    is($head->{status}, 200, 'HEAD');
    is($head->header('Content-Length'), $size, 'its length');
    is($head->header('ETag'), $etag, 'its ETag');
    is($head->{rest}, '', 'no body');
    my $part = $nginx->head($links[0], headers => ['Range: bytes=0-9']);
    like($part->{status}, qr/^20[06]$/, 'HEAD with Range');
    is($part->{rest}, '', 'no body');
  };
}

subtest 'several ranges' => sub {
  my ($link) = find_links($nginx->get($entry{'nginx as the origin'})->{body});
  my $r = $nginx->get($link, headers => ['Range: bytes=0-9,20-29']);
  like($r->{status}, qr/^20[06]$/, 'status');
  my ($first, $second) = (substr($bytes, 0, 10), substr($bytes, 20, 10));
  like($r->{body}, qr/\Q$first\E.*\Q$second\E/s, 'both are there');
};

subtest 'an origin without ranges' => sub {
  $origin->set('/live/plain.m3u8', type => $type, body => "#EXTM3U\n#EXTINF:1,\nplain.ts\n");
  $origin->set('/live/plain.ts', type => 'video/mp2t', body => $bytes, framing => 'chunked');
  my $link = first_link($nginx, entry_uri(p => 'plain.m3u8'));
  my $r = $nginx->get($link, headers => ['Range: bytes=10-19']);
  is($r->{status}, 200, '200, as it said');
  same_bytes($r->{body}, $bytes, 'whole');
};

subtest 'framings and sizes' => sub {
  $origin->set('/live/sizes.m3u8', type => $type, body => "#EXTM3U\n#EXTINF:1,\nsized.ts\n");
  my $link = first_link($nginx, entry_uri(p => 'sizes.m3u8'));
  for my $length (0, 1, 2, 7, 600, 4095, 4096, 4097, 70_000, 3_000_000) {
    for my $framing (qw(length chunked close)) {
      next if !$length && $framing eq 'close';   # not to be told from an origin that died
      $origin->set('/live/sized.ts', type => 'video/mp2t', body => media_bytes($length), framing => $framing,
                   $length < 1000 ? (chunk_size => 1, write_size => 3) : ());
      my $r = $nginx->get($link);
      is($r->{status}, 200, "$length bytes, $framing");
      ok($r->{complete} || $framing eq 'close', 'clean end');
      same_bytes($r->{body}, media_bytes($length), 'the same bytes');
    }
  }
  $origin->set('/live/sized.ts', type => 'video/mp2t', body => $_) and is($nginx->get($link)->{body}, $_,
    "'$_' passes")
    for '#', '#EXTM', "\xef\xbb\xbf#EXTM3", '<', '{';
  # Players that skip any number of blanks would find a playlist behind them.
  $origin->set('/live/sized.ts', type => 'video/mp2t', body => $_) and is($nginx->get($link)->{status}, 502,
    'nothing but blanks at the beginning')
    for ' ' x 700, "\n" x 513 . '#EXTM3';
};

subtest 'an origin that closes mid-body' => sub {
  my $link = first_link($nginx, entry_uri(p => 'index.m3u8'));
  for my $cut (10, 1000, 200_000) {
    for my $framing (qw(length chunked)) {
      $origin->set('/live/seg.ts', type => 'video/mp2t', body => $bytes, cut => $cut, framing => $framing);
      my $r = $nginx->get($link);
      ok(!$r->{complete}, "$framing, after $cut bytes: no clean end");
      ok($bytes =~ /^\Q@{[substr $r->{body}, 0, 100]}\E/,
        'what came is from the front') if $r->{status} == 200;
    }
  }
};

subtest 'the first bytes do not wait for the rest' => sub {
  my $link = first_link($nginx, entry_uri(p => 'sizes.m3u8'));
  $origin->set('/live/sized.ts', type => 'video/mp2t', body => $bytes, gate => 'media', gate_at => 100_000);
  my $socket = HlsTest::Client::connect_to($nginx->{port});
  HlsTest::Client::send_all($socket, HlsTest::Client::request_bytes($nginx->{port}, $link));
  my ($early) = HlsTest::Client::read_all($socket, until => sub { length $_[0] > 60_000 }, deadline => 5);
  cmp_ok(length $early, '>', 60_000, 'bytes arrive while the origin holds back the rest');
  $origin->release('media');
  my ($late) = HlsTest::Client::read_all($socket);
  same_bytes(HlsTest::Client::parse_response("$early$late", 'closed', 'GET')->{body}, $bytes,
    'all in the end');
};

subtest 'one connection, many segments' => sub {
  $origin->file('/live/seg.ts', $bytes, type => 'video/mp2t');
  my $link = first_link($nginx, entry_uri(p => 'index.m3u8'));
  my $request = sub { HlsTest::Client::request_bytes($nginx->{port}, $link, headers => [@_]) };
  my $raw = $nginx->raw(join '', map({ $request->('Connection: keep-alive',
    "Range: bytes=$_-" . ($_ + 99)) } 0, 500, 7000), $request->('Range: bytes=0-0'));
  my @parts;
  while (length $raw) {
    my $r = HlsTest::Client::parse_response($raw, 'closed', 'GET');
    last unless $r->{complete};
    push @parts, $r->{body};
    $raw = $r->{rest};
  }
  is(scalar @parts, 4, 'four answers');
  is($parts[$_], substr($bytes, (0, 500, 7000)[$_], 100), "part $_") for 0 .. 2;
};

subtest 'an origin with TLS' => sub {
  system("openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -keyout $nginx->{prefix}/key.pem "
         . "-out $nginx->{prefix}/cert.pem >/dev/null 2>&1") == 0 or plan(skip_all => 'no openssl command');
  my $tls_port = HlsTest::Nginx::free_port();
  my $tls = start_relay($origin, url => "https://127.0.0.1:$tls_port/\$p", http => <<"END");
server { listen 127.0.0.1:$tls_port ssl; ssl_certificate $nginx->{prefix}/cert.pem; ssl_certificate_key $nginx->{prefix}/key.pem;
         root $nginx->{prefix}/html; }
END
  my $link = first_link($tls, entry_uri(p => 'index.m3u8'));
  my $r = $tls->get($link, headers => ['Range: bytes=5-14']);
  is($r->{status}, 206, 'a range');
  is($r->{body}, substr($bytes, 5, 10), 'its bytes');
};

finish();
