use strict;
use warnings;
use lib 't/lib';
use File::Temp ();
use Test::More;
use HlsTest;

# Secrets, signatures and upstream tokens stay out of the error log, whatever goes wrong; bad links are
# no more than "info", or anybody could fill the log of errors.

my $origin = HlsTest::Origin->start;
my $port = $origin->port;
my $type = 'application/vnd.apple.mpegurl';
my $dir = File::Temp->newdir;
$ENV{HLS_PARAMS} = "$dir/hls_proxy_params" if quick_params("$dir/hls_proxy_params");
my $nginx = start_relay($origin, log_level => 'info', source => "header Cookie session=UPSTREAMTOKEN;",
  url => "http://127.0.0.1:$port/live/\$p?token=UPSTREAMTOKEN",
  http => "hls_proxy_source dead { key p; entry /dead; url http://127.0.0.1:" . HlsTest::Nginx::free_port() . "/\$p?token=UPSTREAMTOKEN; }",
  server => 'location = /closed { deny all; hls_proxy_entry s; } location = /dead { hls_proxy_entry dead; } location = /key { hls_proxy_entry s; hls_proxy_auth apikey; } hls_proxy_api_key APIKEY-0123456789;');

# hls_proxy_params with a timeout that a test can wait for.
sub quick_params {
  my ($to) = @_;
  open my $in, '<', HlsTest::Nginx->params_file or die;
  open my $out, '>', $to or die;
  while (my $line = <$in>) { $line =~ s/^(proxy_read_timeout\s+)\S+/${1}1s;/; print {$out} $line }
  return close $out;
}

$origin->set('/live/index.m3u8', type => $type,
  body => "#EXTM3U\n#EXTINF:4,\nseg.ts?token=UPSTREAMTOKEN\n#EXTINF:4,\ngone.ts?token=UPSTREAMTOKEN\n");
$origin->file('/live/seg.ts', media_bytes(100_000));
my $entry = entry_uri(p => 'index.m3u8');
my ($seg, $gone) = find_links($nginx->get($entry)->{body});
my @secret = ('UPSTREAMTOKEN', 'APIKEY', $SECRET);
push @secret, $_ =~ /[?&](?:sig|u)=([^&]{16,})/g for $seg, $gone, $entry;

# What the log gained since the last call.
my $seen = 0;
sub news {
  my $log = $nginx->error_log;
  my $text = substr $log, $seen;
  $seen = length $log;
  return $text;
}
sub clean {
  my ($text, $what) = @_;
  my @found = grep { index($text, $_) >= 0 } @secret;
  is("@found", '', "$what: nothing secret") or diag($text);
}
news();

subtest "what nginx itself refuses before us" => sub {
  is($nginx->get('/closed?p=x&sig=UPSTREAMTOKEN')->{status}, 403, 'by an access rule');
  is($nginx->get($seg, headers => ['Content-Length: 99999999'])->{status}, 413, 'by the size of a body');
  my $log = news();
  is(() = $log =~ /\[error\]/g, 2, 'two lines');
  clean($log, 'in them');
};

