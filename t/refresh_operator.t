use strict;
use warnings;
use lib 't/lib';
use Test::More;
use Time::HiRes qw(sleep time);
use HlsTest;
use HlsTest::RotatingOrigin;

# Refreshes in configurations as operators write them, and what operators do to a running nginx.

my $origin = HlsTest::RotatingOrigin->start;
my $port = $origin->port;
my $params = HlsTest::Nginx->params_file;
my $vod = vod(count => 4);

sub resolves_of { my ($name) = @_; return scalar(my @r = $origin->resolves($name)) }
sub asked { my (%by) = @_; return scalar(my @r = $origin->asked(%by)) }
sub links_below { my ($base, $text) = @_; return $text =~ m{^($base/\S+)}mg }

sub counter {
  my ($nginx, $name) = @_;
  return $nginx->get('/counters')->{body} =~ /^hls_proxy_${name}_total (\d+)$/m ? $1 : -1;
}

sub send_request {
  my ($nginx, $uri) = @_;
  my $socket = HlsTest::Client::connect_to($nginx->{port});
  HlsTest::Client::send_all($socket, HlsTest::Client::request_bytes($nginx->{port}, $uri));
  return $socket;
}

# Whether a file comes whole and right, and if not what came.
sub seen {
  my ($nginx, $stream, $files, $links, $name) = @_;
  my $r = get_file($nginx, $links, $name);
  return 'ok' if $r->{status} == 200 && $r->{complete} && ($files->{$name}{text} ? $r->{body} =~ /^#EXTM3U/
    : $r->{body} eq bytes_of("$stream/$files->{$name}{id}"));
  return "$name: $r->{status}";
}

subtest 'cooldown 0 and a resolver that fails at once' => sub {
  my @ways = ('internal; proxy_pass http://127.0.0.1:1;', "internal; proxy_pass http://127.0.0.1:$port/none;",
    '', 'internal; return 302 /x;', 'internal; return 404;', 'internal; return 500;', 'internal; return 444;',
    'hls_proxy_refresh;',
    'internal; hls_proxy on; proxy_pass $hls_proxy_pass;', 'internal; hls_proxy_status prometheus;',
    'internal; rewrite ^ /hls/media/x/y last;', 'internal; return 200 "";', 'internal; empty_gif;');
  my @n = 0 .. $#ways;
  # A worker that asked without end would never come back to its events, and write an error each time.
  my $nginx = start_relay($origin, resolver => 1, zone => '1m', source => 'cooldown 0;',
    http => join("\n", map {
      "hls_proxy_source r$_ { key p; entry /e$_; resolver /_r$_; deadline 2s; cooldown 0; }" } @n),
    server => join "\n", 'location = /counters { hls_proxy_status prometheus; }',
      (map { "location = /e$_ { hls_proxy_entry r$_; }" } @n),
      map { $ways[$_] ? "location = /_r$_ { $ways[$_] }" : () } @n);
  $nginx->reload(log_level => 'crit');
  for my $n (@n) {
    my $before = counter($nginx, 'resolves');
    my $r = $nginx->get(entry_uri(-path => "/e$n", p => 'x'), deadline => 4);
    like($r->{status}, qr/^(?:404|502)$/, ($ways[$n] || 'no location') . ': an answer');
    last unless $r->{status};
    is(counter($nginx, 'resolves') - $before, 1, 'after one resolve');
  }
};

subtest 'a zone that has no room left' => sub {
  # All of its streams are being resolved at once, with keys that fill it.
  my $nginx = start_relay($origin, resolver => 1, zone => '512k', connections => 4096,
    main => 'worker_rlimit_nofile 8192;', source => 'cooldown 0; deadline 8s;');
  my @names = map { 'z' x 900 . $_ } 1 .. 600;
  $origin->stream($_, files => $vod, answer => { gate => 'full' }) for @names;
  $nginx->reload(log_level => 'crit');
  my @sockets = map { send_request($nginx, entry_uri(p => $_)) } @names;
  $origin->wait_for_requests(64, '/resolve');
  $origin->release('full');
  my $end = time + 20;
  my @answers = map { (HlsTest::Client::read_all($_, deadline => $end - time))[0] } @sockets;
  is(scalar(grep { !m{^HTTP/1\.1 200 } } @answers), 0, '600 at once: all get an answer');
  cmp_ok(scalar(my @r = $origin->requests('/resolve')), '<=', 1200, 'each resolved twice at most');

  # One answer that is nearly all of it.
  my $large = start_relay($origin, resolver => 1, zone => '512k', source => 'cooldown 0; deadline 4s;',
    params => HlsTest::Nginx->params_with(proxy_buffer_size => '128k', proxy_buffers => '8 128k',
      proxy_busy_buffers_size => '128k'));
  my %headers = map { ("X-$_" => 'h' x 4090) } 1 .. 15;
  $origin->stream('large', files => $vod, answer => { headers => \%headers });
  is($large->get(entry_uri(p => 'large'))->{status}, 200, 'an answer of 60 KB');
  is(resolves_of('large'), 1, 'one resolve');
};

