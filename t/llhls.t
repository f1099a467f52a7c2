use strict;
use warnings;
use lib 't/lib';
use Test::More;
use HlsTest;

# Low-Latency HLS (RFC 8216bis 6.2.5, 6.3.7, appendix B) and arguments that players add to links.

my $origin = HlsTest::Origin->start;
my $type = 'application/vnd.apple.mpegurl';
my $nginx = start_relay($origin);

my $live = <<'END';
#EXTM3U
#EXT-X-TARGETDURATION:4
#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=1.0,CAN-SKIP-UNTIL=24.0
#EXT-X-PART-INF:PART-TARGET=0.33334
#EXT-X-MEDIA-SEQUENCE:266
#EXT-X-SKIP:SKIPPED-SEGMENTS=3,RECENTLY-REMOVED-DATERANGES="a	b"
#EXT-X-MAP:URI="[[init.mp4 -> /live/init.mp4]]"
#EXTINF:4.00008,
[[file269.mp4 -> /live/file269.mp4]]
#EXT-X-PART:DURATION=0.33334,URI="[[file270.mp4 -> /live/file270.mp4]]",BYTERANGE="20000@0",INDEPENDENT=YES
#EXT-X-PART:DURATION=0.33334,URI="[[part270.1.mp4 -> /live/part270.1.mp4]]"
#EXT-X-PRELOAD-HINT:TYPE=PART,URI="[[part270.2.mp4 -> /live/part270.2.mp4]]"
#EXT-X-PRELOAD-HINT:TYPE=MAP,URI="[[init.mp4 -> /live/init.mp4]]",BYTERANGE-START=0
#EXT-X-RENDITION-REPORT:URI="[[../low/index.m3u8 -> /low/index.m3u8]]",LAST-MSN=270,LAST-PART=1
#EXT-X-RENDITION-REPORT:LAST-MSN=270,LAST-PART=1
END
check_rewrite($nginx, $origin, 'll.m3u8', $live, -label => 'all tags');

# The playlist through a link of its own: what players reload.
$origin->set('/live/main.m3u8', type => $type,
  body => "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=2\nch/high.m3u8?x=1&y=%2F\n"
             . "#EXT-X-STREAM-INF:BANDWIDTH=1\nch/low.m3u8?x=1\n");
my $reload = sub {
  my ($msn, $hint) = @_;
  return "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:$msn\n#EXT-X-MAP:URI=\"init.mp4\"\n#EXTINF:4,\nseg$msn.mp4\n"
    . ($hint ? '' : "#EXT-X-PART:DURATION=1,URI=\"next.mp4\"\n")
    . ($hint ? "#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"next.mp4\"\n" : '')
    . "#EXT-X-RENDITION-REPORT:URI=\"low.m3u8?x=1\",LAST-MSN=$msn\n";
};
$origin->set('/live/ch/high.m3u8', type => $type, body => $reload->(5, 1));
my ($high, $low) = find_links($nginx->get(entry_uri(p => 'main.m3u8'))->{body});

sub upstream_query {
  my ($uri, %opt) = @_;
  $origin->clear;
  my $r = $nginx->get($uri, %opt);
  my ($request) = $origin->requests;
  return wantarray ? ($request ? $request->{query} : undef, $r) : $request ? $request->{query} : undef;
}

