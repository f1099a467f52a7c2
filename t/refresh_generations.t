use strict;
use warnings;
use lib 't/lib';
use Test::More;
use HlsTest;
use HlsTest::RotatingOrigin;

# Links of generations that the zone does not know (made by another node, before a restart), and generations that
# are known to be there but have died meanwhile.

my $origin = HlsTest::RotatingOrigin->start;
my %conf = (resolver => 1, source => 'ttl 1h; cooldown 0; deadline 5s;',
            params => HlsTest::Nginx->params_with(proxy_read_timeout => '400ms', proxy_connect_timeout => '1s'));
my $nginx = start_relay($origin, %conf);
my $other = start_relay($origin, %conf);
my $vod = vod(count => 6);

sub asked { my ($name, $file) = @_; return scalar(my @r = $origin->asked(stream => $name, file => $file)) }

subtest 'the links of another node, after each rotation' => sub {
  $origin->stream('node', files => $vod, rotate => ['query', 'host']);
  my $links = open_stream($nginx, 'node', $vod);
  for my $n (1 .. 3) {
    $origin->rotate('node');
    plays($other, 'node', $vod, $links, "rotation $n", "lo/seg-$n.ts") for 1 .. 2;
  }
};

# Known, the same URL, and no answer: to catch up with the known generation is allowed once.
subtest 'the newest generation names the same URL, which does not work' => sub {
  my %broken = (silent => { silent => 1 }, error => { status => 500, body => 'x', type => 'text/plain' },
                page => { type => 'text/html', body => '<html><body>wait' },
                refused => { status => 403, body => 'x', type => 'text/plain' });
  my %status = (silent => 502, error => 500, page => 502, refused => 403);
  for my $what (sort keys %broken) {
    $origin->stream($what, files => $vod);
    my $links = open_stream($nginx, $what, $vod);
    $nginx->stop;
    $nginx->start;
    $nginx->get(entry_uri(p => $what));
    $origin->update($what, versions => { 0 => { 'lo/seg-1.ts' => { route => $broken{$what} } } });
    $origin->clear;
    is(get_file($nginx, $links, 'lo/seg-1.ts')->{status}, $status{$what}, "$what: its own status");
    # Twice for what may pass (proxy_next_upstream), as itself, as the known one, and as the refreshed one.
    cmp_ok(asked($what, 'lo/seg-1.ts'), '<=', 6, "$what: asked a few times");
  }
};

# A refresh whose end is no 200 leaves the stream able to be refreshed again.
subtest 'the first refresh ends in 304, 416 or 404' => sub {
  for my $rotate (['query'], ['query', 'host', 'dir', 'name']) {
    for my $how (304, 416, 404) {
      my $name = join '', 'end', $how, map { substr $_, 0, 1 } @$rotate;
      $origin->stream($name, files => $vod, rotate => $rotate);
      my $links = open_stream($nginx, $name, $vod);
      my $etag = get_file($nginx, $links, 'lo/seg-1.ts')->header('ETag');
      my %headers = (304 => ["If-None-Match: $etag"], 416 => ['Range: bytes=99999999-'], 404 => []);
      my $gone = { route => { status => 404, type => 'text/plain', body => 'x' } };
      $origin->update($name, versions => { 1 => { 'lo/seg-1.ts' => $gone },
                                           2 => { 'lo/seg-1.ts' => $vod->{'lo/seg-1.ts'} } }) if $how == 404;
      $origin->rotate($name);
      is(get_file($nginx, $links, 'lo/seg-1.ts', headers => $headers{$how})->{status}, $how, "$name: $how");
      $origin->rotate($name);
      plays($nginx, $name, $vod, $links, "$name: after the next rotation", map { "lo/seg-$_.ts" } 0 .. 3);
    }
  }
};

# Players stay with the links of the first generation's multivariant playlist: that of the second passes nobody, and
# is needed all the same when the second dies.
subtest 'a playlist is asked for by an old link, then the URLs rotate again' => sub {
  for my $which ('hi', 'de', 'lo') {
    my $name = "twice-$which";
    $origin->stream($name, files => $vod, rotate => ['query', 'name']);
    my $master = $nginx->get(entry_uri(p => $name))->{body};
    my @names = $vod->{'master.m3u8'}{text} =~ /\{\{(.*?)\}\}/g;
    my %link;
    @link{@names} = find_links($master);
    $nginx->get($link{'lo/index.m3u8'});
    $origin->rotate($name);
    my $playlist = $nginx->get($link{"$which/index.m3u8"});
    is($playlist->{status}, 200, "$which: the playlist, refreshed");
    $origin->rotate($name);
    my @files = $vod->{"$which/index.m3u8"}{text} =~ /\{\{(.*?)\}\}/g;
    my @links = find_links($playlist->{body});
    is(scalar @links, scalar @files, "$which: all of it");
    same_bytes($nginx->get($links[$_])->{body}, bytes_of("$name/$files[$_]"), "$which: $files[$_]") for 0 .. $#links;
  }
};

finish();
