use strict;
use warnings;
use lib 't/lib';
use Test::More;
use Time::HiRes qw(time);
use HlsTest;
use HlsTest::RotatingOrigin;

# The fresh playlists in which successors are looked for: what they may be, and what they must be.

my $origin = HlsTest::RotatingOrigin->start;
my $port = $origin->port;
my $params = HlsTest::Nginx->params_with(proxy_read_timeout => '1s');
my $nginx = start_relay($origin, resolver => 1, zone => '16m', params => $params, source => 'ttl 1h; cooldown 0; deadline 4s;', http => <<'END', server => <<'END2');
hls_proxy_source narrow { key p; entry /narrow; resolver /_resolve; ttl 1h; cooldown 0; hosts 127.0.0.1; }
END
location = /narrow { hls_proxy_entry narrow; }
END2
my $files = vod(count => 5, durations => sub { 4 + $_[0] / 10 });
my @media = grep { !/m3u8/ } sort keys %$files;
my $n = 0;

sub dead_requests { my ($name) = @_; return scalar grep { $_->{generation} < 1 } $origin->asked(stream => $name) }

# Opens a stream, and rotates it to where some files are different.
sub rotated {
  my ($old, $changes, %state) = @_;
  my $name = 'p' . ++$n;
  $origin->stream($name, files => $old, versions => { 1 => $changes }, %state);
  my $links = open_stream($nginx, $name, $old);
  $origin->rotate($name)->clear;
  return ($name, $links);
}

sub changed {
  my ($names, %more) = @_;
  return { map { $_ => { %{$files->{$_}}, %more } } @$names };
}
my @playlists = ('master.m3u8', map { "$_/index.m3u8" } qw(lo hi de));

subtest 'as they come' => sub {
  my %forms = ('compressed' => { gzip => 1 }, 'compressed, in chunks' => { gzip => 1, framing => 'chunked',
    chunk_size => 33 },
    'in chunks' => { framing => 'chunked', chunk_size => 50 }, 'without a length' => { framing => 'close' },
    'in many packets' => { write_size => 20 }, 'of another type' => { type => 'text/plain' });
  for my $form (sort keys %forms) {
    for my $rotate (['query'], ['query', 'dir', 'name']) {
      my ($name, $links) = rotated($files, changed(\@playlists, %{$forms{$form}}), rotate => $rotate);
      plays($nginx, $name, $files, $links, "$form, @$rotate", @media);
      is(dead_requests($name), 1, 'one request for a dead URL');
    }
  }
};

subtest 'redirected' => sub {
  for my $rotate (['query'], ['query', 'name', 'dir']) {
    my $moved = join '-', 'moved', @$rotate;
    my ($name, $links) = rotated($files, { 'lo/index.m3u8' => { route => {
      status => 302, headers => ["Location: http://127.0.0.2:$port/$moved.m3u8"], body => 'x' } } },
        rotate => $rotate);
    # Where the redirect leads are the URLs of the new generation.
    my $url = sub { "http://127.0.0.1:$port" . HlsTest::RotatingOrigin::Server::target_of({ rotate => $rotate }, $name, 1, $_[0]) };
    $origin->set("/$moved.m3u8", type => 'application/vnd.apple.mpegurl',
      body => $files->{'lo/index.m3u8'}{text} =~ s/\{\{(.*?)\}\}/$url->($1)/ger);
    plays($nginx, $name, $files, $links, "to another host, @$rotate", grep { /^lo/ } @media);
  }
};

subtest 'with headers of their generation' => sub {
  for my $rotate (['query'], ['host', 'dir']) {
    my %need = ('X-Token' => 'value {g}', Cookie => 'sid={g}');
    my ($name, $links) = rotated($files, {}, rotate => $rotate, need => \%need,
      answer => { headers => \%need });
    plays($nginx, $name, $files, $links, "@$rotate: old links carry the new headers", @media,
      @playlists[1 .. 3]);
    plays($nginx, $name, $files, $links, 'again', @media);
    is(scalar(grep { $_->{status} == 401 } $origin->asked(stream => $name)), 0,
      'never those of another generation');
  }
};