subtest 'the zone is lost while everything plays' => sub {
  my %need = (Cookie => 'sid={g}', 'X-Token' => 'value {g}');
  my $source = 'ttl 1h; cooldown 1m; deadline 5s;';
  my @names = ('lo/seg-0.ts', 'lo/seg-1.ts', 'lo/index.m3u8', 'lo/seg-2.ts', 'de/index.m3u8', 'hi/seg-3.ts');
  for my $how ('restart', 'reload with another zone') {
    for my $dead (0, 1) {
      my $nginx = start_relay($origin, resolver => 1, source => $source);
      my $name = 'lost' . length($how) . $dead;
      $origin->stream($name, files => $vod, need => \%need, answer => { headers => \%need });
      my $links = open_stream($nginx, $name, $vod);
      my %new = relay_conf($origin, resolver => 1, source => $source, zone => '6m');
      if ($how eq 'restart') { $nginx->stop; $nginx->start }
      else { $nginx->reload(http => $new{http}) }
      $origin->rotate($name) if $dead;
      $origin->clear;
      my $what = $how . ($dead ? ', and the URLs have died' : '');
      is(join(', ', map { seen($nginx, $name, $vod, $links, $_) } @names), join(', ', ('ok') x @names),
        "$what: every old link goes on, with the headers that it needs");
      is(resolves_of($name), 1, 'after one resolve');
    }
  }
};

subtest 'hosts becomes narrower' => sub {
  my $source = 'ttl 1h; cooldown 0; deadline 5s;';
  my $conf = sub { return relay_conf($origin, resolver => 1, source => "$source $_[0]") };
  my $nginx = HlsTest::Nginx->start($conf->(''));
  $origin->stream('moved', files => $vod, hosts => ['127.0.0.2', '127.0.0.1'], rotate => ['host']);
  $origin->stream('there', files => $vod, hosts => ['127.0.0.2'], rotate => ['host']);
  my %links = map { $_ => open_stream($nginx, $_, $vod) } 'moved', 'there';
  $nginx->reload($conf->('hosts 127.0.0.1;'));
  $origin->update('moved', generation => 1, alive_from => 0)->clear;
  is($nginx->get(entry_uri(p => 'moved'))->{status}, 200, 'an entry that has moved to where it may be');
  is(resolves_of('moved'), 1, 'is resolved anew');
  is($nginx->get(entry_uri(p => 'there'))->{status}, 502, 'one that has not, is refused');
  is(get_file($nginx, $links{$_}, 'lo/seg-0.ts')->{status}, 403, "$_: so are old links") for 'moved', 'there';
  is(scalar(grep { $_->{address} eq '127.0.0.2' } $origin->requests), 0, 'that host was not asked');
};

