use strict;
use warnings;
use lib 't/lib';
use Test::More;
use HlsTest;
use HlsTest::RotatingOrigin;

# Which URL takes the place of one that died; and that none does where it cannot be sure: the origin's own status
# then, and never a byte of something else.

my $origin = HlsTest::RotatingOrigin->start;
my $port = $origin->port;
my $nginx = start_relay($origin, resolver => 1, zone => '16m', source => 'ttl 1h; cooldown 0; deadline 5s;');
my $n = 0;

my %ROTATIONS = ('token' => ['query'], 'host' => ['host'], 'directory' => ['dir'], 'file names' => ['name'],
                 'token and host' => ['query', 'host'], 'directory and names' => ['dir', 'name'],
                 'everything' => ['query', 'host', 'dir', 'name']);

sub media_of { my ($files) = @_; return grep { !/m3u8$/ } sort keys %$files }

# What must not be there any more is left out of a generation.
sub versions { my ($old, $fresh) = @_; return { 1 => { (map { $_ => undef } keys %$old), %$fresh } } }

sub with_master {
  my ($files, $master) = @_;
  return { %$files, 'master.m3u8' => { text => $master // "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=800000\n{{lo/index.m3u8}}\n" } };
}

# Opens `old`, rotates to `fresh`, and asks for what the old links lead to. Options: rotate, names, plays (names that
# must play; the others must not), reason (of the log), file (the entry), answer (the resolver's, then).
sub rotated {
  my ($label, $old, $fresh, %opt) = @_;
  my $name = 'r' . ++$n;
  my %plays = map { $_ => 1 } @{$opt{plays} // []};
  my $entry = $opt{file} // 'master.m3u8';
  $origin->stream($name, files => $old, versions => versions($old, $fresh),
    rotate => $opt{rotate} // ['query'], entry => $entry,
    $opt{state} ? %{$opt{state}} : ());
  my $links = open_stream($nginx, $name, $old, file => $entry);
  $origin->update($name, answer => $opt{answer}, $opt{entry} ? (entry => $opt{entry}) : ()) if $opt{answer}
    || $opt{entry};
  $origin->rotate($name)->clear;
  my (@wrong, @others, $count);
  for my $file (@{$opt{names} // [media_of($old)]}) {
    next unless $links->{$file};
    ++$count;
    my $r = get_file($nginx, $links, $file);
    my $right = $old->{$file}{text} ? $r->{body} =~ /^#EXTM3U/
      : $r->{body} eq bytes_of("$name/$old->{$file}{id}", $old->{$file}{size});
    push @wrong, $file if $r->{status} == 200 && !$right;
    push @others, "$file: $r->{status}" if $opt{either} ? $r->{status} !~ /^(?:200|403)$/
      : $r->{status} != ($plays{$file} ? 200 : 403);
  }
  ok($count, "$label: there is something to ask for");
  is(join(', ', @wrong), '', "$label: not a wrong byte");
  is(join(', ', @others), '', "$label: plays what is sure, 403 for the rest");
  my @log = grep { /\[error\].*stream "s p=$name"/ } split /\n/, $nginx->error_log;
  if (defined $opt{reason}) { like(join("\n", @log), $opt{reason}, "$label: the log says why") }
  elsif (keys %plays == 0 && !$opt{either}) { isnt(scalar @log, 0, "$label: the log says why") }
  return ($name, $links);
}

sub each_rotation {
  my ($label, $old, $fresh, %opt) = @_;
  rotated("$label, $_", $old, $fresh, %opt, rotate => $ROTATIONS{$_}) for sort keys %ROTATIONS;
}

subtest 'VOD' => sub {
  my %kinds = ('transport streams' => vod(count => 5), 'fragmented MP4' => vod(count => 4, map => 1,
    key => 1),
    'durations that differ' => vod(count => 5, durations => sub { 3 + $_[0] / 10 }),
    'keys that rotate' => vod(count => 5, key => sub { 'k' . int($_[0] / 2) . '.key' }),
    'discontinuities' => vod(count => 5, discontinuity => [2, 4]), 'byte ranges' => vod(count => 4,
      ranges => 1));
  for my $kind (sort keys %kinds) {
    my $files = $kinds{$kind};
    each_rotation($kind, $files, $files, plays => [grep { $_ ne 'master.m3u8' } keys %$files],
      names => [sort grep { $_ ne 'master.m3u8' } keys %$files]);
  }
};

subtest 'a media playlist as entry' => sub {
  my $files = media_playlist(name => 'lo', count => 4);
  each_rotation('single', $files, $files, file => 'lo/index.m3u8', plays => [media_of($files)]);
};

subtest 'byte ranges' => sub {
  my $files = with_master(media_playlist(ranges => 1, count => 4));
  for my $rotation (sort keys %ROTATIONS) {
    my $name = 'br' . ++$n;
    $origin->stream($name, files => $files, rotate => $ROTATIONS{$rotation});
    my $links = open_stream($nginx, $name, $files);
    $origin->rotate($name);
    my $bytes = bytes_of("$name/lo/all.mp4", $files->{'lo/all.mp4'}{size});
    for my $i (0 .. 3) {
      my $to = $i * 2000 + 999 + $i;
      my $r = get_file($nginx, $links, 'lo/all.mp4', headers => ['Range: bytes=' . $i * 2000 . "-$to"]);
      is($r->{status}, 206, "$rotation: range $i");
      same_bytes($r->{body}, substr($bytes, $i * 2000, 1000 + $i), 'its bytes');
    }
  }
};

my @live = (live => 1, pdt => 1_700_000_000, durations => sub { 4 });
sub live_files { my (%opt) = @_; return with_master(media_playlist(live => 1, %opt)) }

subtest 'live, with dates' => sub {
  for my $case (['transport streams', {}], ['fragmented MP4', { map => 1, key => 1 }],
    ['with a discontinuity', { dsn => 3 }],
                ['low latency', { map => 1, parts => 2, hint => 1 }]) {
    my ($kind, $more) = @$case;
    my $old = live_files(first => 10, count => 6, pdt => 1_700_000_000, %$more);
    my $fresh = live_files(first => 12, count => 6, pdt => 1_700_000_000, %$more);
    # Parts are listed for the newest segments alone: those of 14 and 15 have left their playlist.
    my @names = grep { !/part/ } media_of($old);
    my @plays = grep { !/seg-1[01]\./ } @names;
    each_rotation($kind, $old, $fresh, names => \@names, plays => \@plays);
  }
};

subtest 'live, without dates' => sub {
  my ($old, $fresh) = map { live_files(first => $_, count => 6) } 10, 12;
  my @plays = grep { !/seg-1[01]\./ } media_of($old);
  rotated("$_: by path or name", $old, $fresh, rotate => $ROTATIONS{$_}, plays => \@plays) for 'token',
    'host', 'token and host', 'directory';
  rotated("$_: nothing to tell by", $old, $fresh, rotate => $ROTATIONS{$_}, reason => qr/date|clock/i)
    for 'file names', 'directory and names', 'everything';
};

subtest 'parts' => sub {
  my @same = (parts => 2, hint => 1, map => 1, pdt => 1_700_000_000, first => 20);
  my ($old, $fresh) = (live_files(@same, count => 4), live_files(@same, count => 5));
  # 22 has left the list of parts; 24's first part was a hint.
  each_rotation('moved on by one', $old, $fresh, names => ['lo/part-23-0.m4s', 'lo/part-23-1.m4s',
    'lo/seg-22.m4s'],
    plays => ['lo/part-23-0.m4s', 'lo/part-23-1.m4s', 'lo/seg-22.m4s']);
  rotated('a hinted part that is there now', $old, $fresh, names => ['lo/part-24-0.m4s'],
    plays => ['lo/part-24-0.m4s']);
  each_rotation('parts that have left', $old, $fresh, names => ['lo/part-22-0.m4s']);
};

# ---- refusals

subtest 'another episode with the same file names' => sub {
  my $old = vod(count => 5, durations => sub { 4 + $_[0] / 10 });
  my %fresh = ('other durations' => vod(count => 5, durations => sub { 4.5 - $_[0] / 10 }, id => 'other'),
               'one duration differs' => vod(count => 5, durations => sub { 4 + ($_[0] == 4 ? 1
                 : $_[0] / 10) }, id => 'other'),
               'more segments' => vod(count => 6, durations => sub { 4 + $_[0] / 10 }, id => 'other'),
               'fewer segments' => vod(count => 4, durations => sub { 4 + $_[0] / 10 }, id => 'other'),
               'it is live' => vod(count => 5, durations => sub { 4 + $_[0] / 10 }, id => 'other',
                 live => 1));
  each_rotation($_, $old, $fresh{$_}) for sort keys %fresh;
};

subtest "another provider's segmentation" => sub {
  my $old = vod(count => 6, durations => sub { 4 });
  for my $case (['another segmentation', vod(count => 12, durations => sub { 2 }, id => 'other')],
    ['the same one', vod(count => 6, durations => sub { 4 }, id => 'other')]) {
    my ($what, $fresh) = @$case;
    for my $rotation (sort keys %ROTATIONS) {
      my ($name) = rotated("$what, $rotation", $old, $fresh, rotate => $ROTATIONS{$rotation},
        state => { answer => { provider => 'one' } },
        answer => { provider => 'two' }, names => [media_of($old), 'lo/index.m3u8'], reason => qr/provider/);
      my $r = $nginx->get(entry_uri(p => $name));
      is($r->{status}, 200, 'the entry switches');
      my $links = open_stream($nginx, $name, $fresh);
      plays($nginx, $name, $fresh, $links, 'and plays', 'lo/seg-5.ts', 'hi/seg-0.ts');
    }
  }
};

subtest 'a live window that moved past' => sub {
  for my $dated (0, 1) {
    my @pdt = $dated ? (pdt => 1_700_000_000) : ();
    my ($old, $fresh) = map { live_files(first => $_, count => 5, @pdt) } 10, 40;
    each_rotation(($dated ? 'with' : 'without') . ' dates', $old, $fresh,
      reason => qr/reach|window|known|there/);
  }
  my $old = live_files(first => 10, count => 5, pdt => 1_700_000_000);
  each_rotation('numbers began anew', $old, live_files(first => 10, count => 5, pdt => 1_700_009_000,
    id => 'later'), reason => qr/date/);
};

my $STREAM = '#EXT-X-STREAM-INF:BANDWIDTH';
sub variants {
  my ($count, $master, %opt) = @_;
  my %names = map { $_ => 1 } $master =~ m{\{\{(\w+)/}g;
  return { (map { %{media_playlist(count => $count, %opt, name => $_,
    id => $opt{ids}{$_} // $_)} } keys %names), 'master.m3u8' => { text => $master } };
}
sub row { my ($bandwidth, $size,
  $name) = @_; return "$STREAM=$bandwidth,RESOLUTION=$size,CODECS=\"avc1.4d401e\"\n{{$name/index.m3u8}}\n" }

subtest 'variants' => sub {
  my ($lo, $hi, $top) = (row(800_000, '640x360', 'lo'), row(2_800_000, '1280x720', 'hi'), row(5_000_000,
    '1920x1080', 'top'));
  my $old = variants(3, "#EXTM3U\n$lo$hi");
  my @all = media_of($old);
  each_rotation('reordered', $old, variants(3, "#EXTM3U\n$hi$lo"), plays => \@all);
  each_rotation('one added', $old, variants(3, "#EXTM3U\n$top$hi$lo"), plays => \@all);
  each_rotation('one removed', $old, variants(3, "#EXTM3U\n$hi"), plays => [grep { /^hi/ } @all],
    reason => qr/rendition|variant|known/);
  each_rotation('measured anew', $old, variants(3, "#EXTM3U\n" . row(850_000, '640x360',
    'lo') . row(2_700_000, '1280x720', 'hi')), plays => \@all);

  # Two that differ in BANDWIDTH only; names and directories say nothing, since they change.
  my $alike = variants(3, "#EXTM3U\n" . row(800_000, '640x360', 'lo') . row(1_200_000, '640x360', 'hi'));
  @all = media_of($alike);
  my @opaque = map { $ROTATIONS{$_} } 'file names', 'directory and names', 'everything';
  rotated('alike but for the rank', $alike, variants(3, "#EXTM3U\n" . row(1_250_000, '640x360',
    'hi') . row(790_000, '640x360', 'lo')), rotate => $_, plays => \@all) for @opaque;
  rotated('alike, one more', $alike, variants(3, "#EXTM3U\n" . row(700_000, '640x360', 'top') . row(790_000,
    '640x360', 'lo') . row(1_250_000, '640x360', 'hi')),
    rotate => $_, reason => qr/several|rendition/) for @opaque;
  rotated('alike, one less', $alike, variants(3, "#EXTM3U\n" . row(1_250_000, '640x360', 'hi')),
    rotate => $_, reason => qr/several|rendition/) for @opaque;
  # The same paths for other qualities.
  my $swapped = variants(3, "#EXTM3U\n" . row(800_000, '640x360', 'hi') . row(2_800_000, '1280x720', 'lo'),
    ids => { lo => 'hi', hi => 'lo' });
  rotated('names swapped', $old, $swapped, rotate => $_, names => [media_of($old)], either => 1)
    for values %ROTATIONS;
  rotated('names swapped', $old, $swapped, rotate => ['query'], reason => qr/place|moved/);
};

subtest 'renditions that differ in NAME only' => sub {
  my $audio = sub { my ($label,
    $name) = @_; return qq{#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="$label",LANGUAGE="de",CHANNELS="2",URI="{{$name/index.m3u8}}"\n} };
  my $video = qq{$STREAM=800000,RESOLUTION=640x360,AUDIO="a"\n{{lo/index.m3u8}}\n};
  my $old = variants(3, "#EXTM3U\n" . $audio->('Film', 'one') . $audio->('Commentary', 'two') . $video);
  my @all = media_of($old);
  each_rotation('as they were', $old, $old, plays => \@all);
  each_rotation('reordered', $old, variants(3, "#EXTM3U\n" . $audio->('Commentary', 'two') . $audio->('Film',
    'one') . $video), plays => \@all);
  each_rotation('one removed', $old,
    variants(3, "#EXTM3U\n" . $audio->('Commentary', 'two') . $video), plays => [grep { !/^one/ } @all]);
  my $renamed = variants(3, "#EXTM3U\n" . $audio->('Erste', 'one') . $audio->('Zweite', 'two') . $video,
    ids => { one => 'two', two => 'one' });
  each_rotation('renamed', $old, $renamed, plays => [grep { /^lo/ } @all]);
};

subtest 'discontinuities' => sub {
  my $old = vod(count => 6);
  each_rotation('one inserted', $old, vod(count => 6, discontinuity => [3], id => 'ad'),
    names => [map { "lo/seg-$_.ts" } 3 .. 5], reason => qr/discontinu/);
  my @live = (first => 10, count => 6, dsn => 4);
  my $ad = live_files(@live, discontinuity => [13], id => 'ad');
  each_rotation('one inserted, live', live_files(@live), $ad, names => [map { "lo/seg-$_.ts" } 13 .. 15]);
  @live = (@live, pdt => 1_700_000_000);
  each_rotation('one inserted, live with dates', live_files(@live), live_files(@live, discontinuity => [13],
    id => 'ad'),
    names => [map { "lo/seg-$_.ts" } 13 .. 15], reason => qr/discontinu/);
};

subtest 'keys' => sub {
  my $key = sub { my (%opt) = @_; return vod(count => 6, %opt) };
  my @media = grep { /seg/ } media_of($key->());
  my %pairs = ('encrypted now' => [$key->(), $key->(key => 1, id => 'x')],
    'no longer encrypted' => [$key->(key => 1), $key->(id => 'x')]);
  each_rotation($_, @{$pairs{$_}}, names => \@media, reason => qr/key|encrypt/i) for sort keys %pairs;
  my $old = $key->(key => sub { 'k' . int($_[0] / 3) . '.key' });
  my $fresh = $key->(key => sub { 'k' . int($_[0] / 2) . '.key' }, id => 'x');
  rotated("other places, $_", $old, $fresh, rotate => $ROTATIONS{$_}, names => [@media, 'lo/k0.key',
    'lo/k1.key']) for 'file names', 'everything';
  my $iv = vod(count => 6, key => 1);
  my $other = vod(count => 6, key => 1, id => 'x');
  $_->{text} =~ s/METHOD=AES-128/METHOD=AES-128,IV=0x0123456789ABCDEF0123456789ABCDEF/
    for map { $other->{"$_/index.m3u8"} } qw(lo hi de);
  each_rotation('another IV', $iv, $other, names => [@media, 'lo/k.key'], reason => qr/key/i);
  my $sample = vod(count => 6, key => 1, id => 'x');
  $_->{text} =~ s/METHOD=AES-128/METHOD=SAMPLE-AES/ for map { $sample->{"$_/index.m3u8"} } qw(lo hi de);
  each_rotation('another METHOD', $iv, $sample, names => [@media, 'lo/k.key'], reason => qr/key/i);
};

subtest 'init sections and byte ranges' => sub {
  my ($with, $without) = (vod(count => 4, ext => 'm4s', map => 1), vod(count => 4, ext => 'm4s', id => 'x'));
  my @media = map { "lo/seg-$_.m4s" } 0 .. 3;
  each_rotation('no init section any more', $with, $without, names => [@media, 'lo/init.mp4'],
    reason => qr/init/);
  each_rotation('an init section now', $without, vod(count => 4, ext => 'm4s', map => 1, id => 'x'),
    names => \@media, reason => qr/init/);
  my $old = vod(count => 4, ranges => 1);
  my $fresh = vod(count => 4, ranges => 1, id => 'x');
  $_->{text} =~ s/\@(\d+)/'@' . ($1 + 188)/ge for map { $fresh->{"$_/index.m3u8"} } qw(lo hi de);
  each_rotation('other ranges', $old, $fresh, names => ['lo/all.mp4', 'hi/all.mp4'], reason => qr/range/);
};

subtest 'names that moved' => sub {
  my $old = with_master(media_playlist(count => 5));
  my $fresh = with_master(media_playlist(count => 5));
  $fresh->{'lo/index.m3u8'}{text} =~ s/seg-(\d)/'seg-' . ($1 + 1) % 5/ge;
  rotated($_, $old, $fresh, rotate => $ROTATIONS{$_}, reason => qr/place/) for 'token', 'host', 'directory';
  my $gap = with_master(media_playlist(count => 5, gap => [3]));
  rotated('a gap', $old, $gap, names => ['lo/seg-3.ts'], reason => qr/gap/);
};

subtest 'another structure' => sub {
  my $old = vod(count => 4);
  my $single = { %{media_playlist(name => 'lo', count => 4, id => 'x')} };
  each_rotation('the multivariant playlist is gone', $old, $single, entry => 'lo/index.m3u8',
    names => [map { "lo/seg-$_.ts" } 0 .. 3]);
  each_rotation('there is one now', $single, vod(count => 4, id => 'x'), file => 'lo/index.m3u8',
    entry => 'master.m3u8', names => [map { "lo/seg-$_.ts" } 0 .. 3]);
};

finish();
