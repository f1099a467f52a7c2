use strict;
use warnings;
use lib 't/lib';
use Test::More;
use HlsTest;

# Large playlists: whole, in constant memory, at the client's pace; the limit.

my $origin = HlsTest::Origin->start;
my $type = 'application/vnd.apple.mpegurl';
my $nginx = start_relay($origin, server => 'hls_proxy_max_playlist 64m;');
my $limited = start_relay($origin, server => 'hls_proxy_max_playlist 100k;');
my $usual = start_relay($origin);

my $title = 'a title of this segment ' x 16;
my @forty = ("#EXTM3U\n", "#EXTINF:4.0,$title\nseg-#N#.ts\n", 100_000, "#EXT-X-ENDLIST\n");

# Lines other than links must be those of the origin, in their order; links must name the right segment.
sub check_segments {
  my ($body, $count, $label) = @_;
  my ($n, $wrong) = (0, 0);
  my $pos = index($body, "\n") + 1;
  while ((my $tag_end = index $body, "\n", $pos) >= 0) {
    my $line = substr $body, $pos, $tag_end - $pos;
    last if $line eq '#EXT-X-ENDLIST';
    my $uri_end = index $body, "\n", $tag_end + 1;
    my $uri = substr $body, $tag_end + 1, $uri_end - $tag_end - 1;
    $wrong++ unless $line eq "#EXTINF:4.0,$title" && $uri =~ m{^/hls/media/[\w-]+/seg-$n\.ts\?};
    $n++;
    $pos = $uri_end + 1;
  }
  is($n, $count, "$label: segments");
  is($wrong, 0, "$label: wrong ones among them");
}

subtest '40 MB' => sub {
  $origin->set('/live/forty.m3u8', type => $type, body => \@forty, framing => 'chunked');
  $nginx->get(entry_uri(p => 'forty.m3u8'),
    until => sub { length $_[0] > 2_000_000 });   # caches and pools are warm
  my $before = $nginx->memory_kb('VmHWM');
  my $r = $nginx->get(entry_uri(p => 'forty.m3u8'));
  is($r->{status}, 200, 'status');
  ok($r->{complete}, 'clean end');
  check_segments($r->{body}, 100_000, '40 MB');
  cmp_ok($nginx->memory_kb('VmHWM') - $before, '<', 2048, 'kB of memory more');
};

subtest '40 MB over the limit of 32 MB' => sub {
  my $r = $usual->get(entry_uri(p => 'forty.m3u8'));
  is($r->{status}, 200, 'chunked: the head was out') ;
  ok(!$r->{complete}, 'no clean end');
  $origin->set('/live/known.m3u8', type => $type, body => \@forty);
  is($usual->get(entry_uri(p => 'known.m3u8'))->{status}, 502, 'with its length known: 502');
};

subtest 'hls_proxy_max_playlist' => sub {
  my $exactly = "#EXTM3U\n#" . 'x' x (102_400 - 10) . "\n";
  $origin->set('/live/fits.m3u8', type => $type, body => $exactly, framing => 'chunked');
  my $r = $limited->get(entry_uri(p => 'fits.m3u8'));
  ok($r->{status} == 200 && $r->{complete}, '100 KB fit');
  same_bytes($r->{body}, $exactly, 'all of it');
  $origin->set('/live/over.m3u8', type => $type, body => "$exactly\n", framing => 'chunked');
  $r = $limited->get(entry_uri(p => 'over.m3u8'));
  ok($r->{status} == 502 || !$r->{complete}, 'one byte more does not');
  $origin->set('/live/over.m3u8', type => $type, body => "$exactly\n");
  $r = $limited->get(entry_uri(p => 'over.m3u8'));
  is($r->{status}, 502, 'and is refused at once where the length is known');
  like($r->{body}, qr/hls_proxy_max_playlist/, 'with the directive to change');
};

subtest '2 MB to a slow client' => sub {
  my @two = ("#EXTM3U\n", "#EXTINF:4.0,$title\nseg-#N#.ts\n", 5_000, "#EXT-X-ENDLIST\n");
  $origin->set('/live/two.m3u8', type => $type, body => \@two);
  my $uri = entry_uri(p => 'two.m3u8');
  my $fast = $nginx->get($uri);
  check_segments($fast->{body}, 5_000, 'a fast client');
  my $before = $nginx->memory_kb('VmHWM');
  my $slow = $nginx->get($uri, rcvbuf => 2048, piece => 8192, pause => 0.002);
  ok($slow->{complete}, 'clean end');
  same_bytes($slow->{body}, $fast->{body}, 'the same bytes');
  cmp_ok($nginx->memory_kb('VmHWM') - $before, '<', 1024, 'kB of memory more');
};

subtest 'a client that goes away' => sub {
  for my $bytes (1, 5_000, 200_000) {
    my $r = $nginx->get(entry_uri(p => 'forty.m3u8'), rcvbuf => 4096,
      until => sub { length $_[0] >= $bytes });
    is($r->{how}, 'stopped', "after $bytes bytes");
  }
  is($nginx->get(entry_uri(p => 'two.m3u8'))->{status}, 200, 'the worker serves on');
};

subtest 'no memory is lost' => sub {
  $origin->set('/live/small.m3u8', type => $type, body => ["#EXTM3U\n", "#EXTINF:4.0,\nseg-#N#.ts?token=x\n",
    200]);
  $origin->set('/live/bad.m3u8', type => $type, body => "#EXTM3U\n#EXT-X-MAP:URI=\"x\n");
  my @uris = (entry_uri(p => 'small.m3u8'), entry_uri(p => 'bad.m3u8'), '/hls/media/x/y.ts');
  my $round = sub { $nginx->get($_) for (@uris) x 100 };
  $round->();
  my $before = $nginx->memory_kb('VmRSS');
  $round->() for 1 .. 3;
  cmp_ok($nginx->memory_kb('VmRSS') - $before, '<', 256, 'kB of memory more after 900 requests');
};

finish();