subtest 'stale copies of a playlist whose URL is dead' => sub {
  my %ways = (refused => ['http_403 http_404', {}], closing => ['error timeout', { silent => 1 }],
    failing => ['error timeout http_500 http_503', { status => 500, body => 'x' }]);
  my $nginx = start_relay($origin, resolver => 1, source => 'ttl 1h; cooldown 0; deadline 5s;',
    http => 'proxy_cache_path %PREFIX%/temp/cache keys_zone=kept:2m use_temp_path=off;',
    server => join "\n", map { "location = /$_ { hls_proxy_entry s; hls_proxy_base /$_; }\n" .
      "location /$_/ { hls_proxy_base /$_; include $params; proxy_cache_use_stale $ways{$_}[0];\n" .
      'proxy_cache kept; proxy_cache_key $hls_proxy_cache_key; proxy_cache_valid 200 1s; }' }
      sort keys %ways);
  my %opt = (live => 1, count => 4);
  my $top = { 'master.m3u8' => { text => "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\n{{lo/index.m3u8}}\n" } };
  my %link;
  for my $way (sort keys %ways) {
    $origin->stream($way, files => { %$top, %{media_playlist(%opt)} }, dead => $ways{$way}[1],
      versions => { 1 => media_playlist(%opt, first => 2) });
    my $master = $nginx->get(entry_uri(-path => "/$way", p => $way))->{body};
    ($link{$way}) = links_below("/$way", $master);
    like($nginx->get($link{$way} // '/none')->{body}, qr/MEDIA-SEQUENCE:0\n/, "$way: plays");
  }
  $origin->rotate($_) for sort keys %ways;
  for my $way (sort keys %ways) {
    my ($r, $end) = (undef, time + 6);
    do { $r = $nginx->get($link{$way}); sleep 0.05 } until $r->{body} =~ /MEDIA-SEQUENCE:2\n/ || time > $end;
    like($r->{body}, qr/MEDIA-SEQUENCE:2\n/, "$way: goes on in spite of its old copy");
    is(resolves_of($way), 2, 'by one more resolve');
  }
};

subtest 'rules of a location that stop nginx itself' => sub {
  my $rules = 'valid_referers 127.0.0.1; if ($invalid_referer) { return 403; }';
  my $nginx = start_relay($origin, resolver => 1, source => 'ttl 1h; cooldown 0; deadline 5s;',
    playlist => $rules, media => $rules);
  my @as = (headers => ['Referer: http://127.0.0.1/']);
  my %files = (%{media_playlist(count => 4)});
  $origin->stream('ruled', files => \%files, entry => 'lo/index.m3u8');
  my @links = find_links($nginx->get(entry_uri(p => 'ruled'), @as)->{body});
  is(scalar @links, 4, 'it opens');
  $origin->rotate('ruled')->clear;
  is($nginx->get($_, @as)->{status}, 403, "a dead link: the origin's status") for @links;
  is(resolves_of('ruled'), 1, 'the resolver is asked once: what it said is not taken for dead');
  is(asked(stream => 'ruled', generation => 1), 0, 'the origin of the fresh playlist was never asked');
  like($nginx->error_log, qr/fresh playlist.*rules/, 'which is what the log says');
};

subtest 'error_page with "="' => sub {
  my $source = 'ttl 1h; cooldown 0; deadline 5s;';
  my $nginx = start_relay($origin, resolver => 1, source => $source, server => <<"END");
location = /eq { hls_proxy_entry s; hls_proxy_base /eq; }
location /eq/ { hls_proxy_base /eq; error_page 403 404 410 = \@hls_refresh; include $params; }
END
  my %files = %{media_playlist(count => 3)};
  for my $status (403, 410) {
    my $name = "eq$status";
    my $dead = { status => $status, body => 'dead', type => 'text/plain' };
    $origin->stream($name, files => \%files, entry => 'lo/index.m3u8', dead => $dead,
      versions => { 1 => { 'lo/seg-1.ts' => { route => $dead } } });
    my @links = links_below('/eq', $nginx->get(entry_uri(-path => '/eq', p => $name))->{body});
    $origin->rotate($name);
    same_bytes($nginx->get($links[0] // '/none')->{body}, bytes_of("$name/lo/seg-0.ts"), 
      "$status: a dead link goes on");
    is($nginx->get($links[1] // '/none')->{status}, $status, "one that stays dead: the origin's status");
  }
};

subtest 'the worker that resolves is told to end' => sub {
  my $nginx = start_relay($origin, resolver => 1, workers => 2, source => 'cooldown 1m; deadline 10s;',
    server => 'location = /counters { hls_proxy_status prometheus; }');
  for my $round (1 .. 2) {
    my $name = "ended$round";
    $origin->stream($name, files => $vod, answer => { gate => $name });
    my $waits = counter($nginx, 'waits');
    my @sockets = map { send_request($nginx, entry_uri(p => $name)) } 1 .. 20;
    my $end = time + 10;
    sleep 0.01 until counter($nginx, 'waits') == $waits + 19 || time > $end;
    my ($resolve) = $origin->wait_for_resolves($name, 1);
    my ($pid) = process_of_port($resolve->{peer} // 0, $nginx->workers);
    ok($pid, 'found the worker that resolves') or next;
    $origin->update($name, answer => {});
    kill TERM => $pid;
    my %got;
    ++$got{(HlsTest::Client::read_all($_))[0] =~ m{^HTTP/1\.1 (\d+)} ? $1 : 'nothing'} for @sockets;
    is(join(' ', grep { !/^(?:200|nothing)$/ } sort keys %got), '',
      'its clients lose their connections, the others have their answer');
    cmp_ok(resolves_of($name), '<=', 2, 'of one more resolve');
    is($nginx->get(entry_uri(p => $name))->{status}, 200, 'and it plays on');
  }
};

# The process that has the connection whose local port this is.
sub process_of_port {
  my ($at, @pids) = @_;
  open my $file, '<', '/proc/net/tcp' or return;
  my ($inode) = map { (split)[9] }
    grep { (split)[1] =~ /:(\w+)$/ && hex $1 == $at && (split)[3] eq '01' } <$file>;
  return unless defined $inode;
  return grep {
    grep { (readlink $_ // '') eq "socket:[$inode]" } glob "/proc/$_/fd/*"
  } @pids;
}

finish();
