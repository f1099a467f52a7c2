use strict;
use warnings;
use lib 't/lib';
use Test::More;
use Time::HiRes qw(sleep time);
use HlsTest;
use HlsTest::RotatingOrigin;

# Refreshes behind nginx's cache: an error is never kept, and what is kept outlives the token that it came with.

my $origin = HlsTest::RotatingOrigin->start;
my $params = HlsTest::Nginx->params_file;
my $cache = 'proxy_cache kept; proxy_cache_key $hls_proxy_cache_key; add_header X-Cache $upstream_cache_status always;';
my $nginx = start_relay($origin, resolver => 1, connections => 1024,
  source => 'ttl 1h; cooldown 0; deadline 5s; volatile tok host;',
  playlist => "$cache proxy_cache_valid 200 1s;",
    media => "$cache proxy_cache_valid 200 1d; proxy_cache_lock on;",
  http => <<"END", server => <<"END2");
proxy_cache_path %PREFIX%/temp/cache keys_zone=kept:4m use_temp_path=off;
hls_proxy_source exact { key p; entry /exact; resolver /_resolve; ttl 1h; cooldown 0; }
hls_proxy_source sliced { key p; entry /sliced; resolver /_resolve; ttl 1h; cooldown 0; volatile tok; }
END
location = /exact { hls_proxy_entry exact; }
location = /sliced { hls_proxy_entry sliced; hls_proxy_base /sl; }
location /sl/playlist/ { hls_proxy_base /sl; include $params; }
location /sl/media/ {
  hls_proxy_base /sl; include $params;
  slice 64k; proxy_cache kept; proxy_cache_key \$hls_proxy_cache_key\$slice_range; proxy_set_header Range \$slice_range;
  proxy_cache_valid 200 206 1h; add_header X-Cache \$upstream_cache_status always;
}
END2
my $files = vod(count => 6);

sub asked_for { my ($name, $file, %by) = @_; return scalar(my @r = $origin->asked(stream => $name,
  file => $file, %by)) }
sub resolves_of { my ($name) = @_; return scalar(my @r = $origin->resolves($name)) }

subtest 'an error is never kept' => sub {
  for my $status (403, 404, 410, 429, 451, 500, 503) {
    my $name = "error$status";
    my $error = { status => $status, body => 'dead', type => 'text/plain',
                  headers => ['Cache-Control: public, max-age=1000',
                    'Expires: Thu, 31 Dec 2037 23:55:55 GMT'] };
    # The fresh URL of segment 1 is dead as well, once.
    my $bytes = bytes_of("$name/lo/seg-1.ts");
    $origin->stream($name, files => $files, dead => $error, versions => { 1 => {
      'lo/seg-1.ts' => { route => { sequence => [($error) x ($status < 500 ? 1 : 3), { type => 'video/mp2t',
        body => $bytes }] } } } });
    my $links = open_stream($nginx, $name, $files);
    $origin->rotate($name);
    my $r = get_file($nginx, $links, 'lo/seg-1.ts');
    is($r->{status}, $status, "$status, although it says that it may be kept for long");
    my $seen = $r->{status};
    for (1 .. 3) {
      $r = get_file($nginx, $links, 'lo/seg-1.ts');
      last if $r->{status} == 200;
    }
    is($r->{status}, 200, 'is asked for again');
    same_bytes($r->{body}, $bytes, 'and is the segment then');
    is(get_file($nginx, $links, 'lo/seg-1.ts')->header('X-Cache'), 'HIT', 'which is kept');
    plays($nginx, $name, $files, $links, 'the others', 'lo/seg-0.ts', 'lo/seg-2.ts');
  }
  my $html = { status => 200, type => 'text/html', body => '<html>wait',
    headers => ['Cache-Control: max-age=1000'] };
  $origin->stream('page', files => $files, dead => $html);
  my $links = open_stream($nginx, 'page', $files);
  $origin->rotate('page');
  plays($nginx, 'page', $files, $links, 'an HTML page neither', 'lo/seg-1.ts') for 1 .. 2;
};

