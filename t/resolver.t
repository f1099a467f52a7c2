use strict;
use warnings;
use lib 't/lib';
use Test::More;
use Time::HiRes qw(sleep time);
use HlsTest;
use HlsTest::RotatingOrigin;

# What a resolver is asked, what its answers may be, and how long they serve.

my $origin = HlsTest::RotatingOrigin->start;
my $port = $origin->port;
my $resolver = $origin->resolver_url;
my $nginx = start_relay($origin, resolver => 1, source => <<"END", http => <<"END2", server => <<"END3");
ttl 5m; cooldown 1s; deadline 2s; header User-Agent Source/1; header X-Source yes;
END
hls_proxy_source strict { key p; entry /strict; resolver /_resolve; hosts 127.0.0.1; cooldown 0; }
hls_proxy_source brief  { key p; entry /brief; resolver /_resolve; ttl 2s stale=1m; cooldown 0; deadline 2s; }
hls_proxy_source early  { key p; entry /early; resolver /_resolve; ttl 5m; refresh_before 100s; cooldown 0; }
hls_proxy_source brisk  { key p; entry /brisk; resolver /_resolve; ttl 5m; refresh_before 2s; cooldown 0; }
hls_proxy_source keyed  { key a b p; entry /keyed; resolver /_resolve; cooldown 0; }
hls_proxy_source gone   { key p; entry /gone; resolver /_nobody; cooldown 0; }
log_format tries '\$uri|\$hls_proxy_provider|\$hls_proxy_attempt|\$hls_proxy_refreshed';
END2
location = /strict { hls_proxy_entry strict; }
location = /brief { hls_proxy_entry brief; }
location = /early { hls_proxy_entry early; }
location = /brisk { hls_proxy_entry brisk; }
location = /keyed { hls_proxy_entry keyed; }
location = /gone { hls_proxy_entry gone; }
location = /_nobody { internal; proxy_pass http://127.0.0.1:1/; }
access_log logs/tries.log tries;
END3
my $files = vod(count => 2, key => 1);

sub status_of { my ($name, $path) = @_; return $nginx->get(entry_uri(-path => $path // '/entry',
  p => $name))->{status} }
sub asked_resolver { my ($name) = @_; return scalar(my @r = $origin->resolves($name)) }

subtest 'both forms of answers' => sub {
  my %forms = (json => {}, text => { form => 'text' },
    'JSON of a kind' => { type => 'application/vnd.x+json; charset=utf-8' },
               'text with a charset' => { form => 'text', type => 'text/plain; charset=utf-8' },
               chunked => { framing => 'chunked', chunk_size => 7 }, 'byte by byte' => { write_size => 9 },
               'without a length' => { framing => 'close' },
               'of 20 KB' => { pad => 20_000 }, 'of 20 KB, chunked' => { pad => 20_000, framing => 'chunked',
                 chunk_size => 999 });
  my $n = 0;
  for my $what (sort keys %forms) {
    my $name = 'form' . $n++;
    $origin->stream($name, files => $files, answer => $forms{$what});
    my $links = open_stream($nginx, $name, $files);
    plays($nginx, $name, $files, $links, "$what: all of it plays", sort keys %$links);
    is(asked_resolver($name), 1, "$what: asked once");
  }
};

subtest 'what a resolver is asked' => sub {
  $origin->stream('a b&c+d/e?f%#=', files => $files);
  $origin->clear;
  my $umlaut = "\xc3\xbc \xe2\x82\xac";
  is($nginx->get(entry_uri(-path => '/keyed', p => 'a b&c+d/e?f%#=', b => $umlaut, other => 'no'))->{status},
    200, 'it answers');
  my ($r) = $origin->resolves;
  is($r->{method}, 'GET', 'GET');
  is_deeply($r->{arguments}, { p => 'a b&c+d/e?f%#=', b => $umlaut, attempt => 1, status => 0 },
    'the key, decoded, an absent argument left out; attempt; status');
  is($r->{query}, 'b=%C3%BC%20%E2%82%AC&p=a%20b%26c%2Bd%2Fe%3Ff%25%23%3D&attempt=1&status=0',
    'percent-encoded, in the order of the key');
  is($nginx->get(entry_uri(-path => '/keyed', p => 'a b&c+d/e?f%#=', b => ''))->{status} =~ /^(?:200|400)$/
    ? 1 : 0, 1, 'an empty value is decided');
};

subtest "a client's headers do not reach it" => sub {
  $origin->stream('shy', files => $files);
  my $r = $nginx->get(entry_uri(p => 'shy'), headers => ['Range: bytes=0-3', 'Cookie: c=1',
    'Accept-Encoding: gzip',
    'Authorization: Basic eDp5', 'Referer: http://player.example/', 'User-Agent: Player/7',
      'X-Forwarded-For: 10.1.1.1',
    'If-None-Match: "x"', 'X-Own: 1', 'Origin: http://player.example']);
  is($r->{status}, 200, 'status');
  my ($asked) = $origin->resolves('shy');
  is_deeply([sort grep { !/^(?:host|connection)$/ } keys %{$asked->{headers}}], [],
    "nothing but nginx's own headers");
  unlike($asked->{head}, qr/player|Player|eDp5|c=1|10\.1\.1\.1/, 'nor anywhere else in its head');
  $origin->stream('shyhead', files => $files);
  is($nginx->head(entry_uri(p => 'shyhead'))->{status}, 200, 'HEAD of an entry');
  is(($origin->resolves('shyhead'))[0]{method}, 'GET', 'the resolver is asked by GET');
};

subtest 'headers of an answer go upstream' => sub {
  my %need = ('X-Token' => 'secret {g}', Referer => 'https://embed.example/{g}', Cookie => 'sid={g}',
              Authorization => 'Bearer {g}', 'User-Agent' => 'Resolver/{g}', 'X-Source' => 'yes');
  my %given = map { $_ => $need{$_} } grep { $_ ne 'X-Source' } keys %need;
  $origin->stream('headed', files => $files, need => \%need, answer => { headers => { %given,
    'Accept-Encoding' => 'br' } });
  my $links = open_stream($nginx, 'headed', $files);
  plays($nginx, 'headed', $files, $links, 'playlists, segments and keys open', sort keys %$links);
  my ($segment) = $origin->asked(stream => 'headed', file => 'lo/seg-1.ts');
  is(() = $segment->{head} =~ /^User-Agent:/mig, 1,
    "the answer's User-Agent takes the place of the source's");
  unlike($segment->{headers}{'accept-encoding'} // '', qr/br/, 'codings stay the relay\'s');

  # The same stream names another host.
  my $other = "http://127.0.0.2:$port/elsewhere/";
  $origin->file('/elsewhere/x.ts', media_bytes(500), type => 'video/mp2t');
  $origin->stream('led', files => { 'master.m3u8' => { text => "#EXTM3U\n#EXTINF:4,\n${other}x.ts\n" } },
    answer => { headers => \%given });
  my ($link) = find_links($nginx->get(entry_uri(p => 'led'))->{body});
  is($nginx->get($link)->{status}, 200, 'a segment on another host');
  my ($elsewhere) = $origin->requests('/elsewhere/x.ts');
  is($elsewhere->{headers}{'x-token'}, 'secret 0', 'gets the other headers');
  is($elsewhere->{headers}{$_}, undef, "but no $_") for qw(cookie authorization);
};

subtest 'answers that are none' => sub {
  my %status = (
    'no such stream' => [404, { status => 404, body => 'no' }],
    'an error' => [502, { status => 500, body => 'no' }],
    'a refusal' => [502, { status => 403, body => 'no' }],
    'unavailable' => [502, { status => 503, body => 'no' }],
    'garbage' => [502, { body => "\x00\xff{{{" }],
    'HTML' => [502, { type => 'text/html', body => '<html><body>wait</body></html>' }],
    'HTML as JSON' => [502, { body => '<html>' }],
    'nothing' => [502, { body => '' }],
    'no content' => [502, { status => 204, body => '' }],
    'an array' => [502, { body => '["http://127.0.0.1/"]' }],
    'no url' => [502, { body => '{"headers":{}}' }],
    'another scheme' => [502, { body => '{"url":"ftp://127.0.0.1/x"}' }],
    'a relative URL' => [502, { body => '{"url":"/x.m3u8"}' }],
    'a Host header' => [502, { headers => { Host => 'evil.example' } }],
    'a header with a line feed' => [502, { headers => { 'X-A' => "1\r\nX-B: 2" } }],
    'a redirect' => [502, { status => 302,
      raw => "HTTP/1.1 302 Found\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n" }],
    'no HTTP' => [502, { raw => "what?\r\n" }],
    'an end before the head' => [502, { silent => 1 }],
    'an end in the body' => [502, { cut => 20 }],
    'over 64 KB' => [502, { pad => 70_000 }],
  );
  my $n = 0;
  for my $what (sort keys %status) {
    my ($status, $answer) = @{$status{$what}};
    my $name = 'bad' . $n++;
    $origin->stream($name, files => $files, answer => $answer);
    my $r = $nginx->get(entry_uri(p => $name));
    is($r->{status}, $status, "$what: $status");
    ok($r->{complete}, "$what: a clean end");
  }
  is(status_of('unheard-of'), 404, 'a stream that the resolver does not know');
  is(status_of('x', '/gone'), 502, 'nobody listens');
  like($nginx->error_log, qr/\[error\].*hls_proxy: stream "[^"]*".*64|large/, 'the log says why');
  unlike($nginx->error_log, qr/evil\.example|X-B/, 'without values of headers');
};

subtest 'a resolver that does not answer' => sub {
  $origin->stream('mute', files => $files, answer => { gate => 'never' });
  my $began = time;
  my $r = $nginx->get(entry_uri(p => 'mute'));
  my $took = time - $began;
  is($r->{status}, 504, 'its status is 504');
  cmp_ok($took, '>=', 1.9, 'not before the deadline of 2 seconds');
  cmp_ok($took, '<', 10, "nor much later ($took)");
  $origin->stream('slow', files => $files, answer => { pad => 5000, gate => 'slow', gate_at => 300 });
  my $socket = HlsTest::Client::connect_to($nginx->{port});
  HlsTest::Client::send_all($socket, HlsTest::Client::request_bytes($nginx->{port}, entry_uri(p => 'slow')));
  $origin->wait_for_resolves('slow', 1);
  $origin->release('slow');
  like((HlsTest::Client::read_all($socket))[0], qr/^HTTP\/1\.1 200 /,
    'a slow one, whose answer comes in pieces, is good');
};

subtest 'a failing stream is not asked again before cooldown' => sub {
  for my $case ([404, 404], [500, 502]) {
    my ($answered, $status) = @$case;
    my $name = "cool$answered";
    $origin->stream($name, files => $files, answer => { status => $answered, body => 'no' });
    my ($began, $ended) = (time);
    my @seen = map { status_of($name) } 1 .. 5;
    $ended = time;
    is_deeply(\@seen, [($status) x 5], "$answered: the same status each time");
    is(asked_resolver($name), 1, 'asked once') if $ended - $began < 0.9;
    $origin->update($name, answer => {});
    my $end = time + 10;
    sleep 0.05 until status_of($name) == 200 || time > $end;
    cmp_ok(time - $began, '>=', 0.9, 'asked again after cooldown');
    is(asked_resolver($name), 2, 'once');
    is(status_of($name), 200, 'and it plays');
  }
};

subtest 'ttl' => sub {
  $origin->stream('kept', files => $files);
  is(status_of('kept'), 200, 'resolved') for 1 .. 3;
  is(asked_resolver('kept'), 1, 'one answer serves for ttl');
  $origin->stream('short', files => $files);
  my $began = time;
  my $end = $began + 10;
  do { is(status_of('short', '/brief'), 200, 'plays') && sleep 0.1 } until asked_resolver('short') > 1
    || time > $end;
  is(asked_resolver('short'), 2, 'asked again');
  cmp_ok(time - $began, '>=', 0.9, 'after ttl');
  is(($origin->resolves('short'))[-1]{arguments}{attempt}, 1, 'as for the first time: nothing died');
};

subtest 'stale' => sub {
  $origin->stream('old', files => $files);
  is(status_of('old', '/brief'), 200, 'resolved');
  $origin->update('old', answer => { status => 500, body => 'no' });
  my $end = time + 10;
  do { is(status_of('old', '/brief'), 200, 'plays') && sleep 0.1 } until asked_resolver('old') > 1
    || time > $end;
  is(status_of('old', '/brief'), 200, 'the old answer serves when resolving fails');
  cmp_ok(asked_resolver('old'), '>=', 2, 'which was tried');
  $origin->update('old', answer => { gate => 'never' });
  $origin->clear;
  is(status_of('old', '/brief'), 200, 'and when the resolver does not answer');
  is(asked_resolver('old'), 1, 'which was tried, too');
  $origin->update('old', answer => {});
  $origin->clear;
  is(status_of('old', '/brief'), 200, 'the resolver is back');
  $origin->stream('old2', files => $files);
  is(status_of('old2', '/brief'), 200, 'another stream, resolved');
  $origin->update('old2', answer => { status => 404, body => 'no' });
  $end = time + 10;
  my $status;
  do { sleep 0.1; $status = status_of('old2', '/brief') } until asked_resolver('old2') > 1 || time > $end;
  like($status, qr/^(?:200|404)$/, "a stream that is gone: 404 or the stale one ($status)");
};

subtest 'expires' => sub {
  $origin->stream('dying', files => $files, answer => { expires => int(time) + 2 });
  is(status_of('dying'), 200, 'resolved');
  $origin->update('dying', answer => { expires => int(time) + 3600 });
  my $end = time + 10;
  do { is(status_of('dying'), 200, 'plays') && sleep 0.1 } until asked_resolver('dying') > 1 || time > $end;
  is(asked_resolver('dying'), 2, 'asked again when it had expired, long before ttl');
  is(status_of('dying'), 200, 'the next one') for 1 .. 2;
  is(asked_resolver('dying'), 2, 'serves on');
  $origin->stream('ms', files => $files, answer => { expires => (int(time) + 3600) * 1000 });
  is(status_of('ms'), 200, 'milliseconds') for 1 .. 2;
  is(asked_resolver('ms'), 1, 'are understood');
};

subtest 'refresh_before' => sub {
  $origin->stream('due', files => $files, answer => { expires => int(time) + 60 });
  is(status_of('due', '/early'), 200, 'resolved, and due at once');
  $origin->update('due', generation => 1, alive_from => 0, answer => { expires => int(time) + 3600,
    gate => 'due' });
  my $end = time + 10;
  do { is(status_of('due', '/early'), 200, 'answered at once') && sleep 0.1 } until asked_resolver('due') > 1
    || time > $end;
  is(asked_resolver('due'), 2, 'the resolver is asked in the background');
  is(status_of('due', '/early'), 200, 'answered at once, while it still thinks') for 1 .. 3;
  is(asked_resolver('due'), 2, 'it is asked once');
  $origin->release('due');
  do { is(status_of('due', '/early'), 200, 'plays') && sleep 0.1 }
    until $origin->asked(stream => 'due', generation => 1) || time > $end;
  is(scalar(my @r = $origin->asked(stream => 'due', generation => 1, file => 'master.m3u8')) > 0, 1,
    'then its answer serves');

  # A stream that is being played is renewed by its segments, too.
  $origin->stream('played', files => $files, answer => { expires => int(time) + 3600 });
  my $links = open_stream($nginx, 'played', $files, entry => entry_uri(-path => '/early', p => 'played'));
  is(asked_resolver('played'), 1, 'not due: not renewed');
  plays($nginx, 'played', $files, $links, 'plays', 'lo/seg-0.ts');
  is(asked_resolver('played'), 1, 'nor while it plays');
  $origin->stream('playing', files => $files, answer => { expires => int(time) + 60 });
  $links = open_stream($nginx, 'playing', $files, entry => entry_uri(-path => '/early', p => 'playing'));
  $origin->clear;
  $origin->update('playing', answer => { expires => int(time) + 3600 });
  $end = time + 10;
  do { plays($nginx, 'playing', $files, $links, 'a segment of a stream that is due', 'lo/seg-0.ts')
    && sleep 0.1 }
    until asked_resolver('playing') || time > $end;
  is(asked_resolver('playing'), 1, 'has it renewed');
  plays($nginx, 'playing', $files, $links, 'and the next plays', 'lo/seg-1.ts');
};

subtest 'a renewal that fails' => sub {
  $origin->stream('unlucky', files => $files, answer => { expires => int(time) + 60 });
  is(status_of('unlucky', '/early'), 200, 'resolved, and due');
  $origin->update('unlucky', answer => { status => 500, body => 'no' });
  my $end = time + 10;
  do { is(status_of('unlucky', '/early'), 200, 'plays') && sleep 0.1 } until asked_resolver('unlucky') > 1
    || time > $end;
  cmp_ok(asked_resolver('unlucky'), '>', 1, 'a renewal was tried');
  is(status_of('unlucky', '/early'), 200, 'plays on with what there is') for 1 .. 3;
};

subtest 'tokens that live for four seconds' => sub {
  $origin->stream('brisk', files => $files, life => 4);
  my $links = open_stream($nginx, 'brisk', $files, entry => entry_uri(-path => '/brisk', p => 'brisk'));
  my ($end, $bad, $count) = (time + 7, 0, 0);
  while (time < $end) {
    my $name = 'lo/seg-' . ++$count % 2 . '.ts';
    my $r = get_file($nginx, $links, $name);
    ++$bad if $r->{status} != 200 || $r->{body} ne bytes_of("brisk/$name");
    sleep 0.05;
  }
  is($bad, 0, "one playlist plays for seven seconds: $count segments");
  my @resolves = $origin->resolves('brisk');
  cmp_ok(scalar @resolves, '>=', 3, 'its stream was renewed');
  cmp_ok(scalar @resolves, '<=', 8, 'not too often');
  is_deeply([grep { $_ } map { $_->{arguments}{status} } @resolves], [], 'before it died, each time');
  my @dead = grep { $_->{status} == 403 } $origin->asked(stream => 'brisk');
  cmp_ok(scalar @dead, '<=', scalar @resolves, 'a dead URL is met once a generation at most');
};

subtest 'tokens that are bound to an address' => sub {
  my $bound = start_relay($origin, resolver => 'proxy_bind 127.0.0.9;', source => 'cooldown 0;',
    map { $_ => 'proxy_bind 127.0.0.9;' } qw(playlist media));
  for my $rotate (['query'], ['query', 'dir', 'name']) {
    my $name = 'bound' . @$rotate;
    $origin->stream($name, files => $files, bound => 1, rotate => $rotate);
    my $links = open_stream($bound, $name, $files);
    plays($bound, $name, $files, $links, "@$rotate: plays", sort keys %$links);
    $origin->rotate($name);
    plays($bound, $name, $files, $links, 'and after a rotation', grep { !/index/ } sort keys %$links);
  }
};

subtest 'provider' => sub {
  $origin->stream('provided', files => $files, answer => { provider => 'vidhost' });
  my $links = open_stream($nginx, 'provided', $files);
  plays($nginx, 'provided', $files, $links, 'plays', 'lo/seg-0.ts');
  my $end = time + 5;
  my @lines;
  do { @lines = grep { /seg-0\.ts\|vidhost/ } split /\n/, $nginx->read_file('logs/tries.log') } until @lines
    || time > $end;
  is(scalar @lines, 1, '$hls_proxy_provider in the access log');
  like($lines[0] // '', qr/\|vidhost\|1\|0$/, 'first attempt, not refreshed');
};

subtest 'hosts' => sub {
  $origin->stream('inside', files => $files, hosts => ['127.0.0.1'], rotate => ['host']);
  is(status_of('inside', '/strict'), 200, 'an answer within');
  $origin->stream('outside', files => $files, hosts => ['127.0.0.2'], rotate => ['host']);
  is(status_of('outside', '/strict'), 502, 'an answer outside is refused');
  is(scalar(my @r = $origin->asked(stream => 'outside')), 0, 'that host was not asked');
};

subtest 'a file' => sub {
  my $movie = bytes_of('cinema/movie.mp4', 50_000);
  $origin->stream('cinema', entry => 'movie.mp4', files => { 'movie.mp4' => { id => 'movie.mp4',
    size => 50_000 } });
  my $uri = entry_uri(p => 'cinema');
  my $r = $nginx->get($uri);
  is($r->{status}, 200, 'whole');
  same_bytes($r->{body}, $movie, 'its bytes');
  is($r->header('Content-Type'), 'video/mp4', 'its type');
  $r = $nginx->get($uri, headers => ['Range: bytes=1000-1999']);
  is($r->{status}, 206, 'a range');
  is($r->header('Content-Range'), 'bytes 1000-1999/50000', 'of which bytes');
  same_bytes($r->{body}, substr($movie, 1000, 1000), 'its bytes');
  is($nginx->head($uri)->header('Content-Length'), 50_000, 'HEAD');
  is(asked_resolver('cinema'), 1, 'one resolve');
};

subtest 'the resolver cannot be reached from outside' => sub {
  is($nginx->get('/_resolve?p=shy')->{status}, 404, 'internal');
  is($nginx->get('/entry?p=shy')->{status}, 403, 'an entry without a signature');
  $origin->clear;
  is($nginx->get(entry_uri(p => 'shy2') =~ s/(.)$/$1 eq '0' ? '1' : '0'/er)->{status}, 403,
    'a wrong signature');
  is(asked_resolver('shy2'), 0, 'asks nobody');
};

finish();
