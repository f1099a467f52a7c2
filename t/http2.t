use strict;
use warnings;
use lib 't/lib';
use Test::More;
use HlsTest;

# Clients that speak HTTP/2, by curl.

plan(skip_all => 'no curl with HTTP/2') unless `curl -V 2>/dev/null` =~ /^Features:.*\bHTTP2\b/m;

my $origin = HlsTest::Origin->start;
my $type = 'application/vnd.apple.mpegurl';
my %conf = relay_conf($origin);
my $nginx = HlsTest::Nginx->new(%conf);
$nginx->{listen} = "listen 127.0.0.1:$nginx->{port} http2;";
$nginx->write_config;
$nginx->start;

# curl's exit status, the head and the body.
sub curl {
  my ($uri, @options) = @_;
  my $base = "$nginx->{prefix}/curl";
  unlink "$base.head", "$base.body";
  my $status = system('curl', '-s', '--max-time', '15', '--http2-prior-knowledge', '-D', "$base.head", '-o',
    "$base.body", @options,
                      "http://127.0.0.1:$nginx->{port}$uri") >> 8;
  return ($status, $nginx->read_file('curl.head'), $nginx->read_file('curl.body'));
}

my @many = ("#EXTM3U\n", "#EXTINF:4.0,a title\nhttp://leak.example/seg-#N#.ts\n", 3000);
$origin->set('/live/many.m3u8', type => $type, body => [@many, "#EXT-X-ENDLIST\n"]);
$origin->set('/live/bad.m3u8', type => $type, body => [@many, "#EXT-X-MAP:URI=\"x\n"]);
$origin->set('/live/early.m3u8', type => $type, body => "#EXTM3U\n#EXT-X-MAP:URI=\"x\n");
$origin->set('/live/one.m3u8', type => $type, body => "#EXTM3U\n#EXTINF:4,\nseg.ts\n");
my $bytes = media_bytes(500_000);
$origin->file('/live/seg.ts', $bytes, type => 'video/mp2t');

my ($status, $head, $body) = curl(entry_uri(p => 'many.m3u8'));
is($status, 0, 'a playlist: a clean end');
like($head, qr{^HTTP/2 200}, 'status');
is(() = find_links($body), 3000, 'its links');
unlike($body, qr/leak/, 'rewritten');

($status, $head, $body) = curl(entry_uri(p => 'one.m3u8'));
my ($link) = find_links($body);
($status, $head, $body) = curl($link, '-r', '1000-1999');
like($head, qr{^HTTP/2 206}, 'a range of a segment');
same_bytes($body, substr($bytes, 1000, 1000), 'its bytes');
($status, $head, $body) = curl($link);
same_bytes($body, $bytes, 'all of it');
($status, $head, $body) = curl($link, '-I');
is($status, 0, 'HEAD');
like($head, qr/^content-length: 500000\r$/mi, 'its length');
($status, $head) = curl($link =~ s/sig=./sig=-/r);
like($head, qr{^HTTP/2 403}, 'a bad link');

($status, $head, $body) = curl(entry_uri(p => 'early.m3u8'));
like($head, qr{^HTTP/2 502}, 'a playlist that breaks early: 502');
like($body, qr/quote/, 'and why');
($status, $head, $body) = curl(entry_uri(p => 'bad.m3u8'));
like($head, qr{^HTTP/2 200}, 'one that breaks late');
isnt($status, 0, 'no clean end');
isnt($status, 28, 'nor a wait for more');
($status, $head, $body) = curl(entry_uri(p => 'one.m3u8'));
is($status, 0, 'the next one is served');

finish();