subtest 'a hiccup leaves nothing behind' => sub {
  my $hiccup = { status => 500, body => 'x', type => 'text/plain',
    headers => ['Cache-Control: max-age=1000'] };
  $origin->stream('hiccup', files => $files);
  my $links = open_stream($nginx, 'hiccup', $files);
  my $bytes = bytes_of('hiccup/lo/seg-1.ts');
  $origin->update('hiccup', versions => { 0 => { 'lo/seg-1.ts' => { route => { sequence => [$hiccup,
    { type => 'video/mp2t', body => $bytes }] } } } });
  plays($nginx, 'hiccup', $files, $links, 'asked for twice', 'lo/seg-1.ts') for 1 .. 2;
  is(asked_for('hiccup', 'lo/seg-1.ts'), 2, 'and kept');
  # How long the error says that it may be kept is not said of the playlist.
  my $list = "#EXTM3U\n#EXTINF:4,\nx-%d.ts\n";
  $origin->stream('hiccup2', files => { 'master.m3u8' => { route => { sequence => [$hiccup,
    map { { type => 'application/vnd.apple.mpegurl', body => sprintf $list, $_ } } 1 .. 99] } } });
  my $r = $nginx->get(entry_uri(p => 'hiccup2'));
  like($r->{body}, qr/x-1\.ts/, 'a playlist after a hiccup');
  my $end = time + 5;
  do { sleep 0.1; $r = $nginx->get(entry_uri(p => 'hiccup2')) } until $r->{body} !~ /x-1\.ts/ || time > $end;
  like($r->{body}, qr/x-2\.ts/, 'is renewed after its second');
};

