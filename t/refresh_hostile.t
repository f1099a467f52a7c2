use strict;
use warnings;
use lib 't/lib';
use Test::More;
use Time::HiRes qw(sleep time);
use HlsTest;
use HlsTest::RotatingOrigin;

# Refreshes that somebody means harm by: an origin, the author of a playlist, a resolver, a client.

my $origin = HlsTest::RotatingOrigin->start;
my $port = $origin->port;
my $type = 'application/vnd.apple.mpegurl';
my $params = HlsTest::Nginx->params_file;
my $cache = 'proxy_cache kept; proxy_cache_key $hls_proxy_cache_key; proxy_cache_valid 200 1h; ' .
  'add_header X-Cache $upstream_cache_status always;';
my %conf = (resolver => 1, zone => '16m', connections => 2048, main => 'worker_rlimit_nofile 8192;',
  source => 'ttl 1h; cooldown 0; deadline 10s;', http => <<"END", server => <<"END2");
proxy_cache_path %PREFIX%/temp/cache keys_zone=kept:4m use_temp_path=off;
hls_proxy_source narrow { key p; entry /narrow; resolver /_resolve; ttl 1h; cooldown 0; hosts 127.0.0.1; }
hls_proxy_source kept { key p; entry /kept; resolver /_resolve; ttl 1h; cooldown 0; volatile tok; }
hls_proxy_source brief { key p; entry /brief; resolver /_resolve; ttl 1s; cooldown 1m; volatile tok; }
hls_proxy_source few { key p; entry /few; resolver /_resolve; deadline 10s; max_resolves 3; }
END
location = /narrow { hls_proxy_entry narrow; }
location = /kept { hls_proxy_entry kept; hls_proxy_base /kept; }
location /kept/ { hls_proxy_base /kept; include $params; $cache }
location = /brief { hls_proxy_entry brief; hls_proxy_base /brief; }
location /brief/ { hls_proxy_base /brief; include $params; $cache }
location = /few { hls_proxy_entry few; hls_proxy_auth none; }
location = /counters { hls_proxy_status prometheus; }
END2
my $nginx = start_relay($origin, %conf);
my $other = start_relay($origin, %conf);   # another node, which knows of no stream
my $vod = vod(count => 4);

sub resolves_of { my ($name) = @_; return scalar(my @r = $origin->resolves($name)) }
sub asked { my (%by) = @_; return scalar(my @r = $origin->asked(%by)) }
sub single { my ($text, %more) = @_; return { %more, 'master.m3u8' => { text => $text } } }
sub links_below { my ($base, $text) = @_; return $text =~ m{^($base/\S+)}mg }

# Seconds that the worker has worked; both kinds, from its process table.
sub worked {
  my ($pid) = $nginx->workers;
  open my $file, '<', "/proc/$pid/stat" or return 0;
  my ($fields) = <$file> =~ /\) (.*)/;
  my ($user, $system) = (split / /, $fields)[11, 12];
  return ($user + $system) / 100;
}

sub send_request {
  my ($uri) = @_;
  my $socket = HlsTest::Client::connect_to($nginx->{port});
  HlsTest::Client::send_all($socket, HlsTest::Client::request_bytes($nginx->{port}, $uri));
  return $socket;
}

sub status_from {
  my ($socket) = @_;
  my ($raw) = HlsTest::Client::read_all($socket);
  return $raw =~ m{^HTTP/1\.1 (\d+)} ? $1 : 'nothing';
}

