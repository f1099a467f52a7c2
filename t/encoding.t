use strict;
use warnings;
use lib 't/lib';
use Compress::Zlib qw(compress memGunzip);
use IO::Compress::Gzip qw(gzip);
use IO::Compress::RawDeflate qw(rawdeflate);
use Test::More;
use HlsTest;

# Content codings of origins that compress although identity was asked for, and nginx's own gzip.

my $origin = HlsTest::Origin->start;
my $nginx = start_relay($origin, server => 'location = /zipped { hls_proxy_entry s; }',
                        playlist => 'gzip on; gzip_min_length 0; gzip_types application/vnd.apple.mpegurl;');
my $type = 'application/vnd.apple.mpegurl';
my $template = "#EXTM3U\n#EXT-X-TARGETDURATION:4\n" . join '',
  map { "#EXTINF:4.0,number $_ " . 'x' x ($_ % 50) . "\n[[seg-$_.ts?t=$_ -> /live/seg-$_.ts?t=$_]]\n" } 1 .. 300;

sub gzipped { my ($bytes) = @_; gzip(\$bytes => \my $out) or die; return $out }
sub raw_deflated { my ($bytes) = @_; rawdeflate(\$bytes => \my $out) or die; return $out }

# RFC 7932: a window of 16 bits, uncompressed meta-blocks, an empty last one. Made by hand: no tool needed.
sub brotli_stored {
  my ($bytes) = @_;
  my ($out, $first) = ('', 1);
  while (length $bytes) {
    my $block = substr $bytes, 0, 60_000, '';
    my $bits = (length($block) - 1) << 3 | 1 << 19;            # ISLAST 0, MNIBBLES 4, MLEN-1, ISUNCOMPRESSED 1
    $bits <<= 1 if $first;                                     # WBITS 16 is one zero bit
    $first = 0;
    $out .= substr(pack('V', $bits), 0, 3) . $block;
  }
  return $out . "\x03";                                        # ISLAST, ISLASTEMPTY
}

sub brotli_by_node {
  my ($bytes) = @_;
  open my $file, '>:raw', "$nginx->{prefix}/plain" or die;
  print {$file} $bytes;
  close $file;
  return scalar qx{node -e 'process.stdout.write(require("zlib").brotliCompressSync(require("fs").readFileSync(process.argv[1])))' $nginx->{prefix}/plain};
}

my %coding = (gzip => \&gzipped, 'x-gzip' => \&gzipped, GZIP => \&gzipped, deflate => sub { compress($_[0]) },
              'deflate (raw)' => \&raw_deflated, br => \&brotli_stored);
$coding{'br (compressed)'} = \&brotli_by_node if `node --version 2>/dev/null` =~ /^v/;
for my $coding (sort keys %coding) {
  my ($header) = $coding =~ /^(\S+)/;
  my $r = check_rewrite($nginx, $origin, 'zip.m3u8', $template, -encode => $coding{$coding}, -follow => 0,
                        headers => ["Content-Encoding: $header"], -label => $coding);
  is($r->header('Content-Encoding'), undef, "$coding: goes out plain");
  check_rewrite($nginx, $origin, 'zip1.m3u8', $template, -encode => $coding{$coding}, -follow => 0,
    framing => 'chunked',
                chunk_size => 1, write_size => 7, headers => ["Content-Encoding: $header"],
                -label => "$coding in chunks of one byte");
}
check_rewrite($nginx, $origin, 'two.m3u8', $template, -follow => 0, headers => ['Content-Encoding: gzip'],
              -label => 'two gzip members',
              -encode => sub { gzipped(substr $_[0], 0, 1000) . gzipped(substr $_[0], 1000) });
check_rewrite($nginx, $origin, 'id.m3u8', $template, -follow => 0, headers => ['Content-Encoding: identity'],
  -label => 'identity');

my ($source) = $template =~ s/\[\[(.*?) -> .*?\]\]/$1/gr;
my $entry = entry_uri(p => 'bad.m3u8');