subtest 'equal URLs have equal links' => sub {
  my @first = $nginx->get($high)->{body} =~ /^(?!#EXT-X-REND).*?(\/hls\/[^"\n]+)/mg;
  my ($hint) = $nginx->get($high)->{body} =~ /PRELOAD-HINT.*URI="([^"]+)"/;
  my ($report) = $nginx->get($high)->{body} =~ /RENDITION-REPORT.*URI="([^"]+)"/;
  is($report, $low, 'the rendition report names the link of the multivariant playlist');
  $origin->set('/live/ch/high.m3u8', type => $type, body => $reload->(5, 0));
  my ($part) = $nginx->get($high)->{body} =~ /EXT-X-PART:.*URI="([^"]+)"/;
  is($part, $hint, 'a hinted part keeps its link when it appears');
  my @again = $nginx->get($high)->{body} =~ /^(?!#EXT-X-REND).*?(\/hls\/[^"\n]+)/mg;
  is_deeply([map { s/\?.*//r } @again], [map { s/\?.*//r } @first], 'and all keep theirs over reloads');
  is("@again", "@first", 'byte for byte');
};

subtest 'delivery directives go upstream' => sub {
  is(upstream_query($high), 'x=1&y=%2F', "the URL's own query");
  is(upstream_query("$high&_HLS_msn=7"), 'x=1&y=%2F&_HLS_msn=7', 'appended');
  is(upstream_query("$high&_HLS_part=2&_HLS_msn=7&_HLS_skip=v2"),
    'x=1&y=%2F&_HLS_msn=7&_HLS_part=2&_HLS_skip=v2', 'sorted');
  my ($path, $query) = split /\?/, $high;
  is(upstream_query("$path?" . join '&', sort split(/&/, $query), '_HLS_msn=7', '_HLS_part=0'),
    'x=1&y=%2F&_HLS_msn=7&_HLS_part=0',
     'between the arguments of a link that the client sorted');
  is(upstream_query("$path?_HLS_msn=7&$query"), 'x=1&y=%2F&_HLS_msn=7', 'in front');
  is(upstream_query("$high&_HLS_pathway=A&_HLS_throughput=5&_HLS_primary_id=9"),
     'x=1&y=%2F&_HLS_pathway=A&_HLS_primary_id=9&_HLS_throughput=5', 'all of the prefix');
  is(upstream_query("$high&_HLS_x=a%26b%3Dc%20d"), 'x=1&y=%2F&_HLS_x=a%26b%3Dc%20d', 'encoded as they came');
  my ($twice, $r) = upstream_query("$high&_HLS_msn=7&_HLS_msn=8");
  is($r->{status}, 200, 'a directive twice (ExoPlayer appends): served');
  is(() = ($twice // '') =~ /_HLS_msn=8/g, 1, 'the newest is there');
};

subtest 'a directive that the URL already has is replaced' => sub {
  $origin->set('/live/has.m3u8', type => $type,
    body => "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=2\nch/high.m3u8?_HLS_msn=1&a=b\n");
  my $link = first_link($nginx, entry_uri(p => 'has.m3u8'));
  is(upstream_query($link), '_HLS_msn=1&a=b', "the URL's own");
  is(upstream_query("$link&_HLS_msn=9"), 'a=b&_HLS_msn=9', "the client's");
};

subtest 'other arguments' => sub {
  is(upstream_query("$high&foo=bar&utm_source=x&_hls_msn=1&HLS_msn=2"), 'x=1&y=%2F', 'are dropped');
  is(upstream_query("$high&CMCD=bl%3D1000%2Csid%3D%22a-b%22"), 'x=1&y=%2F&CMCD=bl%3D1000%2Csid%3D%22a-b%22',
    'CMCD goes on');
  my ($seg) = grep { /seg\d/ } find_links($nginx->get($high)->{body});
  is(upstream_query($seg), undef, 'media: no query');
  is(upstream_query("$seg&CMCD=ot%3Dv"), 'CMCD=ot%3Dv', 'media: CMCD goes on');
  is(upstream_query("$seg&_HLS_msn=4&foo=1"), undef, 'media: directives do not');
};

subtest 'nothing can be slipped into the upstream request' => sub {
  for my $value ('5%0d%0aX-Evil:%201', '5%00', "5%20HTTP/1.1%0d%0a", '5%23frag', "%e2%80%a8", '5%0a') {
    $origin->clear;
    my $r = $nginx->get("$high&_HLS_msn=$value");
    my ($request) = $origin->requests;
    ok($r->{status} == 400 || $request && $request->{line} =~ m{^GET /live/ch/high\.m3u8\?[\x21-\x7e]+ HTTP/1\.1$}, "value $value");
    ok(!$request || $request->{head} !~ /^X-Evil/m, 'no header of it');
  }
  my $raw = $nginx->raw("GET $high&_HLS_msn=\x01\x7f\xff HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  like($raw, qr{^HTTP/1\.1 (200|400) }, 'raw control characters: answered');
  my ($bad) = grep { $_->{line} =~ /[^\x20-\x7e]/ } $origin->requests;
  is($bad, undef, 'and not passed on');
};

subtest 'a blocking reload' => sub {
  $origin->set('/live/ch/high.m3u8', type => $type, body => $reload->(6, 1), gate => 'part');
  $origin->clear;
  my $blocked = HlsTest::Client::connect_to($nginx->{port});
  HlsTest::Client::send_all($blocked, HlsTest::Client::request_bytes($nginx->{port}, "$high&_HLS_msn=6"));
  is(scalar(my @r = $origin->wait_for_requests(1, '/live/ch/high.m3u8')), 1,
    'the request waits at the origin');
  is($nginx->get(entry_uri(p => 'main.m3u8'))->{status}, 200, 'others are served meanwhile');
  my ($early) = HlsTest::Client::read_all($blocked, deadline => 0.05);
  is($early, '', 'no answer yet');
  $origin->release('part');
  my ($raw) = HlsTest::Client::read_all($blocked);
  like(HlsTest::Client::parse_response($raw, 'closed', 'GET')->{body}, qr/MEDIA-SEQUENCE:6\n/,
    'then the new playlist');
};

subtest "the origin's answer to a directive it refuses" => sub {
  for my $status (400, 404, 503) {
    $origin->set('/live/ch/high.m3u8', status => $status, type => 'text/plain', body => 'no');
    is($nginx->get("$high&_HLS_msn=99")->{status}, $status, "status $status");
  }
};

subtest 'a part that still grows' => sub {
  $origin->set('/live/ch/high.m3u8', type => $type, body => $reload->(7, 1));
  my ($part) = grep { /next\.mp4/ } find_links($nginx->get($high)->{body});
  my $bytes = media_bytes(6000);
  $origin->set('/live/ch/next.mp4', type => 'video/mp4', status => 206, body => $bytes, framing => 'chunked',
               headers => ['Content-Range: bytes 0-9007199254740990/*'],
                 raw => "HTTP/1.1 206 Partial\r\nContent-Type: video/mp4\r\n"
               . "Content-Range: bytes 0-9007199254740990/*\r\nTransfer-Encoding: chunked\r\n\r\n"
               . sprintf("%x\r\n%s\r\n", 3000, substr $bytes, 0, 3000) . sprintf("%x\r\n%s\r\n0\r\n\r\n",
                 3000, substr $bytes, 3000),
               gate => 'grow', gate_at => 3100);
  my $socket = HlsTest::Client::connect_to($nginx->{port});
  HlsTest::Client::send_all($socket, HlsTest::Client::request_bytes($nginx->{port}, $part,
    headers => ['Range: bytes=0-9007199254740990']));
  my ($early) = HlsTest::Client::read_all($socket, until => sub { length $_[0] > 2900 }, deadline => 3);
  my $r = HlsTest::Client::parse_response($early, 'open', 'GET');
  is($r->{status}, 206, 'its head arrives while it grows');
  is(substr($r->{body}, 0, 2000), substr($bytes, 0, 2000), 'and its bytes, unbuffered');
  $origin->release('grow');
  my ($late) = HlsTest::Client::read_all($socket);
  same_bytes(HlsTest::Client::parse_response("$early$late", 'closed', 'GET')->{body}, $bytes,
    'all in the end');
};

finish();
