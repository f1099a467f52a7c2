use strict;
use warnings;
use lib 't/lib';
use Test::More;
use Time::HiRes qw(sleep time);
use HlsTest;
use HlsTest::RotatingOrigin;

# URLs that die: every way of dying, every kind of link; what a player gets to see of it is nothing.

my $origin = HlsTest::RotatingOrigin->start;
my $port = $origin->port;
my $params = HlsTest::Nginx->params_with(proxy_read_timeout => '400ms', proxy_connect_timeout => '1s');
my %conf = (resolver => 1, params => $params, source => 'ttl 1h; cooldown 0; deadline 5s;', http => <<"END", server => <<"END2");
hls_proxy_source only { key p; entry /only; resolver /_resolve; ttl 1h; cooldown 0; refresh_on 403; }
hls_proxy_source cool { key p; entry /cool; resolver /_resolve; ttl 1h; cooldown 1m; }
hls_proxy_source plain { key p; entry /plain; url http://127.0.0.1:$port/plain/\$p; }
log_format tries '\$request_uri|\$status|\$hls_proxy_attempt|\$hls_proxy_refreshed|';
END
location = /only { hls_proxy_entry only; }
location = /cool { hls_proxy_entry cool; }
location = /plain { hls_proxy_entry plain; }
location = /denied { hls_proxy_entry s; hls_proxy_base /denied; }
location /denied/ { hls_proxy_base /denied; include $params; deny all; }
access_log logs/tries.log tries;
END2
my $nginx = start_relay($origin, %conf);

my $master = "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=800000\n{{lo/index.m3u8}}\n";
my $live = media_playlist(name => 'lo', first => 10, count => 4, live => 1, map => 1, key => 1, parts => 2,
  hint => 1, pdt => 1_700_000_000);
$live->{'master.m3u8'} = { text => $master };
my $vod = vod(count => 6);

sub resolves_of { my ($name) = @_; return scalar(my @r = $origin->resolves($name)) }
sub dead_requests { my ($name) = @_; return scalar grep { $_->{generation} < 1 } $origin->asked(stream => $name) }
sub statuses { my ($name, $file) = @_; return join ' ',
  map { "g$_->{generation}:$_->{status}" } $origin->asked(stream => $name, file => $file) }

# The access log's line of a request with this mark: "status|attempt|refreshed|".
sub logged {
  my ($mark) = @_;
  my $end = time + 5;
  while (time < $end) {
    return $1 if $nginx->read_file('logs/tries.log') =~ /[?&]mark=$mark(?:&[^|\n]*)?\|(.*)\n/;
    sleep 0.01;
  }
  return 'no line';
}

my $n = 0;
my %causes = (
  (map { $_ => [$_, { status => $_, body => 'dead' }] } 403, 404, 410, 429, 451),
  timeout => [qr/^504$/, { gate => 'never' }],
  refused => [qr/^502$/, {}],
  'two 500s' => [qr/^50[02]$/, { status => 500, body => 'oops' }],
  'two 503s' => [qr/^50[023]$/, { status => 503, body => 'oops' }],
  'no answer' => [qr/^502$/, { silent => 1 }],
  HTML => [qr/^502$/, { status => 200, type => 'text/html',
    body => '<!DOCTYPE html><html><body>Please wait</body></html>' }],
);
my %kinds = (entry => 'master.m3u8', 'child playlist' => 'lo/index.m3u8', segment => 'lo/seg-11.m4s',
             part => 'lo/part-13-1.m4s', 'hinted part' => 'lo/part-14-0.m4s', 'init section' => 'lo/init.mp4',
             key => 'lo/k.key', range => 'lo/seg-12.m4s', HEAD => 'lo/seg-12.m4s');

sub check_cause {
  my ($cause, $kind) = @_;
  my ($status, $dead) = @{$causes{$cause}};
  my ($name, $file) = ('c' . ++$n, $kinds{$kind});
  my $refused = $cause eq 'refused';
  $origin->stream($name, files => $live, dead => $dead, $refused ? (rotate => ['query', 'host'],
    hosts => ['127.0.0.2', '127.0.0.1']) : ());
  my $links = open_stream($nginx, $name, $live);
  $origin->rotate($name)->clear;
  $origin->close_address('127.0.0.2') if $refused;
  my $uri = $kind eq 'entry' ? entry_uri(p => $name, mark => $name) : "$links->{$file}&mark=$name";
  my $r = $nginx->get($uri, $kind eq 'HEAD' ? (method => 'HEAD') : (), $kind eq 'range'
    ? (headers => ['Range: bytes=100-199']) : ());
  $origin->open_address('127.0.0.2') if $refused;

  my $bytes = bytes_of("$name/" . ($live->{$file}{id} // ''));
  is($r->{status}, $kind eq 'range' ? 206 : 200, "$cause, $kind: status");
  ok($r->{complete}, 'a clean end');
  if ($kind eq 'HEAD') { is($r->header('Content-Length'), length $bytes, 'its length') }
  elsif ($live->{$file}{text}) { like($r->{body}, qr/\A#EXTM3U\n/, 'a playlist') }
  else { same_bytes($r->{body}, $kind eq 'range' ? substr($bytes, 100, 100) : $bytes, 'the right bytes') }
  my @resolves = $origin->resolves($name);
  is(scalar @resolves, 1, 'one resolve');
  like($resolves[0]{arguments}{status} // '', ref $status ? $status : qr/^$status$/,
    'which was told the status');
  is($resolves[0]{arguments}{attempt} // '', 2, 'and that it is a second attempt');
  is(logged($name), ($kind eq 'range' ? 206 : 200) . '|2|1|', 'the access log');
  is(scalar(grep { $_->{generation} == 1 } $origin->asked(stream => $name, file => $file)) >= 1, 1,
    'from the new URL');
  return $links;
}

for my $cause (sort keys %causes) {
  # Without a body nothing tells that it would be HTML.
  my @kinds = grep { $cause ne 'HTML' || $_ ne 'HEAD' } sort keys %kinds;
  subtest "died of: $cause" => sub { check_cause($cause, $_) for @kinds };
}

subtest 'a hiccup is not a death' => sub {
  for my $once ({ status => 500, body => 'x' }, { status => 503, body => 'x' }, { silent => 1 }) {
    my $name = 'hiccup' . ($once->{status} // '');
    $origin->stream($name, files => $vod);
    my $links = open_stream($nginx, $name, $vod);
    my $bytes = bytes_of("$name/lo/seg-1.ts");
    $origin->update($name, versions => { 0 => { 'lo/seg-1.ts' => { route => { sequence => [$once,
      { type => 'video/mp2t', body => $bytes }] } } } });
    $origin->clear;
    my $r = get_file($nginx, $links, 'lo/seg-1.ts');
    is($r->{status}, 200, ($once->{status} // 'no answer') . ' once');
    same_bytes($r->{body}, $bytes, 'its bytes');
    is(resolves_of($name), 0, 'no resolve: once more at the same URL');
    is(scalar(my @r = $origin->asked(stream => $name, file => 'lo/seg-1.ts')), 2, 'which was asked twice');
  }
};

subtest 'a child playlist keeps its directives' => sub {
  $origin->stream('ll', files => $live);
  my $links = open_stream($nginx, 'll', $live);
  $origin->rotate('ll')->clear;
  is($nginx->get("$links->{'lo/index.m3u8'}&_HLS_msn=12&_HLS_part=1")->{status}, 200, 'refreshed');
  my ($asked) = grep { $_->{target} =~ /_HLS/ } $origin->asked(stream => 'll', generation => 1,
    file => 'lo/index.m3u8');
  like($asked->{query} // '', qr/^tok=g1-\w+&_HLS_msn=12&_HLS_part=1$/, 'the new URL gets them');
};

subtest 'once, and not more' => sub {
  my $deny = { route => { status => 403, type => 'text/plain', body => 'never' } };
  $origin->stream('doa', files => $vod, versions => { 1 => { 'lo/seg-2.ts' => $deny,
    'lo/index.m3u8' => $vod->{'lo/index.m3u8'} } });
  my $links = open_stream($nginx, 'doa', $vod);
  $origin->rotate('doa')->clear;
  my $r = get_file($nginx, $links, 'lo/seg-2.ts');
  is($r->{status}, 403, "dead again: the origin's own status");
  ok($r->{complete}, 'a clean end');
  is(statuses('doa', 'lo/seg-2.ts'), 'g0:403 g1:403', 'two requests in all');
  is(resolves_of('doa'), 1, 'one resolve');
  plays($nginx, 'doa', $vod, $links, 'the others play', 'lo/seg-1.ts', 'lo/seg-3.ts');

  for my $status (404, 410, 429) {
    my $name = "all$status";
    $origin->stream($name, files => $vod, dead => { status => $status, body => 'x' });
    $links = open_stream($nginx, $name, $vod);
    $origin->update($name, generation => 1, alive_from => 99);
    $origin->clear;
    my $began = time;
    $r = get_file($nginx, $links, 'lo/seg-2.ts');
    is($r->{status}, $status, "everything is dead: $status");
    cmp_ok(time - $began, '<', 5, 'and soon');
    cmp_ok(resolves_of($name), '<=', 3, 'after few resolves');
    is(statuses($name, 'lo/seg-2.ts'), "g0:$status", 'the dead URL was asked once');
    $r = $nginx->get(entry_uri(p => $name));
    is($r->{status}, $status, 'the entry, too');
  }
};

subtest 'cooldown between two re-resolves' => sub {
  $origin->stream('cooled', files => $vod);
  my $links = open_stream($nginx, 'cooled', $vod, entry => entry_uri(-path => '/cool', p => 'cooled'));
  $origin->rotate('cooled')->clear;
  plays($nginx, 'cooled', $vod, $links, 'the first re-resolve comes at once', 'lo/seg-0.ts');
  is(resolves_of('cooled'), 1, 'one');
  $origin->rotate('cooled');
  is(get_file($nginx, $links, 'lo/seg-1.ts')->{status}, 403, "within cooldown: the origin's status")
    for 1 .. 3;
  is(resolves_of('cooled'), 1, 'the resolver is not asked');
};

subtest 'a resolver that fails' => sub {
  for my $case (['404', { status => 404, body => 'x' }], ['500', { status => 500, body => 'x' }], ['garbage',
    { body => 'x' }]) {
    my ($what, $answer) = @$case;
    $origin->stream("unresolved$what", files => $vod);
    my $links = open_stream($nginx, "unresolved$what", $vod, entry => entry_uri(-path => '/cool',
      p => "unresolved$what"));
    $origin->rotate("unresolved$what")->update("unresolved$what", answer => $answer);
    my $r = get_file($nginx, $links, 'lo/seg-0.ts');
    is($r->{status}, 403, "$what: the origin's own status");
    ok($r->{complete}, 'a clean end');
    is(get_file($nginx, $links, 'lo/seg-1.ts')->{status}, 403, 'and again');
  }
};

subtest 'what is not in refresh_on goes through' => sub {
  for my $status (400, 401, 402, 405, 406, 408, 409, 416, 418, 423) {
    my $name = "on$status";
    $origin->stream($name, files => $vod, dead => { status => $status, body => 'x' });
    my $links = open_stream($nginx, $name, $vod);
    $origin->rotate($name)->clear;
    is(get_file($nginx, $links, 'lo/seg-0.ts')->{status}, $status, "default: $status");
    is(resolves_of($name), 0, 'no resolve');
  }
  my %passes = (404 => [404, { status => 404 }], 500 => [500, { status => 500 }], timeout => [504,
    { gate => 'never' }],
                HTML => [502, { type => 'text/html', body => '<html>' }], silent => [502, { silent => 1 }]);
  for my $what (sort keys %passes) {
    my ($status, $dead) = @{$passes{$what}};
    $origin->stream("only$what", files => $vod, dead => { status => 200, body => 'x', %$dead });
    my $links = open_stream($nginx, "only$what", $vod, entry => entry_uri(-path => '/only',
      p => "only$what"));
    $origin->rotate("only$what")->clear;
    is(get_file($nginx, $links, 'lo/seg-0.ts')->{status}, $status, "refresh_on 403: $what is $status");
    is(resolves_of("only$what"), 0, 'no resolve');
    $origin->update("only$what", dead => { status => 403 });
    plays($nginx, "only$what", $vod, $links, 'but 403 is refreshed', 'lo/seg-0.ts');
  }
};

subtest "the relay's own refusals stay" => sub {
  $origin->stream('own', files => $vod);
  my $end = time + 2;
  my $links = open_stream($nginx, 'own', $vod);
  my $capped = open_stream($nginx, 'own', $vod, entry => entry_uri(p => 'own', until => int $end));
  $origin->rotate('own')->clear;
  my $link = $links->{'lo/seg-0.ts'};
  my $bad = $link =~ s/sig=(.{4})(.)/"sig=$1" . ($2 eq 'A' ? 'B' : 'A')/er;
  sleep 0.05 while time < int($end) + 1;
  my %is = ('a bad signature' => [403, $nginx->get($bad)], 'malformed' => [400,
    $nginx->get($link =~ s/u=[^&]+/u=!/r)],
            'no arguments' => [400, $nginx->get($link =~ s/\?.*//r)], 'expired' => [410,
              $nginx->get($capped->{'lo/seg-0.ts'})],
            'POST' => [405, $nginx->get($link, method => 'POST', body => '')], 'deny all' => [403,
              $nginx->get(entry_uri(-path => '/denied', p => 'own'))],
            'no such file' => [404, $nginx->get('/elsewhere')], 'the location itself' => [404,
              $nginx->get('/@hls_refresh')]);
  is($is{$_}[1]{status}, $is{$_}[0], "$_: $is{$_}[0]") for sort keys %is;
  is(scalar(my @asked = $origin->asked(stream => 'own')), 0, 'the origin was not asked');
  is(resolves_of('own'), 0, 'nor the resolver');
};

subtest 'a source without a resolver' => sub {
  $origin->set('/plain/x.m3u8', type => 'application/vnd.apple.mpegurl',
    body => "#EXTM3U\n#EXTINF:4,\nx.ts\n");
  my ($link) = find_links($nginx->get(entry_uri(-path => '/plain', p => 'x.m3u8'))->{body});
  for my $status (403, 404, 410, 429, 451, 500, 503) {
    $origin->set('/plain/x.ts', status => $status, type => 'text/plain', body => 'x',
      headers => ['Retry-After: 7']);
    $origin->clear;
    my $r = $nginx->get($link);
    is($r->{status}, $status, "the origin's $status");
    is(scalar(my @r = $origin->requests), $status < 500 ? 1 : 2, 'a 5xx is asked for twice')
      if $status != 503;
  }
};

subtest 'after one refresh an old playlist is no trouble' => sub {
  $origin->stream('old', files => $vod);
  my $links = open_stream($nginx, 'old', $vod);
  plays($nginx, 'old', $vod, $links, 'plays', 'lo/seg-0.ts', 'de/seg-0.aac');
  $origin->rotate('old')->clear;
  plays($nginx, 'old', $vod, $links, 'the first dead one', 'lo/seg-1.ts');
  is(dead_requests('old'), 1, 'one request for a dead URL');
  plays($nginx, 'old', $vod, $links, 'all the rest', grep { !/index/ } sort keys %$links) for 1 .. 2;
  plays($nginx, 'old', $vod, $links, 'playlists, too', grep { /index/ } sort keys %$links);
  is(dead_requests('old'), 1, 'no further one');
  is(resolves_of('old'), 1, 'one resolve');
  for my $playlist (map { "$_/index.m3u8" } qw(lo hi de)) {
    cmp_ok(scalar(my @r = $origin->asked(stream => 'old', generation => 1, file => $playlist)), '<=', 3,
      "$playlist is kept parsed");
  }
  $origin->rotate('old')->clear;
  plays($nginx, 'old', $vod, $links, 'after the next rotation', sort grep { !/index/ } keys %$links);
  my @dead = grep { $_->{generation} < 2 } $origin->asked(stream => 'old');
  cmp_ok(scalar @dead, '<=', 3, "few requests for dead URLs, fresh playlists' included");
  is(scalar(grep { $_->{generation} < 1 } @dead), 0, 'none of them older still');
};

subtest 'a connection is kept' => sub {
  $origin->stream('held', files => $vod);
  my $links = open_stream($nginx, 'held', $vod);
  my $socket = HlsTest::Client::connect_to($nginx->{port});
  for my $i (0 .. 5) {
    $origin->rotate('held') if $i % 2;
    my $name = "lo/seg-$i.ts";
    HlsTest::Client::send_all($socket, HlsTest::Client::request_bytes($nginx->{port}, $links->{$name},
      headers => ['Connection: keep-alive']));
    my ($raw) = HlsTest::Client::read_all($socket, until => sub { HlsTest::Client::parse_response($_[0], '',
      'GET')->{complete} });
    my $r = HlsTest::Client::parse_response($raw, '', 'GET');
    same_bytes($r->{body}, bytes_of("held/lo/seg-$i.ts"), "segment $i over the same connection");
    is(lc($r->header('Connection') // ''), 'keep-alive', 'which is kept');
  }
};

subtest 'two workers, reload, restart' => sub {
  my $two = start_relay($origin, %conf, workers => 2);
  for my $case ([query => 'query'], [everything => 'query', 'host', 'dir', 'name']) {
    my ($name, @rotate) = @$case;
    $origin->stream($name, files => $vod, rotate => \@rotate);
    my $entry = entry_uri(-path => '/cool', p => $name);
    my $links = open_stream($two, $name, $vod, entry => $entry);
    my @media = sort grep { !/index/ } keys %$links;
    plays($two, $name, $vod, $links, "$name: plays", 'lo/seg-0.ts');
    $origin->rotate($name)->clear;
    plays($two, $name, $vod, $links, 'the first dead one', 'hi/seg-1.ts');
    for my $round (1 .. 3) { plays($two, $name, $vod, $links, "all the rest, round $round", @media) }
    is(dead_requests($name), 1, 'one request for a dead URL, whichever worker');
    is(resolves_of($name), 1, 'one resolve');
    $two->reload;
    plays($two, $name, $vod, $links, 'after a reload', @media);
    is(dead_requests($name), 1, 'no further request for a dead URL');
    is(resolves_of($name), 1, 'nor a resolve');
    $two->stop;
    $two->start;
    $origin->clear;
    if ($name eq 'query') {
      plays($two, $name, $vod, $links, 'after a restart: paths are enough', @media);
      cmp_ok(resolves_of($name), '<=', 2, 'one resolve or two');
    } else {
      my %seen = map { get_file($two, $links, $_)->{status} => 1 } @media;
      is_deeply(\%seen, { 403 => 1 },
        "after a restart, and nothing is known of the old names: the origin's status");
    }
    my $fresh = open_stream($two, $name, $vod, entry => $entry);
    plays($two, $name, $vod, $fresh, 'a fresh playlist plays', @media);
  }
};

subtest 'logs' => sub {
  my $log = $nginx->error_log;
  like($log, qr/\[notice\].*hls_proxy: stream "s p=old"/, 'what was refreshed');
  unlike($log, qr/tok=g\d|sig=\w/, 'no token, no signature');
};

finish();