for my $case (['an unknown coding', 'zstd', $source], ['gzip twice', 'gzip, gzip', gzipped(gzipped($source))],
              ['plain text declared as gzip', 'gzip', $source], ['plain text declared as br', 'br', $source],
              ['damaged gzip', 'gzip', substr(gzipped($source), 0, 12) . "\xff" x 200]) {
  my ($what, $header, $body) = @$case;
  $origin->set('/live/bad.m3u8', type => $type, headers => ["Content-Encoding: $header"], body => $body);
  my $r = $nginx->get($entry);
  is($r->{status}, 502, "$what: 502");
  unlike($r->{body}, qr/seg-\d+\.ts/, "$what: nothing of the playlist");
}

subtest 'a compressed playlist that ends too early' => sub {
  for my $case (['gzip', gzipped($source)], ['br', brotli_stored($source)]) {
    my ($header, $body) = @$case;
    $origin->set('/live/bad.m3u8', type => $type, headers => ["Content-Encoding: $header"],
                 body => substr($body, 0, length($body) - 20));
    my $r = $nginx->get($entry);
    ok($r->{status} == 502 || ($r->{status} == 200 && !$r->{complete}), "$header: 502 or no clean end")
      or diag("$r->{status}, complete: $r->{complete}");
  }
};

subtest 'a bomb' => sub {
  my $bomb = gzipped("#EXTM3U\n#" . "\0" x 60_000_000);
  $origin->set('/live/bad.m3u8', type => $type, headers => ['Content-Encoding: gzip'], body => $bomb);
  my $before = $nginx->memory_kb('VmHWM');
  my $r = $nginx->get($entry);
  ok($r->{status} == 502 || !$r->{complete}, 'over hls_proxy_max_playlist when unpacked: no clean end');
  cmp_ok($nginx->memory_kb('VmHWM') - $before, '<', 4096, 'kB of memory more');
};

subtest 'segments pass with their coding' => sub {
  $origin->set('/live/one.m3u8', type => $type, body => "#EXTM3U\n#EXTINF:1,\nsub.vtt\n");
  my $vtt = gzipped("WEBVTT\n\n00:00.000 --> 00:01.000\nhello\n");
  $origin->set('/live/sub.vtt', type => 'text/vtt', headers => ['Content-Encoding: gzip'], body => $vtt);
  my $r = $nginx->get(first_link($nginx, entry_uri(p => 'one.m3u8')));
  is($r->{status}, 200, 'status');
  if (defined $r->header('Content-Encoding')) { same_bytes($r->{body}, $vtt, 'compressed, and declared so') }
  else { like($r->{body}, qr/^WEBVTT/, 'or plain') }
};

subtest 'a compressed playlist behind a media link' => sub {
  $origin->set('/live/one.m3u8', type => $type, body => "#EXTM3U\n#EXTINF:1,\ninner.ts\n");
  $origin->set('/live/inner.ts', type => 'video/mp2t', headers => ['Content-Encoding: gzip'],
               body => gzipped("#EXTM3U\n#EXTINF:1,\nhttp://127.0.0.2/leak.ts\n"));
  my $r = $nginx->get(first_link($nginx, entry_uri(p => 'one.m3u8')));
  is($r->{status}, 200, 'status');
  is($r->header('Content-Encoding'), undef, 'goes out plain');
  like($r->{body}, qr{^#EXTM3U\n#EXTINF:1,\n/hls/media/}, 'rewritten');
};

subtest 'nginx compresses for the client' => sub {
  $origin->set('/live/zip.m3u8', type => $type, headers => ['Content-Encoding: gzip'],
    body => gzipped($source));
  my $plain = $nginx->get(entry_uri(p => 'zip.m3u8'));
  my $r = $nginx->get(entry_uri(p => 'zip.m3u8'), headers => ['Accept-Encoding: gzip']);
  is($r->header('Content-Encoding'), 'gzip', 'gzip');
  ok($r->{complete}, 'clean end');
  same_bytes(memGunzip($r->{body}) // '', $plain->{body}, 'the same playlist');
};

finish();
