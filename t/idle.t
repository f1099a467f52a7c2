use strict;
use warnings;
use lib 't/lib';
use Compress::Zlib ();
use IO::Compress::Gzip qw(gzip);
use Test::More;
use HlsTest;

# With the module loaded but idle, other sites of the same nginx behave byte for byte as without it:
# the same configuration and the same requests, with and without load_module, and with a relay in
# another server beside it.

my $origin = HlsTest::Origin->start;
my $port = $origin->port;
my $text = join '', map { "line $_ of a text that says example and compresses well\n" } 1 .. 2000;
$origin->file('/text', $text, type => 'text/html', headers => ['Set-Cookie: a=1', 'X-Accel-Limit-Rate: 0',
  'Link: </x>; rel=next']);
$origin->set('/chunked', type => 'text/html', body => $text, framing => 'chunked', chunk_size => 777);
$origin->set('/close', type => 'text/plain', body => $text, framing => 'close');
$origin->set('/list.m3u8', type => 'application/vnd.apple.mpegurl',
  body => "#EXTM3U\n#EXTINF:4,\nhttp://127.0.0.1/x.ts\n",
             headers => ['ETag: "l"', 'Accept-Ranges: bytes']);
$origin->set('/moved', status => 302, headers => ["Location: http://127.0.0.1:$port/text"], body => '');
$origin->set('/gone', status => 404, type => 'text/html', body => '<html>gone</html>');
$origin->set('/accel', headers => ['X-Accel-Redirect: /static.txt'], body => '');
$origin->set('/cut', type => 'text/html', body => $text, cut => 5000);
gzip(\$text => \my $zipped, -Time => 0);
$origin->set('/zipped', type => 'text/html', headers => ['Content-Encoding: gzip'], body => $zipped);
$origin->set('/post', type => 'text/plain', body => 'posted');

