use strict;
use warnings;
use lib 't/lib';
use Test::More;
use HlsTest;

# Playlists that cannot be rewritten whole, and origins that fail: an error, never half a truth.

my $origin = HlsTest::Origin->start;
my $nginx = start_relay($origin);
my $type = 'application/vnd.apple.mpegurl';
my $entry = entry_uri(p => 'bad.m3u8');
my $many = join '', map { "#EXTINF:4.0,\nhttp://127.0.0.1/leak-$_.ts\n" } 1 .. 3000;

my @broken = (
  ['an unterminated quote', qq(#EXT-X-MAP:URI="http://leak.example/init.mp4\n), qr/quote/i],
  ['an unterminated quote at the very end', qq(#EXT-X-MAP:URI="http://leak.example/init.mp4), qr/quote/i],
  ['a URI of 9 KB', '#EXTINF:4,' . "\nhttp://leak.example/" . 'x' x 9000 . ".ts\n", qr/URI|URL/],
  ['a URI of 9 KB in a tag', '#EXT-X-MAP:URI="http://leak.example/' . 'x' x 9000 . qq(.mp4"\n), qr/URI|URL/],
  ['a short URI that becomes 9 KB', "#EXTINF:4,\n" . "\xc3\xa4" x 1500 . "leak.ts\n", qr/URI|URL/],
  ['a URI tag of 17 KB',
    '#EXT-X-MEDIA:TYPE=AUDIO,NAME="' . 'x' x 17_000 . qq(",URI="http://leak.example/a.m3u8"\n),
    qr/line|tag/i],
  ['a URI line of 20 KB', 'http://leak.example/' . 'x' x 20_000 . "\n", qr/line|URI|URL/i],
  ['an unknown variable', "#EXTINF:4,\nhttp://leak.example/{\$who}.ts\n", qr/variable/i],
  ['NUL in a URI', "#EXTINF:4,\nhttp://leak.example/a\0b.ts\n", qr/NUL|zero/i],
);

for my $case (@broken) {
  my ($what, $line, $says) = @$case;
  subtest "$what, early" => sub {
    $origin->set('/live/bad.m3u8', type => $type, body => "#EXTM3U\n$line");
    my $r = $nginx->get($entry);
    is($r->{status}, 502, 'status');
    ok($r->{complete}, 'a whole answer');
    like($r->header('Content-Type') // '', qr{^text/plain}, 'type');
    like($r->{body}, $says, 'says what is wrong');
    unlike($r->{raw}, qr/leak/, 'without the URL');
    cmp_ok(length $r->{body}, '<', 400, 'in one sentence');
    is($r->header('Access-Control-Allow-Origin'), '*', 'CORS');
    my $head = $nginx->head($entry);
    like($head->{status}, qr/^(200|502)$/, 'HEAD is answered');
  };
  subtest "$what, late" => sub {
    $origin->set('/live/bad.m3u8', type => $type, body => "#EXTM3U\n$many$line", framing => 'chunked');
    my $r = $nginx->get($entry);
    is($r->{status}, 200, 'the head was out');
    ok(!$r->{complete}, 'no clean end');
    unlike($r->{body}, qr/leak\.example/, 'no upstream URL');
    unlike($r->{body}, qr{http://127\.0\.0\.1/leak-}, 'nor another');
    unlike($r->{body}, qr/502 Bad Gateway/, 'no error page inside of a playlist');
  };
}

subtest 'an origin that closes mid-body' => sub {
  my $body = "#EXTM3U\n$many#EXT-X-ENDLIST\n";
  for my $framing (qw(length chunked)) {
    for my $cut (0, 5, 100, 20_000, length($body) - 5) {
      $origin->set('/live/bad.m3u8', type => $type, body => $body, framing => $framing, cut => $cut);
      my $r = $nginx->get($entry);
      ok($r->{status} == 502 || ($r->{status} == 200 && !$r->{complete}), "$framing, after $cut bytes")
        or diag("status $r->{status}, complete $r->{complete}, body " . length $r->{body});
      unlike($r->{body}, qr{http://127\.0\.0\.1/leak-}, 'nothing unrewritten');
    }
  }
};

subtest 'an origin that is no HTTP server' => sub {
  my %is = ('closes at once' => { silent => 1 }, 'talks nonsense' => { raw => "nonsense\r\n\r\n" },
            'sends half a head' => { raw => "HTTP/1.1 200 OK\r\nContent-Ty" },
            'sends a huge header' => { raw => "HTTP/1.1 200 OK\r\nX: " . 'x' x 100_000 . "\r\n\r\n" },
            'frames its chunks wrongly' => { raw => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n#EXTM3U\r\n0\r\n\r\n" });
  for my $what (sort keys %is) {
    $origin->set('/live/bad.m3u8', %{$is{$what}});
    my $r = $nginx->get($entry);
    ok($r->{status} == 502 || ($r->{status} == 200 && !$r->{complete}), $what) or diag($r->{status});
    is($r->header('Access-Control-Allow-Origin'), '*', "$what: CORS") if $r->{status} == 502;
  }
  my $gone = start_relay($origin, url => 'http://127.0.0.1:' . HlsTest::Nginx::free_port() . '/$p');
  is($gone->get($entry)->{status}, 502, 'does not listen');
};

# A body that a client would read as a head of its own escapes every rule for headers: the origin's page
# would run on the user's domain.
subtest 'an origin that smuggles a head' => sub {
  local $HlsTest::Client::DEADLINE = 3;
  my $page = "<script>alert('leak')</script>";
  my $head = "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nSet-Cookie: leak=1\r\nContent-Length: " . length($page) . "\r\n\r\n$page";
  my %is = ('behind a line feed: HTTP/0.9' => "\n$head", 'behind junk: HTTP/0.9' => "xx$head",
            'behind 100' => "HTTP/1.1 100 Continue\r\n\r\n$head",
            'as the body of 100' => "HTTP/1.1 100 Continue\r\nContent-Length: " . length($head) . "\r\n\r\n$head",
            'as the body of 103' => "HTTP/1.1 103 Early Hints\r\nContent-Type: video/mp2t\r\nContent-Length: " . length($head) . "\r\n\r\n$head",
            'behind 101' => "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n$head",
            'behind 204' => "HTTP/1.1 204 No Content\r\n\r\n$head",
              'behind 304' => "HTTP/1.1 304 Not Modified\r\n\r\n$head",
            'with a bare CR in a header' => "HTTP/1.1 200 OK\r\nX-A: b\rSet-Cookie: leak=1\r\nContent-Length: 1\r\n\r\nx",
            'in the reason' => "HTTP/1.1 200 OK\rSet-Cookie: leak=1\r\nContent-Length: 1\r\n\r\nx",
            'in a trailer' => "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nSet-Cookie: leak=1\r\n\r\n");
  $origin->set('/live/ok.m3u8', type => $type, body => "#EXTM3U\n#EXTINF:1,\nseg.ts\n");
  my $segment = first_link($nginx, entry_uri(p => 'ok.m3u8'));
  for my $what (sort keys %is) {
    $origin->set("/live/$_", raw => $is{$what}) for 'bad.m3u8', 'seg.ts';
    for my $case ([playlist => $entry], [segment => $segment]) {
      for my $headers ([], ['Connection: Upgrade, close', 'Upgrade: websocket']) {
        my $r = $nginx->get($case->[1], headers => $headers);
        like($r->{status}, $what =~ /20|304|CR|reason|trailer/ ? qr/^(200|204|304|502)$/ : qr/^502$/,
          "$case->[0], $what");
        unlike($r->{raw}, qr/leak/, "$case->[0], $what: nothing of it");
      }
    }
  }
};

subtest 'HTML where a playlist or a segment should be' => sub {
  my $page = "<!DOCTYPE html>\n<html><script>alert('leak')</script></html>\n";
  $origin->set('/live/ok.m3u8', type => $type, body => "#EXTM3U\n#EXTINF:1,\nseg.ts\n");
  my $segment = first_link($nginx, entry_uri(p => 'ok.m3u8'));
  for my $declared ('text/html', $type, 'video/mp2t', undef) {
    for my $html ($page, "\n  $page", "<html><body>$page", "\xef\xbb\xbf<HTML>$page", '<!doctype HTML>') {
      $origin->set("/live/$_", type => $declared, body => $html) for 'bad.m3u8', 'seg.ts';
      for my $case ([playlist => $entry], [segment => $segment]) {
        my $r = $nginx->get($case->[1]);
        is($r->{status}, 502, "$case->[0] as " . ($declared // 'no type'));
        unlike($r->{body}, qr/leak/, 'without the page');
      }
    }
  }
  $origin->set('/live/bad.m3u8', type => 'text/html', body => $page, framing => 'chunked', chunk_size => 1,
    write_size => 1);
  is($nginx->get($entry)->{status}, 502, 'in chunks of one byte');
};

subtest 'other statuses are no way around' => sub {
  my $playlist = "#EXTM3U\n#EXTINF:1,\nhttp://leak.example/seg.ts\n";
  my %body = (zstd => $playlist, gzip => $playlist, identity => ' ' x 600 . $playlist);
  for my $coding (sort keys %body) {
    for my $status (200, 203, 404, 503) {
      $origin->set('/live/bad.m3u8', status => $status, type => $type, headers => ["Content-Encoding: $coding"],
                   body => $body{$coding});
      my $r = $nginx->get($entry);
      is($r->{status}, $status < 300 ? 502 : $status, "$coding with $status: the status");
      unlike($r->{body}, qr/leak/, 'and nothing else');
      is($r->header('Content-Encoding'), undef, 'nor how it was coded');
    }
  }
  $origin->set('/live/bad.m3u8', status => 203, type => 'application/JSON',
               body => '{"ASSETS":[{"URI":"http://leak.example/a.m3u8","DURATION":1}]}');
  my $r = $nginx->get($entry);
  is($r->{status}, 203, 'an asset list with 203');
  unlike($r->{body}, qr/leak\.example/, 'is rewritten');
  like($r->{body}, qr{"URI":"http://127\.0\.0\.1:\d+/hls/playlist/}, 'to a link');
  $origin->set('/live/bad.m3u8', type => 'application/json', body => '{"ASSETS":[{"URI":"http://leak.example/a"}]} x');
  $r = $nginx->get($entry);
  is($r->{status}, 502, 'JSON with something behind it');
  unlike($r->{body}, qr/leak\.example/, 'does not come through');
};

subtest "the origin's own errors" => sub {
  for my $status (400, 401, 403, 404, 410, 429, 451, 500, 503, 504) {
    $origin->set('/live/bad.m3u8', status => $status, type => 'text/html',
      body => '<script>alert(1)</script>',
                 headers => ['Retry-After: 7', 'WWW-Authenticate: Basic realm="origin"']);
    my $r = $nginx->get($entry);
    is($r->{status}, $status, "status $status");
    is($r->header('Access-Control-Allow-Origin'), '*', 'CORS');
    unlike($r->header('Content-Type') // '', qr/html/, 'not as HTML') if $r->{body} =~ /<script>/;
    is($r->header('WWW-Authenticate'), undef, "no login window of the origin's");
  }
  $origin->set('/live/bad.m3u8', status => 404, type => $type,
    body => "#EXTM3U\n#EXTINF:1,\nhttp://leak.example/x.ts\n");
  unlike($nginx->get($entry)->{body}, qr/leak\.example/,
    'a playlist as the body of an error: not unrewritten');
};

subtest '206 for a playlist' => sub {
  my $body = "#EXTM3U\n#EXTINF:1,\nseg.ts\n";
  my $size = length $body;
  $origin->set('/live/bad.m3u8', status => 206, type => $type, body => substr($body, 0, 12),
               headers => ["Content-Range: bytes 0-11/$size"]);
  is($nginx->get($entry)->{status}, 502, 'a part of it');
  $origin->set('/live/bad.m3u8', status => 206, type => $type, body => $body,
    headers => ["Content-Range: bytes 0-*/$size"]);
  is($nginx->get($entry)->{status}, 502, 'a part that does not say which');
  $origin->set('/live/bad.m3u8', status => 206, type => $type, body => $body,
               headers => ['Content-Range: bytes 0-' . ($size - 1) . "/$size"]);
  my $r = $nginx->get($entry);
  is($r->{status}, 200, 'all of it is one');
  is($r->header('Content-Range'), undef, 'and says nothing of ranges');
};

finish();
