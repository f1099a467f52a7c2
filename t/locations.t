use strict;
use warnings;
use lib 't/lib';
use Test::More;
use HlsTest;

# What operators put into and around link locations.

my $origin = HlsTest::Origin->start;
my $port = $origin->port;
my $type = 'application/vnd.apple.mpegurl';
my $text = "#EXTM3U\n" . join '', map { "#EXTINF:4,\nseg-$_.ts?t=$_\n" } 1 .. 200;
$origin->set('/live/index.m3u8', type => $type, body => $text);
$origin->file('/live/seg-1.ts', media_bytes(500));
my $entry = entry_uri(p => 'index.m3u8');

# Who asks is seen by auth_request as the client sent it, and by the origin not at all.
subtest 'auth_request' => sub {
  my $nginx = start_relay($origin, source => 'header Cookie stream=1; header Referer https://site.example/;',
    playlist => 'auth_request /auth;', media => 'auth_request /auth;',
    server => "location = /auth { internal; proxy_pass http://127.0.0.1:$port/auth; }");
  $origin->set('/auth', body => 'ok');
  $origin->clear;
  my $link = first_link($nginx, $entry);
  is($nginx->get($link, headers => ['Cookie: client=1', 'Referer: http://page.example/'])->{status}, 200, 'let in');
  my ($asked) = grep { $_->{path} eq '/auth' && $_->{head} =~ /client=1/ } $origin->requests;
  ok($asked, "the client's cookie is asked about");
  unlike($asked->{head}, qr/stream=1|site\.example/, "the stream's headers are not told");
  my ($segment) = grep { $_->{path} eq '/live/seg-1.ts' } $origin->requests;
  like($segment->{head}, qr/^Cookie: stream=1\r?$/m, 'the origin gets those of the stream');
  unlike($segment->{head}, qr/client=1|page\.example/, 'and none of the client');
  $origin->set('/auth', status => 401, body => 'no');
  is($nginx->get($link)->{status}, 401, 'kept out');
};

subtest 'proxy_buffering off' => sub {
  my $nginx = start_relay($origin, playlist => 'proxy_buffering off;', media => 'proxy_buffering off;');
  for my $at (0, 10, 1000) {
    $origin->set('/live/index.m3u8', type => $type, body => $text, gate => "g$at", gate_at => $at);
    my $pid = fork // die;
    if (!$pid) {   # lets the rest go when the relay has the first part
      select undef, undef, undef, 0.2;
      $origin->release("g$at");
      require POSIX;
      POSIX::_exit(0);
    }
    my $r = $nginx->get($entry);
    waitpid $pid, 0;
    is($r->{status}, 200, "in two pieces, $at bytes first");
    ok($r->{complete}, 'whole');
    is(scalar(my @links = find_links($r->{body})), 200, 'all links');
  }
  $origin->set('/live/index.m3u8', type => $type, body => $text, cut => 3000);
  is($nginx->get($entry)->{status}, 502, 'one that breaks off: 502');
  $origin->set('/live/index.m3u8', type => $type, body => $text);
};

subtest 'HTTP/1.0 clients, who know the end by the connection' => sub {
  my $nginx = start_relay($origin);
  my $long = "#EXTM3U\n" . join '', map { "#EXTINF:4,\nseg-$_.ts?t=$_\n" } 1 .. 2000;
  $origin->set('/live/long.m3u8', type => $type, body => $long);
  my $uri = entry_uri(p => 'long.m3u8');
  my $r = $nginx->get($uri, version => 'HTTP/1.0');
  is($r->{status}, 200, 'a whole playlist');
  is(scalar(my @links = find_links($r->{body})), 2000, 'all of it');
  $origin->set('/live/long.m3u8', type => $type, body => $long, cut => length($long) - 100);
  my ($answer, $how) = $nginx->raw(HlsTest::Client::request_bytes($nginx->{port}, $uri, version => 'HTTP/1.0'));
  is($how, 'reset', 'one that the origin breaks off does not end as a whole one does');
};

subtest 'hls_proxy on for a whole server' => sub {
  my $nginx = start_relay($origin, server => "hls_proxy on;");
  is($nginx->get($entry)->{status}, 200, 'an entry is an entry');
};

subtest 'hls_proxy on without proxy_pass' => sub {
  my $nginx = start_relay($origin, server => <<'END');
location /other/ { hls_proxy on; hls_proxy_base /other; }
location = /e { hls_proxy_base /other; hls_proxy_entry s; hls_proxy_auth none; }
END
  is($nginx->get('/e?p=index.m3u8')->{status}, 500, 'no file of the server is shown');
  like($nginx->error_log, qr/without proxy_pass: include hls_proxy_params/, 'and the log says what to do');
};

finish();