my $site = <<"END";
proxy_http_version 1.1; proxy_set_header Connection "";
location /plain/ { proxy_pass http://127.0.0.1:$port/; }
location /unbuffered/ { proxy_pass http://127.0.0.1:$port/; proxy_buffering off; }
location /gzip/ { proxy_pass http://127.0.0.1:$port/; gzip on; gzip_types *; gzip_proxied any; gzip_min_length 1; }
location /gunzip/ { proxy_pass http://127.0.0.1:$port/; gunzip on; }
location /sub/ { proxy_pass http://127.0.0.1:$port/; sub_filter example EXAMPLE; sub_filter_once off; sub_filter_types *; }
location /gunsub/ { proxy_pass http://127.0.0.1:$port/; gunzip on; sub_filter example EXAMPLE; sub_filter_once off; }
location /cached/ { proxy_pass http://127.0.0.1:$port/; proxy_cache c; proxy_cache_valid 200 1m; proxy_cache_valid 404 1m;
                    proxy_ignore_headers Set-Cookie; add_header X-Cache \$upstream_cache_status; }
location /slice/ { proxy_pass http://127.0.0.1:$port/; slice 10k; proxy_cache c; proxy_cache_key \$uri\$slice_range;
                   proxy_set_header Range \$slice_range; proxy_cache_valid 206 1m; proxy_ignore_headers Set-Cookie; }
location /added/ { proxy_pass http://127.0.0.1:$port/; add_before_body /plain/list.m3u8; add_after_body /static.txt; }
location /guarded/ { auth_request /allow; proxy_pass http://127.0.0.1:$port/; }
location = /allow { internal; proxy_pass http://127.0.0.1:$port/list.m3u8; proxy_pass_request_body off; proxy_set_header Content-Length ""; }
location /intercepted/ { proxy_pass http://127.0.0.1:$port/; proxy_intercept_errors on; error_page 404 = /static.txt; error_page 302 = \@follow; }
location \@follow { proxy_pass http://127.0.0.1:$port; }
location = /page.shtml { ssi on; }
location = /static.txt { }
location = /empty { return 204; }
location = /range.bin { add_header X-A b; expires 1h; }
location /variables { add_header X-Vars "\$request_uri|\$upstream_status|\$sent_http_content_type"; return 200 ok; }
END
my $http = 'proxy_cache_path %PREFIX%/temp/cache keys_zone=c:1m;';

my @requests;
for my $base (qw(/plain /unbuffered /gzip /gunzip /sub /gunsub /cached /slice /added /guarded /intercepted)) {
  for my $path (qw(/text /chunked /close /list.m3u8 /moved /gone /accel /zipped)) {
    push @requests, ["$base$path", $_] for {}, { headers => ['Range: bytes=100-299'] },
      { headers => ['Accept-Encoding: gzip'] };
  }
  push @requests, ["$base/text", $_] for { method => 'HEAD' }, { version => 'HTTP/1.0' },
    { headers => ['Range: bytes=0-9,100-109,-5'] },
      { headers => ['If-None-Match: "v1-' . length($text) . '"'] },
    { headers => ['If-Modified-Since: Tue, 03 Feb 2026 04:05:06 GMT'] },
    { headers => ['Range: bytes=0-9', 'If-Range: "other"'] }, { headers => ['Range: bytes=999999999-'] },
    { headers => ['Cookie: a=1', 'Authorization: Basic eDp5', 'X-Own: 1', 'Accept: */*', 'TE: trailers'] };
  push @requests, ["$base/post", { method => 'POST', body => 'a=1&b=2' }], ["$base/text", {}], ["$base/cut",
    {}];
}
push @requests, map { [$_,
  {}] } qw(/page.shtml /static.txt /empty /range.bin /variables?a=1 /nothing/here /hls/media/x/y.ts);
push @requests, ['/range.bin', { headers => ["Range: bytes=$_"] }] for ('0-0', '5-9,20-29', '-7', '99999-');

# What depends on the clock, the port, or on how many bytes a read() happened to give (where chunks end,
# where gzip flushes) is evened out; all else is compared as it came.
sub normalize {
  my ($raw, $how, $method, $port) = @_;
  my $r = HlsTest::Client::parse_response($raw, $how, $method);
  return $raw unless $r->{status};
  my $body = $r->{body};
  $body = Compress::Zlib::memGunzip($body) // $body if ($r->header('Content-Encoding') // '') eq 'gzip';
  my $text = "$r->{head}\r\n\r\n$body\n[complete: $r->{complete}, rest: $r->{rest}, $how]";
  $text =~ s/^(Date|Expires): .*?\r\n/$1: x\r\n/mg;
  $text =~ s/\b0{3,}\d{5,}\b/<boundary>/g;
  $text =~ s/127\.0\.0\.1:$port/<here>/g;
  return $text;
}

sub run {
  my ($label, %opt) = @_;
  my $nginx = HlsTest::Nginx->new(http => $http . ($opt{http} // ''), server => $site,
    module => $opt{module});
  $nginx->write_file('html/static.txt', "static\n" x 100);
  $nginx->write_file('html/range.bin', media_bytes(1000));
  $nginx->write_file('html/page.shtml',
    "<p>\n<!--#include virtual=\"/plain/list.m3u8\" -->\n<!--#include virtual=\"/gunzip/zipped\" -->\n"
                     . "<!--#include virtual=\"/plain/gone\" -->\n</p>\n");
  utime 1_700_000_000, 1_700_000_000, map { "$nginx->{prefix}/html/$_" } qw(static.txt range.bin page.shtml);
  $nginx->start;
  my (@answers, @upstream);
  for my $request (@requests) {
    $origin->clear;
    my ($raw, $how) = HlsTest::Client::raw_exchange($nginx->{port},
      HlsTest::Client::request_bytes($nginx->{port}, $request->[0], %{$request->[1]}));
    push @answers, normalize($raw, $how, $request->[1]{method} // 'GET', $nginx->{port});
    push @upstream, join "\n",
      map { $_->{head} =~ s/127\.0\.0\.1:$nginx->{port}/<here>/gr } $origin->requests;
  }
  $nginx->stop;
  my @errors = map { s/^.*?\[(\w+)\].*?: /[$1] /r =~ s/127\.0\.0\.1:$nginx->{port}/<here>/gr =~ s/\*\d+ | while .*|request: .*//gr =~ s/\Q$nginx->{prefix}\E/<prefix>/gr }
    grep { /\[error\]/ } split /\n/, $nginx->error_log;
  return { answers => \@answers, upstream => \@upstream, errors => join("\n", @errors) };
}

my $params = HlsTest::Nginx->params_file;
my $relay_port = HlsTest::Nginx::free_port();
my $without = run('without the module', module => 0);
my %with = (
  'loaded' => run('loaded', module => 1),
  'loaded, with a relay beside it' => run('relay', module => 1, http => <<"END"),
hls_proxy_secret '$SECRET';
hls_proxy_source s { key p; entry /entry; url http://127.0.0.1:$port/\$p; header User-Agent X; header Cookie c=1; }
server { listen 127.0.0.1:$relay_port; location = /entry { hls_proxy_entry s; } location /hls/ { include $params; }
  location \@hls_refresh { hls_proxy_refresh; } }
END
);

cmp_ok(scalar(grep { m{^HTTP/1\.1 200} } @{$without->{answers}}), '>', 100, 'the plain site works');
cmp_ok(scalar(grep { m{^HTTP/1\.1 206} } @{$without->{answers}}), '>', 15, 'ranges too');
cmp_ok(scalar(grep { /EXAMPLE/ } @{$without->{answers}}), '>', 5, 'sub_filter too');
cmp_ok(scalar(grep { /Content-Encoding: gzip/ } @{$without->{answers}}), '>', 10, 'gzip too');
for my $label (sort keys %with) {
  subtest $label => sub {
    for my $i (0 .. $#requests) {
      my ($uri, $how) = @{$requests[$i]};
      my $name = join ' ', $uri, map { ref $how->{$_} ? @{$how->{$_}} : $how->{$_} } sort keys %$how;
      same_bytes($with{$label}{answers}[$i], $without->{answers}[$i], $name);
      is($with{$label}{upstream}[$i], $without->{upstream}[$i], "$name: upstream");
    }
    is($with{$label}{errors}, $without->{errors}, 'the same in the error log');
  };
}

finish();
