package HlsTest::Client;

# A client that sends the bytes it is given and keeps the bytes it gets.

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use Socket qw(SOL_SOCKET SO_RCVBUF);
use Time::HiRes qw(time);

our $DEADLINE = 15;   # seconds for one exchange

# Connects; `rcvbuf` bytes of socket buffer (before connecting, or it has no effect).
sub connect_to {
  my ($port, %opt) = @_;
  my $socket = IO::Socket::INET->new(Proto => 'tcp', Type => Socket::SOCK_STREAM()) or die "socket: $!";
  setsockopt $socket, SOL_SOCKET, SO_RCVBUF, $opt{rcvbuf} if $opt{rcvbuf};
  connect $socket, Socket::pack_sockaddr_in($port,
    Socket::inet_aton('127.0.0.1')) or die "connect to $port: $!";
  binmode $socket;
  return $socket;
}

sub send_all {
  my ($socket, $bytes) = @_;
  local $SIG{PIPE} = 'IGNORE';
  my ($sent, $end) = (0, time + $DEADLINE);
  $socket->blocking(0);
  my $select = IO::Select->new($socket);
  while ($sent < length $bytes && time < $end) {
    next unless $select->can_write($end - time);
    my $n = syswrite $socket, $bytes, length($bytes) - $sent, $sent;
    last if !defined $n && !$!{EAGAIN};
    $sent += $n // 0;
  }
  return $sent == length $bytes;
}

# Everything until the server closes, the deadline, or `until` (a sub that sees the bytes so far) says
# stop. `piece` and `pause` make a slow reader.
sub read_all {
  my ($socket, %opt) = @_;
  my ($bytes, $end) = ('', time + ($opt{deadline} // $DEADLINE));
  my $select = IO::Select->new($socket);
  $socket->blocking(0);
  while (1) {
    return ($bytes, 'stopped') if $opt{until} && $opt{until}->($bytes);
    my $left = $end - time;
    return ($bytes, 'deadline') if $left <= 0 || !$select->can_read($left);
    my $n = sysread $socket, $bytes, $opt{piece} // 65536, length $bytes;
    next if !defined $n && $!{EAGAIN};
    return ($bytes, 'reset') unless defined $n;
    return ($bytes, 'closed') unless $n;
    Time::HiRes::sleep($opt{pause}) if $opt{pause};
  }
}

# Sends bytes as they are, returns all that comes back until the server closes.
sub raw_exchange {
  my ($port, $bytes, %opt) = @_;
  my $socket = connect_to($port, %opt);
  send_all($socket, $bytes);
  my ($answer, $how) = read_all($socket, %opt);
  close $socket;
  return wantarray ? ($answer, $how) : $answer;
}

sub request_bytes {
  my ($port, $target, %opt) = @_;
  my $method = $opt{method} // 'GET';
  my @headers = @{$opt{headers} // []};
  unshift @headers, "Host: 127.0.0.1:$port" unless grep { /^host:/i } @headers;
  push @headers, 'Connection: close' unless grep { /^connection:/i } @headers;
  push @headers, 'Content-Length: ' . length $opt{body} if defined $opt{body};
  my $version = $opt{version} // 'HTTP/1.1';
  return join("\r\n", "$method $target $version", @headers, '', '') . ($opt{body} // '');
}

sub request {
  my ($port, $target, %opt) = @_;
  $target =~ s{^http://[^/]+}{};   # absolute links: the path alone goes into the request line
  my ($raw, $how) = raw_exchange($port, request_bytes($port, $target, %opt), %opt);
  return parse_response($raw, $how, $opt{method} // 'GET');
}

# { status, reason, headers => [[name, value]...], body (chunks joined), raw, head, complete, how }.
# complete: the framing says that the body is whole; never for one that ends by closing the connection.
sub parse_response {
  my ($raw, $how, $method) = @_;
  my %r = (raw => $raw, how => $how, status => 0, reason => '', headers => [], body => '', complete => 0,
           head => '', rest => '');
  my $r = bless \%r, 'HlsTest::Response';
  my $head_end = index $raw, "\r\n\r\n";
  return $r if $head_end < 0;
  $r{head} = substr $raw, 0, $head_end;
  my ($line, @lines) = split /\r\n/, $r{head};
  @r{qw(status reason)} = ($1, $2) if $line =~ m{^HTTP/1\.[01] (\d{3}) ?(.*)$};
  $r{headers} = [map { my ($n, $v) = split /:\s*/, $_, 2; [$n, $v // ''] } @lines];
  my $body = substr $raw, $head_end + 4;
  my $length = $r->header('Content-Length');

  if ($method eq 'HEAD' || $r{status} == 304 || $r{status} == 204) {
    @r{qw(complete rest)} = (1, $body);
  } elsif (lc($r->header('Transfer-Encoding') // '') eq 'chunked') {
    @r{qw(body complete rest)} = unchunk($body);
  } elsif (defined $length) {
    @r{qw(body complete rest)} =
      (substr($body, 0, $length), length $body >= $length ? 1 : 0,
       length $body > $length ? substr($body, $length) : '');
  } else {
    $r{body} = $body;
  }
  return $r;
}

# The body of chunked framing, whether its last chunk is there, and what comes after it.
sub unchunk {
  my ($raw) = @_;
  my ($body, $pos) = ('', 0);
  while (1) {
    my $line_end = index $raw, "\r\n", $pos;
    return ($body, 0, '') if $line_end < 0;
    my $line = substr $raw, $pos, $line_end - $pos;
    return ($body, 0, '') unless $line =~ /^([0-9A-Fa-f]+)\s*(?:;.*)?$/;
    my $size = hex $1;
    $pos = $line_end + 2;
    if ($size == 0) {
      return substr($raw, $pos, 2) eq "\r\n" ? ($body, 1, substr $raw, $pos + 2) : ($body, 0, '');
    }
    $body .= substr $raw, $pos, $size;
    return ($body, 0, '') if length $raw < $pos + $size + 2;
    $pos += $size + 2;
  }
}

package HlsTest::Response;

# The one value of a header, undef where it is absent; several are joined as in a list.
sub header {
  my ($self, $name) = @_;
  my @values = map { $_->[1] } grep { lc $_->[0] eq lc $name } @{$self->{headers}};
  return @values ? join(', ', @values) : undef;
}

1;