subtest 'hosts holds for the playlists in between, too' => sub {
  my $master = $vod->{'master.m3u8'}{text};
  my %fresh = ('names it' => { text => $master =~ s/\{\{/http:\/\/127.0.0.2:$port\{\{/gr },
    'redirects to it' => { route => { status => 302, headers => ["Location: http://127.0.0.2:$port/m.m3u8"],
      body => 'x' } });
  my %secret = ('X-Token' => 'secret', Cookie => 'sid=secret');
  for my $what (sort keys %fresh) {
    my $name = $what =~ s/ /-/gr;
    $origin->stream($name, files => $vod, answer => { headers => \%secret },
      versions => { 1 => { 'master.m3u8' => $fresh{$what} } });
    my $links = open_stream($nginx, $name, $vod, entry => entry_uri(-path => '/narrow', p => $name));
    plays($nginx, $name, $vod, $links, 'plays', 'lo/seg-0.ts');
    $origin->rotate($name)->clear;
    is(get_file($nginx, $links, 'lo/seg-1.ts')->{status}, 403, "a fresh playlist $what: the origin's status");
    is(get_file($nginx, $links, 'lo/index.m3u8')->{status}, 403, 'for a playlist, too');
    is(asked(stream => $name, generation => 1, file => 'master.m3u8') > 0, 1, 'it was looked at');
    is(scalar(grep { $_->{address} eq '127.0.0.2' } $origin->requests), 0, 'the other host was not asked');
  }
};

subtest 'an answer that is over when it comes' => sub {
  my $past = int(time) - 100;
  $origin->set('/over.m3u8', type => $type, body => "#EXTM3U\n#EXTINF:4,\nx.ts\n");
  my %answers = ('expires' => { expires => $past },
    'a time in the URL' => { url => "http://127.0.0.1:$port/over.m3u8?t=$past" });
  for my $what (sort keys %answers) {
    my $name = 'over' . length $what;
    $origin->stream($name, files => $vod, answer => $answers{$what});
    is($nginx->get(entry_uri(p => $name))->{status}, 200, "$what: it plays");
    is(resolves_of($name), 1, 'one resolve');
    is($nginx->get(entry_uri(p => $name))->{status}, 200, 'again');
    is(resolves_of($name), 1, 'which serves for ttl');
  }
};

subtest 'a thousand variants that differ in nothing' => sub {
  my $text = join '', "#EXTM3U\n",
    map { "#EXT-X-STREAM-INF:BANDWIDTH=$_,RESOLUTION=1x1\n{{lo/index.m3u8}}\n" } 1 .. 1200;
  my $files = { %{media_playlist(count => 2)}, 'master.m3u8' => { text => $text } };
  $origin->stream('ladder', files => $files);
  my $links = open_stream($nginx, 'ladder', $files);
  $origin->rotate('ladder');
  my $before = worked();
  like(get_file($nginx, $links, 'lo/index.m3u8')->{status}, qr/^(?:200|403)$/, 'an answer');
  cmp_ok(worked() - $before, '<', 2, 'that costs little');
};

# 14 pairs of blocks: whichever one of a pair is in the URL, libstdc++ computes the same hash of it, with the
# fixed seed that it has, after this very beginning and in front of ".ts". Computed with the definition of
# _Hash_bytes (MurmurHash64A): after each pair its state is the same.
my $collide = 'http://origin.example/xx';
my @pairs = map { [split / /] } split /\n/, <<'END';
tiGmLoBGQ4P4_lI2 3A3OZnaohKDyhu_b
VvFm9Lf64xEf01ET _9OTHY41yoQlGUN2
bOaErwcmDABoFHNN CVzct2h0Sxx28hS0
12DlXljUmxjPOGDT e9dIAoNgsj34xc4P
P_ysMYRyiy0rHw3b Ca7xXrkfIsNJPjvW
k_MZcoE2x_enav2v gEdaeTL75bfN16sR
AFa4cHD2IOnEQLzW bgrkXv7uv8FeWJWm
L_AzlNjSGY5WO3UT VoZ9jtTw8iB1fgEf
03tPb56BfNLIx9Sw K35gE7ieg7iwo427
ETI0lenvZmBPmaJl 1fMUWdVTgjd52dYq
xUT8xFwYNgLJ6NuU qdHaESNNSUDYlgZe
DNCl3bY_0Dmbs29g yHKalRaW58dss1Jj
TSOLay4KKaXeCuut WyHl044dIvTHRGUu
01LS5z2x_KDA9m4A Qgmg61rLiAIJiP5l
END

subtest 'URLs with one and the same hash' => sub {
  my %of;
  for my $what ('different', 'colliding') {
    my @names = ('');
    for my $pair (@pairs) {
      @names = map { my $name = $_; map { $name . $_ } @$pair } @names;
    }
    @names = map { my $n = $_; substr($names[$n], -4) = sprintf '%04x', $n; $names[$n] } 0 .. $#names
      if $what eq 'different';
    my $files = single(join('', "#EXTM3U\n#EXT-X-TARGETDURATION:4\n",
      "#EXTINF:4,\n{{first.ts}}\n", (map { "#EXTINF:4,\n$collide$_.ts\n" } @names), "#EXT-X-ENDLIST\n"),
      'first.ts' => { id => 'first.ts' });
    $origin->stream($what, files => $files);
    my $before = worked();
    my ($link) = find_links($nginx->get(entry_uri(p => $what))->{body});
    $origin->rotate($what);
    same_bytes($nginx->get($link)->{body}, bytes_of("$what/first.ts"),
      "$what: a segment of its fresh playlist");
    $of{$what} = worked() - $before;
  }
  cmp_ok($of{colliding}, '<', 1.5 + 2 * $of{different}, 'both cost the same');
  note("different $of{different} s, colliding $of{colliding} s");
};

subtest 'a redirected playlist in the cache' => sub {
  my $list = "#EXTM3U\n#EXTINF:4,\ns.ts\n#EXT-X-ENDLIST\n";
  $origin->set('/b/m.m3u8', type => $type, body => $list);
  $origin->set($_, status => 302, headers => ['Location: /b/m.m3u8'], type => 'text/plain', body => 'x')
    for '/a/m.m3u8', '/list';
  $origin->set('/a/s.ts', type => 'video/mp2t', body => 'Gwrong');
  $origin->set('/b/s.ts', type => 'video/mp2t', body => 'Gright');
  # As an entry, and behind a link that seemed to be one of media.
  $origin->stream('led', files => {}, answer => { url => "http://127.0.0.1:$port/a/m.m3u8" });
  $origin->set('/media.m3u8', type => $type, body => "#EXTM3U\n#EXTINF:4,\n/list\n");
  $origin->stream('led-media', files => {}, answer => { url => "http://127.0.0.1:$port/media.m3u8" });
  my ($media) = links_below('/kept', $nginx->get(entry_uri(-path => '/kept', p => 'led-media'))->{body});
  for my $uri (entry_uri(-path => '/kept', p => 'led'), $media // '/none') {
    for my $viewer (1 .. 3) {
      my ($link) = links_below('/kept', $nginx->get($uri)->{body});
      is($nginx->get($link // '/none')->{body}, 'Gright', "viewer $viewer");
    }
  }
};

subtest 'the cache keeps no fresh playlist' => sub {
  $origin->stream('files', files => $vod);
  my ($master) = $nginx->get(entry_uri(-path => '/kept', p => 'files'));
  my @lists = links_below('/kept', $master->{body});
  my @segments = links_below('/kept', $nginx->get($lists[0])->{body});
  my %before = map { $_ => 1 } glob "$nginx->{prefix}/temp/cache/*";
  cmp_ok(scalar keys %before, '>=', 2, 'both playlists are in the cache');
  $origin->rotate('files')->clear;
  same_bytes($nginx->get($segments[1])->{body}, bytes_of('files/lo/seg-1.ts'), 'a segment is refreshed');
  cmp_ok(asked(stream => 'files', generation => 1), '>=', 3, 'with fresh playlists');
  is(scalar(grep { !$before{$_} } glob "$nginx->{prefix}/temp/cache/*"), 1, 'one more file is in the cache');
};

subtest 'many streams die at once' => sub {
  my $files = single("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\n{{0.ts}}\n#EXT-X-ENDLIST\n",
    '0.ts' => { id => '0.ts' });
  my @names = map { "many$_" } 1 .. 300;
  my %links;
  for my $name (@names) {
    $origin->stream($name, files => $files);
    ($links{$name}) = find_links($nginx->get(entry_uri(p => $name))->{body});
  }
  $origin->update($_, generation => 1, versions => { 1 => { 'master.m3u8' =>
    { %{$files->{'master.m3u8'}}, gate => 'many' } } }) for @names;
  $origin->clear;
  my @sockets = map { send_request($links{$_}) } @names;
  $origin->wait_for_requests(300, '/resolve');
  $origin->release('many');
  my @bad = grep {
    my ($raw, $how) = HlsTest::Client::read_all($sockets[$_]);
    HlsTest::Client::parse_response($raw, $how, 'GET')->{body} ne bytes_of("$names[$_]/0.ts")
  } 0 .. $#names;
  is(scalar @bad, 0, 'all go on');
  is(asked(file => 'master.m3u8', generation => 1), 300, 'each fetched its fresh playlist once');
};

subtest 'many renditions whose fresh playlists never end' => sub {
  my @names = map { "v$_" } 1 .. 12;
  my %files = map { %{media_playlist(name => $_, count => 1)} } @names;
  $files{'master.m3u8'} = { text => "#EXTM3U\n" .
    join '', map { "#EXT-X-STREAM-INF:BANDWIDTH=" . substr($_, 1) . "000\n{{$_/index.m3u8}}\n" } @names };
  $origin->stream('trickle', files => \%files, versions => { 1 => { map { ("$_/index.m3u8" =>
    { %{$files{"$_/index.m3u8"}}, gate => 'trickle', gate_at => 10 }) } @names } });
  my $links = open_stream($nginx, 'trickle', \%files);
  $origin->rotate('trickle')->clear;
  my @sockets = map { send_request($links->{"$_/seg-0.ts"}) } @names;
  my $lists = sub {
    return scalar grep { $_->{file} =~ /index/ } $origin->asked(stream => 'trickle', generation => 1);
  };
  my $end = time + 10;
  sleep 0.01 until (asked(stream => 'trickle', generation => 0) == 12 && $lists->() >= 4) || time > $end;
  $nginx->get('/counters') for 1 .. 5;
  is($lists->(), 4, 'four at once are fetched of one stream');
  $origin->release('trickle');
  is(join(' ', map { status_from($_) } @sockets), join(' ', (200) x 12), 'all go on as soon as they end');
  is($lists->(), 12, 'each was fetched once');
};

subtest "a stream's playlists take no room from other streams" => sub {
  my $small = start_relay($origin, %conf, zone => '1m');
  my $hit = single("#EXTM3U\n#EXTINF:4,\n{{0.ts}}\n", '0.ts' => { id => '0.ts' });
  my @victims = map { "victim$_" } 1 .. 20;
  for my $name (@victims) {
    $origin->stream($name, files => $hit);
    is($small->get(entry_uri(p => $name))->{status}, 200, $name) or last;
  }
  my @renditions = map { "r$_" } 1 .. 24;
  my $long_list = join '', "#EXTM3U\n", map({ "#EXTINF:4,\n$_.ts\n" } 0 .. 1999), "#EXT-X-ENDLIST\n";
  my %files = map { ("$_/index.m3u8" => { text => $long_list }) } @renditions;
  $files{'master.m3u8'} = { text => "#EXTM3U\n" .
    join '', map { "#EXT-X-STREAM-INF:BANDWIDTH=" . substr($_, 1) . "\n{{$_/index.m3u8}}\n" } @renditions };
  $origin->stream('huge', files => \%files);
  my @lists = find_links($small->get(entry_uri(p => 'huge'))->{body});
  is(scalar(grep { $small->get($_)->{status} != 200 } @lists), 0, '24 playlists of 2000 segments pass');
  $origin->clear;
  $small->get(entry_uri(p => $_)) for @victims;
  is(scalar(my @r = $origin->resolves), 0, 'the others are still known');
  # Nor do streams that there never were.
  my $long = 'x' x 900;
  is(scalar(grep { $small->get(entry_uri(p => "$long$_"))->{status} != 404 } 1 .. 1500), 0,
    '1500 unknown streams');
  $origin->clear;
  $small->get(entry_uri(p => $_)) for @victims;
  is(scalar(@r = $origin->resolves), 0, 'the others are known even so');
};

subtest 'clients that ask and leave' => sub {
  $origin->stream("gone$_", files => $vod, answer => { gate => 'gone' }) for 1 .. 40;
  $origin->clear;
  close send_request("/few?p=gone$_") for 1 .. 40;
  my @resolves = $origin->wait_for_requests(3, '/resolve');
  my $last = send_request('/few?p=gone40');
  $nginx->get('/counters') for 1 .. 5;
  is(scalar(@resolves = $origin->requests('/resolve')), 3, 'max_resolves 3: three are asked for at once');
  $origin->release('gone');
  is(status_from($last), 200, 'who stays gets an answer');
  is(resolves_of('gone40'), 1, 'of one resolve');
};

# A playlist at a path of its own, whose URLs the test writes itself: a route each, dead once.
sub dies_once {
  my ($path, $body, $type) = @_;
  return $origin->set($path, sequence => [{ status => 403, type => 'text/plain', body => 'dead' },
    { type => $type // 'application/octet-stream', body => $body }]);
}

subtest 'a key of long ago' => sub {
  my $keyed = sub {
    my ($part, $live) = @_;
    return single("#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXT-X-MEDIA-SEQUENCE:${part}0\n" .
      "#EXT-X-KEY:METHOD=AES-128,URI=\"k.key?x=$part&tok=g{g}\"\n" .
      "#EXT-X-MAP:URI=\"i.mp4?x=$part&tok=g{g}\"\n" .
      "#EXTINF:4,\ns.ts?tok=g{g}\n" . ($live ? '' : "#EXT-X-ENDLIST\n"));
  };
  # What "x" means nobody knows, and the node that is asked does not know where the links stood: in a live
  # window they may have been replaced by the next ones. A film has all of its own.
  for my $case (['a live window', 'ago_live', 1, 2, 403], ['a film', 'ago_film', 0, 1, 200]) {
    my ($what, $name, $live, $now, $status) = @$case;
    $origin->stream($name, files => $keyed->(1, $live), versions => { 1 => $keyed->($now, $live) });
    my @links = find_links($nginx->get(entry_uri(p => $name))->{body});
    $origin->rotate($name);
    dies_once("/d/$name/k.key", "a key $now");
    dies_once("/d/$name/i.mp4", bytes_of('i.mp4', 200), 'video/mp4');
    is($other->get($links[0])->{status}, $status, "$what: a key: $status");
    is($other->get($links[1])->{status}, $status, "$what: an init section: $status");
    my @fresh = grep { $_->{query} =~ /g1/ } $origin->requests("/d/$name/k.key");
    is(scalar @fresh, $status == 200 ? 1 : 0, "$what: the key that is there now");
  }
};

subtest 'renditions that only the query tells apart' => sub {
  my $master = sub {
    my @rows = map { "#EXT-X-STREAM-INF:BANDWIDTH=1\nv.m3u8?lang=$_&tok=g{g}\n" } @_;
    return single(join '', "#EXTM3U\n", @rows);
  };
  my $list = sub { return "#EXTM3U\n#EXT-X-TARGETDURATION:4\n" .
    join('', map { "#EXTINF:4,\n$_.ts?lang=$_[0]&tok=$_[1]\n" } 1 .. 3) . "#EXT-X-ENDLIST\n" };
  # The link is of German; the fresh multivariant playlist has the languages that are said.
  for my $case ([['de'], 200], [['fr'], 403]) {
    my ($now, $status) = @$case;
    my $name = "lang$status";
    my $dir = "/d/$name";
    $origin->stream($name, files => $master->('de', 'fr'), versions => { 1 => $master->(@$now) });
    $origin->set("$dir/v.m3u8", type => $type, body => $list->('de', 'g0'));
    my ($de) = find_links($nginx->get(entry_uri(p => $name))->{body});
    my @segments = find_links($nginx->get($de)->{body});
    $origin->rotate($name);
    $origin->set("$dir/v.m3u8", type => $type, body => $list->($now->[0], 'g1'));
    dies_once("$dir/2.ts", 'Gany', 'video/mp2t');
    is($other->get($segments[1])->{status}, $status, "a segment where there is @$now now: $status");
    dies_once("$dir/v.m3u8", $list->($now->[0], 'g1'), $type);
    my $r = $other->get($de);
    is($r->{status}, $status, "its playlist: $status");
    unlike($r->{body}, qr/#EXTINF/, 'and none of another language') if $status != 200;
  }
};

subtest "another origin's playlist names the same key" => sub {
  my $foreign = "http://127.0.0.2:$port";
  my $lists = sub {
    my ($key) = @_;
    return { 'master.m3u8' => { text => "#EXTM3U\n" .
        "#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"s\",NAME=\"x\",URI=\"$foreign/$key.m3u8\"\n" .
        "#EXT-X-STREAM-INF:BANDWIDTH=1,SUBTITLES=\"s\"\n{{v.m3u8}}\n" },
      'v.m3u8' => { text => "#EXTM3U\n#EXT-X-TARGETDURATION:4\n" .
        "#EXT-X-KEY:METHOD=AES-128,URI=\"{{k.key}}\"\n#EXTINF:4,\n{{0.ts}}\n#EXT-X-ENDLIST\n" },
      'k.key' => { id => 'k.key' }, '0.ts' => { id => '0.ts' } };
  };
  my $url_of = sub { return "http://127.0.0.1:$port" .
    HlsTest::RotatingOrigin::Server::target_of({}, $_[0], $_[1], 'k.key') };
  my $foreign_list = sub {
    my ($name, $key) = @_;
    $origin->set("/$name.m3u8", type => $type, body => "#EXTM3U\n#EXT-X-TARGETDURATION:4\n" .
      "#EXT-X-KEY:METHOD=AES-128,URI=\"$key\"\n#EXTINF:4,\ne.vtt\n#EXT-X-ENDLIST\n");
  };
  $origin->set('/evil.key', type => 'application/octet-stream', body => 'a key of evil');
  for my $case (['agrees', 200], ['does not agree', 403]) {
    my ($what, $status) = @$case;
    my $name = "foreign$status";
    my $files = $lists->($name);
    $origin->stream($name, files => $files);
    $foreign_list->($name, $url_of->($name, 0));
    my ($subtitles, $variant) = find_links($nginx->get(entry_uri(p => $name))->{body});
    my ($key) = find_links($nginx->get($variant)->{body});
    is($nginx->get($subtitles)->{status}, 200, 'both playlists have passed');
    $origin->rotate($name);
    $foreign_list->($name, $status == 200 ? $url_of->($name, 1) : "$foreign/evil.key");
    $origin->clear;
    my $r = $nginx->get($key);
    is($r->{status}, $status, "its fresh one $what: $status");
    is($r->{body}, bytes_of("$name/k.key"), 'the key') if $status == 200;
    is(scalar(my @r = $origin->requests('/evil.key')), 0, 'nobody asks for what it says in place of it');
  }
};

subtest 'one error does not end a generation' => sub {
  # Both generations live; segment 0 has left the window, as any player that was paused may find out.
  my $gone = { route => { status => 404, type => 'text/plain', body => 'gone' } };
  my %state = (alive_from => 0, files => { %{media_playlist(live => 1, count => 4)}, 'lo/seg-0.ts' => $gone },
    versions => { 1 => media_playlist(live => 1, first => 1, count => 4) }, entry => 'lo/index.m3u8');
  $origin->stream('window', %state);
  my $links = open_stream($nginx, 'window', $state{files}, file => 'lo/index.m3u8');
  $origin->rotate('window')->update('window', alive_from => 0,
    versions => { 1 => { %{$state{versions}{1}}, 'lo/seg-0.ts' => $gone } })->clear;
  is(get_file($nginx, $links, 'lo/seg-0.ts')->{status}, 404, 'what has left the window');
  is(resolves_of('window'), 1, 'which made the stream be resolved');
  $origin->clear;
  plays($nginx, 'window', $state{files}, $links, 'all other links', map { "lo/seg-$_.ts" } 1 .. 3);
  is(asked(stream => 'window', generation => 1), 0, 'go to their own URLs, which live');
  is(asked(stream => 'window', generation => 0), 3, 'without any other request');
};

subtest 'a playlist out of the cache is remembered as what it was' => sub {
  $origin->stream('aged', files => single("#EXTM3U\n#EXT-X-TARGETDURATION:4\n" .
    "#EXTINF:4,\n{{0.ts}}\n#EXTINF:4,\n{{1.ts}}\n#EXT-X-ENDLIST\n",
    map { ("$_.ts" => { id => "$_.ts" }) } 0, 1));
  my $entry = entry_uri(-path => '/brief', p => 'aged');
  my @links = links_below('/brief', $nginx->get($entry)->{body});
  $origin->rotate('aged')->update('aged', alive_from => 0)->clear;
  my $end = time + 10;
  my $r;
  do { $r = $nginx->get($entry); sleep 0.05 } until resolves_of('aged') || time > $end;
  is($r->header('X-Cache'), 'HIT', 'the next generation is there, the playlist is still that of the first');
  # Now the first one dies. A third would have to be resolved.
  $origin->update('aged', alive_from => 1)->clear;
  same_bytes($nginx->get($links[1])->{body}, bytes_of('aged/1.ts'), 'its links go on in the next');
  is(resolves_of('aged'), 0, 'nobody needs to be asked');
};

finish();