subtest 'headers alone rotate' => sub {
  my %need = (Authorization => 'Bearer {g}');
  my $name = 'bearer';
  $origin->stream($name, files => $files, rotate => [], need => \%need, answer => { headers => \%need });
  my $links = open_stream($nginx, $name, $files);
  plays($nginx, $name, $files, $links, 'plays', 'lo/seg-0.ts');
  # The URLs stay; what was good is refused: with 401 by this origin, which refresh_on does not name.
  $origin->rotate($name);
  is(get_file($nginx, $links, 'lo/seg-1.ts')->{status}, 401, '401 is not in refresh_on');
};

subtest 'variables' => sub {
  my $text = "#EXTM3U\n#EXT-X-VERSION:8\n#EXT-X-DEFINE:NAME=\"one\",VALUE=\"{{lo/seg-1.ts}}\"\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{{lo/index.m3u8}}\n";
  my $lo = media_playlist(count => 3);
  $lo->{'lo/index.m3u8'}{text} =~ s/#EXTINF/#EXT-X-DEFINE:IMPORT="one"\n#EXTINF/;
  $lo->{'lo/index.m3u8'}{text} =~ s/\{\{lo\/seg-1\.ts\}\}/{\$one}/;
  my $old = { %$lo, 'master.m3u8' => { text => $text } };
  for my $rotate (['query'], ['query', 'dir', 'name']) {
    my $name = 'var' . ++$n;
    $origin->stream($name, files => $old, rotate => $rotate);
    my ($child) = find_links($nginx->get(entry_uri(p => $name))->{body});
    my @links = find_links($nginx->get($child)->{body});
    is(scalar @links, 3, 'three segments');
    $origin->rotate($name)->clear;
    for my $i (1, 0, 2) { same_bytes($nginx->get($links[$i])->{body}, bytes_of("$name/lo/seg-$i.ts"),
      "@$rotate: segment $i") }
    @links = find_links($nginx->get($child)->{body});
    is(scalar @links, 3, 'the child playlist');
    same_bytes($nginx->get($links[1] // '/none')->{body}, bytes_of("$name/lo/seg-1.ts"), 'and its segment');
    is(dead_requests($name), 1, 'one request for a dead URL');
  }
};

subtest 'of 2000 segments' => sub {
  my $long = { %{media_playlist(count => 2000, durations => sub { 2 + $_[0] % 7 / 10 })},
    'master.m3u8' => { text => "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{{lo/index.m3u8}}\n" } };
  for my $rotate (['query'], ['query', 'dir', 'name']) {
    my $name = 'long' . ++$n;
    $origin->stream($name, files => $long, rotate => $rotate);
    my $links = open_stream($nginx, $name, $long);
    $origin->rotate($name)->clear;
    plays($nginx, $name, $long, $links, "@$rotate: from all over it",
      map { 'lo/seg-' . $_ * 37 % 2000 . '.ts' } 0 .. 150);
    is(dead_requests($name), 1, 'one request for a dead URL');
    is(scalar(my @r = $origin->asked(stream => $name, generation => 1, file => 'lo/index.m3u8')), 1,
      'one fresh playlist');
  }
};

subtest 'what is no playlist' => sub {
  my $lo = $files->{'lo/index.m3u8'};
  my %bad = (
    'cut short' => { %$lo, cut => length($lo->{text}) - 5 },
    'cut short in chunks' => { %$lo, framing => 'chunked', chunk_size => 60, cut => 300 },
    'HTML' => { route => { type => 'text/html', body => '<html>wait</html>' } },
    'not found' => { route => { status => 404, body => 'x' } },
    'nothing' => { route => { type => 'application/vnd.apple.mpegurl', body => '' } },
    'an error' => { route => { status => 500, body => 'x' } },
    'no answer in time' => { route => { gate => 'never' } },
    'garbage' => { route => { type => 'application/vnd.apple.mpegurl', body => "\x00" x 500 } },
    'an outline' => { route => { type => 'application/vnd.apple.mpegurl',
      body => "#EXTM3U\n#EXT-X-ENDLIST\n" } },
    'an endless line' => { route => { type => 'application/vnd.apple.mpegurl',
      body => ["#EXTM3U\n#EXT-X-KEY:METHOD=NONE,X=", 'x' x 1000, 40] } },
    'a redirect to nowhere' => { route => { status => 302,
      headers => ['Location: http://127.0.0.1:1/x.m3u8'], body => 'x' } },
  );
  for my $what (sort keys %bad) {
    my ($name, $links) = rotated($files, { 'lo/index.m3u8' => $bad{$what} }, rotate => ['query', 'name']);
    my $began = time;
    my $r = get_file($nginx, $links, 'lo/seg-3.ts');
    is($r->{status}, 403, "$what: the origin's own status");
    ok($r->{complete}, 'a clean end');
    cmp_ok(time - $began, '<', 10, 'in time');
    plays($nginx, $name, $files, $links, 'the other renditions play', grep { /^(?:hi|de)/ } @media);
    next if $what eq 'an outline';   # complete, as it says: nobody asks for it again
    $origin->update($name, versions => {});
    my $end = time + 10;
    do { $r = get_file($nginx, $links, 'lo/seg-3.ts') } until $r->{status} == 200 || time > $end;
    same_bytes($r->{body}, bytes_of("$name/lo/seg-3.ts"), "$what: and this one when its playlist is back");
  }
};

subtest 'that lead out of hosts' => sub {
  my $name = 'narrow';
  $origin->stream($name, files => $files, rotate => ['query', 'host']);
  my $links = open_stream($nginx, $name, $files, entry => entry_uri(-path => '/narrow', p => $name));
  plays($nginx, $name, $files, $links, 'plays', 'lo/seg-0.ts');
  $origin->rotate($name)->clear;
  is(get_file($nginx, $links, 'lo/seg-1.ts')->{status}, 403, "the origin's own status");
  is(scalar(grep { $_->{address} eq '127.0.0.2' } $origin->requests), 0, 'that host was not asked');
  my $wide = { 'lo/index.m3u8' => { text => $files->{'lo/index.m3u8'}{text} =~ s/\{\{/http:\/\/127.0.0.2:$port\{\{/gr } };
  $origin->stream('inner', files => $files, versions => { 1 => $wide });
  $links = open_stream($nginx, 'inner', $files, entry => entry_uri(-path => '/narrow', p => 'inner'));
  $origin->rotate('inner')->clear;
  is(get_file($nginx, $links, 'lo/seg-1.ts')->{status}, 403, 'segments on a host outside');
  is(scalar(grep { $_->{address} eq '127.0.0.2' } $origin->requests), 0, 'which was not asked');
};

subtest 'a file has none' => sub {
  my $movie = { 'movie.mp4' => { id => 'movie.mp4', size => 50_000 } };
  for my $rotate (['query'], ['query', 'host', 'dir', 'name']) {
    my $name = 'movie' . ++$n;
    $origin->stream($name, entry => 'movie.mp4', files => $movie, rotate => $rotate);
    my $bytes = bytes_of("$name/movie.mp4", 50_000);
    same_bytes($nginx->get(entry_uri(p => $name))->{body}, $bytes, "@$rotate: a film");
    $origin->rotate($name)->clear;
    my $r = $nginx->get(entry_uri(p => $name), headers => ['Range: bytes=40000-']);
    is($r->{status}, 206, 'its address has died');
    same_bytes($r->{body}, substr($bytes, 40_000), 'goes on at the new one');
    is($r->header('Content-Range'), 'bytes 40000-49999/50000', 'in the right place');
    is(scalar(my @r = $origin->resolves($name)), 1, 'one resolve');
    is(scalar(@r = $origin->asked(stream => $name)), 2, 'two requests');
  }
};

finish();