subtest 'bad links and entries' => sub {
  my %bad = ('a changed signature' => $seg =~ s/sig=(.)/'sig=' . ($1 eq 'A' ? 'B' : 'A')/er,
             'a changed name' => $seg =~ s/seg\.ts/sig.ts/r,
               'malformed' => '/hls/media/AAAA/x.ts?u=UPSTREAMTOKEN&exp=1&sig=UPSTREAMTOKEN',
             'no arguments' => '/hls/playlist/x/y.m3u8', 'a bad entry' => $entry . '0',
               'an entry of another' => '/entry?p=x&sig=' . 'a' x 64,
             'a bad API key' => '/key?p=index.m3u8&sig=UPSTREAMTOKEN');
  for my $what (sort keys %bad) {
    my $uri = $bad{$what};
    push @secret, $uri =~ /[?&]sig=([^&]{16,})/g;
    my $r = $nginx->get($uri, headers => ['X-Api-Key: APIKEY-wrong']);
    like($r->{status}, qr/^40[03]$/, $what);
    my $log = news();
    my @lines = grep { /hls_proxy/ } split /\n/, $log;
    is(scalar @lines, 1, "$what: one line of ours");
    like($lines[0] // '', qr/ \[info\] /, "$what: at info");
    unlike($log, qr/\[(warn|error|crit|alert|emerg)\]/, "$what: nothing above");
    clean($log, $what);
  }
  is($nginx->get('/key?p=index.m3u8', headers => ['X-Api-Key: APIKEY-0123456789'])->{status}, 200,
    'a good API key');
  clean(news(), 'a good API key');
};

subtest 'an expired link' => sub {
  my $uri = entry_uri(p => 'index.m3u8', until => time + 1);
  my ($link) = find_links($nginx->get($uri)->{body});
  push @secret, $link =~ /[?&](?:sig|u)=([^&]{16,})/g;
  my ($end) = $link =~ /end=(\d+)/;
  select undef, undef, undef, 0.05 while time <= $end;
  news();
  is($nginx->get($link)->{status}, 410, 'a link');
  is($nginx->get($uri)->{status}, 410, 'an entry');
  my $log = news();
  unlike($log, qr/\[(warn|error|crit|alert|emerg)\]/, 'no more than info');
  clean($log, 'expired');
};

subtest 'origins that fail' => sub {
  my $long = "#EXTM3U\n" . join '', map { "#EXTINF:4,\nx-$_.ts?token=UPSTREAMTOKEN\n" } 1 .. 3000;
  my %fail = ('closes at once' => { silent => 1 }, 'talks nonsense' => { raw => "nonsense\r\n\r\n" },
              'closes mid-body' => { type => $type, body => $long, cut => 100_000 },
              'sends a huge header' => { raw => "HTTP/1.1 200 OK\r\nX: " . 'x' x 100_000 . "\r\n\r\n" },
              'sends a bad header' => { raw => "HTTP/1.1 200 OK\r\nLocation UPSTREAMTOKEN\r\n\r\n" },
              'answers 404' => { status => 404, type => 'text/plain', body => 'no' },
              'sends HTML' => { type => 'text/html', body => '<html>UPSTREAMTOKEN</html>' },
              'sends a broken playlist' => { type => $type,
                body => "#EXTM3U\n#EXT-X-MAP:URI=\"x?token=UPSTREAMTOKEN\n" },
              'sends a playlist that breaks late' => { type => $type,
                body => "$long#EXT-X-MAP:URI=\"x?token=UPSTREAMTOKEN\n" },
              'sends an unknown coding' => { type => $type, headers => ['Content-Encoding: UPSTREAMTOKEN'],
                body => 'x' },
              'redirects' => { status => 302,
                headers => ["Location: http://127.0.0.2/?token=UPSTREAMTOKEN"] },
              'redirects badly' => { status => 302, headers => ["Location: javascript:UPSTREAMTOKEN"] },
              'is too slow' => { type => $type, body => $long, gate => 'never' });
  for my $what (sort keys %fail) {
    $origin->set('/live/index.m3u8', %{$fail{$what}});
    my $r = $nginx->get($entry);
    ok($r->{status} != 200 || !$r->{complete}, "$what ($r->{status})");
    clean(news(), $what);
  }
  like($nginx->get(entry_uri(-path => '/dead', p => 'x.m3u8'))->{status}, qr/^50[24]$/, 'does not listen');
  my $log = news();
  like($log, qr/\[error\]/, 'which is an error');
  clean($log, 'does not listen');
  $origin->set('/live/seg.ts', type => 'video/mp2t', body => media_bytes(100_000), cut => 50_000);
  $nginx->get($_) for $seg, $gone;
  clean(news(), 'media');
};

subtest 'a line tells what is wrong' => sub {
  $origin->set('/live/index.m3u8', type => $type, body => "#EXTM3U\n#EXTINF:4,\nok.ts\n#EXT-X-MAP:URI=\"x\n");
  $nginx->get($entry);
  my ($line) = grep { /hls_proxy/ && /\[(?:warn|error)\]/ } split /\n/, news();
  like($line // '', qr/quote/, 'the reason');
  like($line // '', qr/line 4/, 'the line of the playlist');
  like($line // '', qr/client: 127\.0\.0\.1/, 'the client');
};

subtest 'clients that go away' => sub {
  $origin->file('/live/seg.ts', media_bytes(3_000_000));
  $nginx->get($seg, rcvbuf => 4096, until => sub { length $_[0] > 5000 }) for 1 .. 2;
  is($nginx->get($seg, headers => ['Range: bytes=0-0'])->{status}, 206, 'the worker serves on');
  clean(news(), 'gone');
};

$nginx->stop;
clean($nginx->error_log . $nginx->read_file('logs/output'), 'the whole log');
finish();
