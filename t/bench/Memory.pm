package Memory;

# What a slow reader of a large playlist costs the worker.

use strict;
use warnings;

use Time::HiRes qw(sleep time);

use HlsTest::Client;

use constant CLIENTS => 200;
use constant PIECE => 4096;          # bytes a client reads at a time
use constant READ => 512 * 1024;     # bytes after which it has seen enough

# Growth of the worker's memory per connection, in bytes, at its peak. The server's socket buffers are
# small (`listen ... sndbuf`), or the kernel would hold the whole answer.
sub per_connection {
  my ($relay, $port, $target) = @_;
  HlsTest::Client::request($port, $target);   # what the first request of a worker costs is not counted
  my $before = $relay->memory;
  my @clients = map { ask($port, $target) } 1 .. CLIENTS;
  my ($peak, $read) = ($before, 0);
  my $end = time + 240;
  while ($read < READ) {
    for my $client (@clients) {
      $client->blocking(1);
      my $n = sysread $client, my $bytes, PIECE;
      die "a slow reader was broken off after $read bytes\n" unless $n;
      die "not a 200: $bytes\n" if !$read && $bytes !~ m{^HTTP/1\.1 200 };
    }
    $read += PIECE;
    my $now = $relay->memory;
    $peak = $now if $now > $peak;
    die "the slow readers take too long\n" if time > $end;
  }
  close $_ for @clients;
  return ($peak - $before) / CLIENTS;
}

sub ask {
  my ($port, $target) = @_;
  my $socket = HlsTest::Client::connect_to($port, rcvbuf => 8192);
  HlsTest::Client::send_all($socket, HlsTest::Client::request_bytes($port, $target));
  return $socket;
}

1;