subtest 'volatile: what is kept outlives its token' => sub {
  for my $rotate (['query'], ['query', 'host']) {
    my $name = 'kept' . @$rotate;
    $origin->stream($name, files => $files, rotate => $rotate);
    my $links = open_stream($nginx, $name, $files);
    my @media = sort grep { !/m3u8/ } keys %$links;
    my @first = grep { !/hi/ } @media;
    plays($nginx, $name, $files, $links, "@$rotate: fetched", @first);
    $origin->rotate($name)->clear;
    plays($nginx, $name, $files, $links, 'old links after the rotation', @first);
    is(scalar(my @r = $origin->asked(stream => $name)), 0, 'the origin was not asked');
    is(resolves_of($name), 0, 'nor the resolver');
    is(get_file($nginx, $links, 'lo/seg-1.ts')->header('X-Cache'), 'HIT', 'HIT');
    plays($nginx, $name, $files, $links, 'what was not kept is refreshed', 'hi/seg-0.ts');
    # Playlists stay in the cache for a second.
    my ($new, $end) = (undef, time + 10);
    do { sleep 0.1; $new = open_stream($nginx, $name, $files) }
      until grep({ ($new->{$_} // '') eq $links->{$_} } @media) == 0 || time > $end;
    isnt($new->{'lo/seg-1.ts'}, $links->{'lo/seg-1.ts'}, 'new links are others');
    $origin->clear;
    plays($nginx, $name, $files, $new, 'but lead to the same bytes', @first);
    is(asked_for($name, $_), 0, "$_: the origin was not asked") for 'lo/seg-0.ts', 'de/seg-3.aac';
    plays($nginx, $name, $files, $links, 'all of them', @media);
    is(asked_for($name, 'hi/seg-0.ts'), 0, 'what was refreshed is kept, too');
    my $r = get_file($nginx, $links, 'lo/seg-3.ts', headers => ['Range: bytes=10-19']);
    is($r->{status}, 206, 'a range');
    is($r->{body}, substr(bytes_of("$name/lo/seg-3.ts"), 10, 10), 'out of the cache');
  }
};

subtest 'without volatile' => sub {
  $origin->stream('exact', files => $files);
  my $entry = entry_uri(-path => '/exact', p => 'exact');
  my $links = open_stream($nginx, 'exact', $files, entry => $entry);
  plays($nginx, 'exact', $files, $links, 'fetched', 'lo/seg-0.ts');
  $origin->rotate('exact')->clear;
  plays($nginx, 'exact', $files, $links, 'still HIT: the URL is the same', 'lo/seg-0.ts');
  is(asked_for('exact', 'lo/seg-0.ts'), 0, 'nobody was asked');
  plays($nginx, 'exact', $files, $links, 'refreshed', 'lo/seg-1.ts') for 1 .. 2;
  is(asked_for('exact', 'lo/seg-1.ts', generation => 1), 1, 'and kept under the new URL');
  my $new = open_stream($nginx, 'exact', $files, entry => $entry);
  $origin->clear;
  plays($nginx, 'exact', $files, $new, 'which new links find', 'lo/seg-1.ts');
  is(asked_for('exact', 'lo/seg-1.ts'), 0, 'nobody was asked');
};

subtest 'a playlist out of the cache' => sub {
  $origin->stream('listed', files => $files);
  my $links = open_stream($nginx, 'listed', $files);
  $origin->rotate('listed')->clear;
  plays($nginx, 'listed', $files, $links, 'a segment is refreshed', 'lo/seg-0.ts');
  # The fresh playlists come from the origin, not from the cache with the old URLs.
  is(asked_for('listed', 'lo/index.m3u8', generation => 1), 1, 'by a playlist that is fresh');
  plays($nginx, 'listed', $files, $links, 'and the others', map { "lo/seg-$_.ts" } 1 .. 5);
  is(scalar(grep { $_->{generation} == 0 } $origin->asked(stream => 'listed')), 1,
    'one request for a dead URL');
  my ($r, $end) = (undef, time + 10);
  do { $r = get_file($nginx, $links, 'lo/index.m3u8'); sleep 0.05 }
    until ($r->header('X-Cache') // '') ne 'HIT' || time > $end;
  is($r->{status}, 200, 'the playlist, when it is no longer in the cache');
  my @found = find_links($r->{body});
  is(scalar @found, 6, 'whole');
  $origin->clear;
  $nginx->get($found[5]);
  is(scalar(grep { $_->{generation} == 0 } $origin->asked(stream => 'listed')), 0,
    'its links are not of the dead generation');
};

subtest 'many wait for one dead segment' => sub {
  $origin->stream('locked', files => $files);
  my $links = open_stream($nginx, 'locked', $files);
  $origin->update('locked', dead => { status => 403, body => 'dead',
    gate => 'locked' })->rotate('locked')->clear;
  my @sockets = map { HlsTest::Client::connect_to($nginx->{port}) } 1 .. 40;
  HlsTest::Client::send_all($_, HlsTest::Client::request_bytes($nginx->{port}, $links->{'lo/seg-2.ts'}))
    for @sockets;
  $origin->wait_for_requests(1);
  $origin->release('locked');
  my $began = time;
  my @bad = grep { my ($raw, $how) = HlsTest::Client::read_all($_);
                   HlsTest::Client::parse_response($raw, $how,
                     'GET')->{body} ne bytes_of('locked/lo/seg-2.ts') } @sockets;
  is(scalar @bad, 0, 'all get the segment');
  note(sprintf 'after %.1f s', time - $began);
  is(resolves_of('locked'), 1, 'one resolve');
  cmp_ok(asked_for('locked', 'lo/seg-2.ts', generation => 0), '<=', 2,
    'the cache lock keeps them from the dead URL');
  cmp_ok(asked_for('locked', 'lo/seg-2.ts', generation => 1), '<=', 2, 'and from the new one');
};

subtest 'slices' => sub {
  my $size = 400_000;
  my $big = { 'master.m3u8' => { text => "#EXTM3U\n#EXTINF:4,\n{{big.mp4}}\n#EXT-X-ENDLIST\n" },
    'big.mp4' => { id => 'big.mp4', size => $size } };
  my $open = sub {
    my ($name) = @_;
    my ($link) = $nginx->get(entry_uri(-path => '/sliced', p => $name))->{body} =~ m{^(/sl/media/\S+)}m;
    return $link // '/none';
  };
  my $bytes = bytes_of('big/big.mp4', $size);
  $origin->stream('big', files => $big);
  my $link = $open->('big');
  same_bytes($nginx->get($link, headers => ['Range: bytes=100000-100099'])->{body}, substr($bytes, 100_000,
    100), 'a slice');
  $origin->rotate('big')->clear;
  my $r = $nginx->get($link, headers => ['Range: bytes=100-199']);
  is($r->{status}, 206, 'a first slice that is dead');
  same_bytes($r->{body}, substr($bytes, 100, 100), 'is refreshed');
  is_deeply([map { $_->{headers}{range} } $origin->asked(stream => 'big', file => 'big.mp4',
    generation => 1)], ['bytes=0-65535'], 'one slice');
  $r = $nginx->get($link);
  is($r->{status}, 200, 'the rest');
  same_bytes($r->{body}, $bytes, 'its bytes');
  is(scalar(grep { $_->{generation} == 0 } $origin->asked(stream => 'big', file => 'big.mp4')), 1,
    'one request for the dead URL');
  is(scalar(grep { ($_->{headers}{range} // '') eq 'bytes=65536-131071' } $origin->asked(stream => 'big')),
    0, 'what was kept is not asked for');

  # The token dies in the middle of a response: what is sent is sent, but nothing wrong comes after it.
  $origin->stream('middle', files => $big);
  $link = $open->('middle');
  $bytes = bytes_of('middle/big.mp4', $size);
  $nginx->get($link, headers => ['Range: bytes=0-9']);
  $origin->rotate('middle');
  $r = $nginx->get($link);
  is(substr($bytes, 0, length $r->{body}) eq $r->{body}, 1, 'a later slice that dies: no wrong byte');
  ok($r->{complete} ? length $r->{body} == $size : 1, 'whole, or visibly cut');
  note('the response was ' . ($r->{complete} ? 'whole' : 'cut after ' . length $r->{body}));
  my $end = time + 10;
  do { sleep 0.05; $r = $nginx->get($link) } until $r->{complete} && length $r->{body} == $size
    || time > $end;
  same_bytes($r->{body}, $bytes, 'soon it is whole');
  cmp_ok(resolves_of('middle'), '<=', 3, 'after few resolves');
};

subtest 'a stale segment is better than none' => sub {
  my $stale = start_relay($origin, resolver => 1, source => 'ttl 1h; cooldown 0; volatile tok;',
    http => 'proxy_cache_path %PREFIX%/temp/cache keys_zone=kept:4m use_temp_path=off;',
    media => "$cache proxy_cache_valid 200 1s; proxy_cache_use_stale updating error timeout http_500 http_503; proxy_cache_background_update on;");
  $origin->stream('staled', files => $files);
  my $links = open_stream($stale, 'staled', $files);
  plays($stale, 'staled', $files, $links, 'fetched', 'lo/seg-0.ts');
  $origin->rotate('staled')->clear;
  my ($r, $end) = (undef, time + 10);
  do { $r = get_file($stale, $links, 'lo/seg-0.ts'); sleep 0.05 }
    until ($r->header('X-Cache') // '') ne 'HIT' || time > $end;
  is($r->{status}, 200, 'stale while it is renewed');
  same_bytes($r->{body}, bytes_of('staled/lo/seg-0.ts'), 'its bytes');
  $origin->wait_for_requests(1);
  plays($stale, 'staled', $files, $links, 'and afterwards', 'lo/seg-0.ts', 'lo/seg-1.ts', 'lo/seg-0.ts');
};

finish();
