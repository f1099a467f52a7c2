package HlsTest::Origin;

# A programmable origin: a process of its own that answers each path with exactly the bytes that a test
# sets, records the requests, and can hold an answer back until it is released. It listens on
# 127.0.0.1 and 127.0.0.2 (a second host) at one port.
#
# Route options
#   status, reason, type            of the head; headers => ['Name: value', ...] more of it
#   body                            bytes, or [prefix, unit, count, suffix]: unit repeated, #N# numbered
#   framing                         length (default), chunked, close
#   chunk_size                      bytes per chunk
#   write_size                      bytes per write (each its own packet)
#   gate, gate_at                   holds back (behind gate_at body bytes, else before the head) until release()
#   cut                             closes after so many bytes of the body
#   raw                             the whole answer, instead of all the above
#   silent                          accepts the request, then closes without an answer
#   static                          answers Range, If-Range and conditions as a file server (etag, modified)
#   sequence => [{...}, ...]        the n-th request gets the n-th route, later ones the last

use strict;
use warnings;

use IO::Select;
use IO::Socket::INET;
use IO::Socket::UNIX;
use POSIX qw(WNOHANG);
use Socket qw(AF_UNIX SOCK_STREAM PF_UNSPEC IPPROTO_TCP TCP_NODELAY);
use Storable qw(freeze thaw);
use Time::HiRes qw(sleep time);

my @started;

# What a class that computes its answers overrides.
sub addresses { return '127.0.0.1', '127.0.0.2' }
sub server_class { return 'HlsTest::Origin::Server' }

sub start {
  my ($class) = @_;
  my @addresses = $class->addresses;
  my ($port, @listen);
  for (1 .. 100) {
    require HlsTest::Nginx;
    $port = HlsTest::Nginx::free_port();
    @listen = grep { $_ } map { listen_at($_, $port) } @addresses;
    last if @listen == @addresses;
  }
  die "the origin cannot listen: $!\n" unless @listen == @addresses;
  socketpair my $ours, my $theirs, AF_UNIX, SOCK_STREAM, PF_UNSPEC or die "socketpair: $!";
  my $parent = $$;
  my $pid = fork // die "fork: $!";
  if (!$pid) {
    close $ours;
    $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
    my $ok = eval { $class->server_class->new(\@listen, control => $theirs)->run; 1 };
    print STDERR "origin: $@" unless $ok;
    POSIX::_exit($ok ? 0 : 1);
  }
  close $theirs;
  close $_ for @listen;
  my $self = bless { pid => $pid, port => $port, control => $ours, parent => $parent }, $class;
  push @started, $self;
  return $self;
}

sub listen_at {
  my ($address, $port) = @_;
  return IO::Socket::INET->new(LocalAddr => $address, LocalPort => $port, Proto => 'tcp', Listen => 1024,
                               ReuseAddr => 1);
}

sub port { $_[0]{port} }

sub call {
  my ($self, @command) = @_;
  my $bytes = freeze(\@command);
  print {$self->{control}} pack('N', length $bytes), $bytes;
  $self->{control}->flush;
  my $answer = read_frame($self->{control}) // die "the origin has died\n";
  return @{thaw($answer)};
}

sub read_frame {
  my ($socket) = @_;
  my $head = read_exactly($socket, 4) // return;
  return read_exactly($socket, unpack 'N', $head);
}

sub read_exactly {
  my ($socket, $size) = @_;
  my $bytes = '';
  while (length $bytes < $size) {
    my $n = sysread $socket, $bytes, $size - length $bytes, length $bytes;
    next if !defined $n && $!{EINTR};
    return unless $n;
  }
  return $bytes;
}

sub set { my ($self, $path, %route) = @_; $self->call(set => $path, \%route); return $self }
# A static file with Range and conditional requests.
sub file {
  my ($self, $path, $body, %route) = @_;
  return $self->set($path, static => 1, etag => '"v1-' . length($body) . '"',
                    modified => 'Tue, 03 Feb 2026 04:05:06 GMT', body => $body, %route);
}
sub clear { my ($self) = @_; $self->call('clear'); return $self }
sub release { my ($self, $gate) = @_; $self->call(release => $gate); return $self }

# What was asked since clear(): [{ head, method, target, path, query, host, headers => {lc name => value} }]
sub requests {
  my ($self, $path) = @_;
  return grep { !defined $path || $_->{path} eq $path } $self->call('requests');
}

sub wait_for_requests {
  my ($self, $count, $path) = @_;
  my $end = time + 10;
  while (time < $end) {
    my @requests = $self->requests($path);
    return @requests if @requests >= $count;
    sleep 0.005;
  }
  return $self->requests($path);
}

sub stop {
  my ($self) = @_;
  my $pid = delete $self->{pid} or return;
  return if $$ != $self->{parent};
  close $self->{control};    # its end is the sign to leave
  my $end = time + 3;
  while (time < $end) {
    return if waitpid($pid, WNOHANG) == $pid;
    sleep 0.005;
  }
  kill KILL => $pid;
  waitpid $pid, 0;
}

sub stop_all { $_->stop for @started }

END {
  my $status = $?;
  stop_all();
  $? = $status;
}

package HlsTest::Origin::Server;

use IO::Select;
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Storable qw(freeze thaw);

sub new {
  my ($class, $listen, %opt) = @_;
  return bless { listen => $listen, control => $opt{control}, routes => {}, requests => [],
                 connections => {}, released => {}, counts => {} }, $class;
}

sub run {
  my ($self) = @_;
  local $SIG{PIPE} = 'IGNORE';
  while (1) {
    my %listen = map { $_ => $_ } @{$self->{listen}};
    $_->blocking(0) for values %listen;
    my $reads = IO::Select->new($self->{control}, values %listen,
                                map { $_->{socket} } values %{$self->{connections}});
    my $writes = IO::Select->new(map { $_->{socket} } grep { $self->can_send($_) } values %{$self->{connections}});
    my ($readable, $writable) = IO::Select->select($reads, $writes, undef, 60);
    for my $socket (@{$readable // []}) {
      if ($socket == $self->{control}) { $self->command or return }
      elsif ($listen{$socket}) { $self->accept($socket) }
      else { $self->receive($self->{connections}{$socket}) }
    }
    for my $socket (@{$writable // []}) {
      $self->send_some($self->{connections}{$socket}) if $self->{connections}{$socket};
    }
  }
}

sub command {
  my ($self) = @_;
  my $bytes = HlsTest::Origin::read_frame($self->{control}) // return 0;
  my ($name, @args) = @{thaw($bytes)};
  my @answer;
  if ($name eq 'set') {
    $self->{routes}{$args[0]} = $args[1];
    $self->{counts}{$args[0]} = 0;
  } elsif ($name eq 'clear') { $self->{requests} = [] }
  elsif ($name eq 'requests') { @answer = @{$self->{requests}} }
  elsif ($name eq 'release') { $self->{released}{$args[0]} = 1 }
  else { @answer = $self->extra_command($name, @args) }
  my $answer = freeze(\@answer);
  print {$self->{control}} pack('N', length $answer), $answer;
  $self->{control}->flush;
  return 1;
}

sub extra_command { my ($self, $name) = @_; die "no such command: $name\n" }

sub accept {
  my ($self, $listen) = @_;
  my $socket = $listen->accept or return;
  $socket->blocking(0);
  setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1;
  $self->{connections}{$socket} = { socket => $socket, in => '', out => [] };
}

sub drop {
  my ($self, $connection) = @_;
  delete $self->{connections}{$connection->{socket}};
  close $connection->{socket};
}

sub receive {
  my ($self, $connection) = @_;
  return unless $connection;
  my $n = sysread $connection->{socket}, $connection->{in}, 65536, length $connection->{in};
  return if !defined $n && $!{EAGAIN};
  return $self->drop($connection) unless $n;
  while ($connection->{in} =~ s/^(.*?\r\n)\r\n//s) { $self->answer($connection, $1) }
}

sub can_send {
  my ($self, $connection) = @_;
  my $next = $connection->{out}[0] // return 0;
  return 1 unless ref $next eq 'HASH' && defined $next->{gate};
  return 0 unless $self->{released}{$next->{gate}};
  shift @{$connection->{out}};
  return $self->can_send($connection);
}

sub send_some {
  my ($self, $connection) = @_;
  my $next = $connection->{out}[0];
  return $self->drop($connection) if ref $next eq 'HASH' && $next->{close};
  return if ref $next eq 'HASH' && defined $next->{gate};
  my $size = length($$next) - ($connection->{sent} // 0);
  $size = $connection->{write_size} if $connection->{write_size} && $connection->{write_size} < $size;
  my $n = syswrite $connection->{socket}, $$next, $size, $connection->{sent} // 0;
  return if !defined $n && $!{EAGAIN};
  return $self->drop($connection) unless defined $n;
  $connection->{sent} += $n;
  return if $connection->{sent} < length $$next;
  shift @{$connection->{out}};
  $connection->{sent} = 0;
}

sub answer {
  my ($self, $connection, $head) = @_;
  my ($line, @lines) = split /\r\n/, $head;
  my ($method, $target) = split / /, $line;
  my %headers = map { my ($n, $v) = split /:\s*/, $_, 2; (lc $n => $v // '') } @lines;
  my ($path, $query) = split /\?/, $target, 2;
  my $request = { head => $head, line => $line, method => $method, target => $target, path => $path,
                  query => $query, host => $headers{host} // '', headers => \%headers,
                  address => $connection->{socket}->sockhost, from => $connection->{socket}->peerhost,
                  peer => $connection->{socket}->peerport };
  push @{$self->{requests}}, $request;
  my $route = $self->find_route($request);
  if ($route->{sequence}) {
    my $i = $self->{counts}{$path}++;
    my $last = $#{$route->{sequence}};
    $route = $route->{sequence}[$i > $last ? $last : $i];
  }
  my $http11 = $line =~ m{HTTP/1\.1$};
  my $keep = $http11 && lc($headers{connection} // '') ne 'close';
  $connection->{write_size} = $route->{write_size};
  my @out = $self->output($route, $method, \%headers, \$keep);
  push @{$connection->{out}}, @out, $keep ? () : { close => 1 };
}

sub find_route {
  my ($self, $request) = @_;
  return $self->{routes}{$request->{path}} // { status => 404, reason => 'Not Found', type => 'text/plain',
                                                body => "no route\n" };
}

# What goes out for a route: references to bytes, gates.
sub output {
  my ($self, $route, $method, $headers, $keep) = @_;
  if ($route->{silent}) { $$keep = 0; return }
  my @gate = defined $route->{gate} ? { gate => $route->{gate} } : ();
  if (defined $route->{raw}) {
    $$keep = 0;
    my $raw = $route->{raw};
    return (@gate, \$raw) unless $route->{gate_at};
    my ($a, $b) = (substr($raw, 0, $route->{gate_at}), substr($raw, $route->{gate_at}));
    return (\$a, @gate, \$b);
  }
  my %answer = (status => $route->{status} // 200, body => body_of($route->{body} // ''),
                headers => [@{$route->{headers} // []}]);
  unshift @{$answer{headers}}, "Content-Type: $route->{type}" if defined $route->{type};
  static_answer($route, $headers, \%answer) if $route->{static} && $answer{status} == 200;

  my $framing = $route->{framing} // 'length';
  my $wire = $answer{body};
  if ($framing eq 'chunked') { $wire = chunked($wire, $route->{chunk_size} // 4096) }
  $wire = substr $wire, 0, $route->{cut} if defined $route->{cut};
  my $bodiless = $answer{status} == 304 || $answer{status} == 204;
  push @{$answer{headers}}, 'Content-Length: ' . length $answer{body} if $framing eq 'length' && !$bodiless;
  push @{$answer{headers}}, 'Transfer-Encoding: chunked' if $framing eq 'chunked';
  $$keep = 0 if $framing eq 'close' || defined $route->{cut};
  push @{$answer{headers}}, $$keep ? 'Connection: keep-alive' : 'Connection: close';
  my $reason = $route->{reason} // 'Whatever';
  my $bytes = join("\r\n", "HTTP/1.1 $answer{status} $reason", @{$answer{headers}}, '', '');
  return (@gate, \$bytes) if $method eq 'HEAD' || $bodiless;
  return (@gate, \$bytes, \$wire) unless defined $route->{gate_at};
  $bytes .= substr $wire, 0, $route->{gate_at};
  my $rest = substr $wire, $route->{gate_at};
  return (\$bytes, @gate, \$rest);
}

sub body_of {
  my ($body) = @_;
  return $body unless ref $body;
  my ($prefix, $unit, $count, $suffix) = @$body;
  my $text = $prefix;
  for my $i (0 .. $count - 1) { (my $piece = $unit) =~ s/#N#/$i/g; $text .= $piece }
  return $text . ($suffix // '');
}

sub chunked {
  my ($bytes, $size) = @_;
  my $wire = '';
  for (my $i = 0; $i < length $bytes; $i += $size) {
    my $piece = substr $bytes, $i, $size;
    $wire .= sprintf "%x\r\n%s\r\n", length $piece, $piece;
  }
  return $wire . "0\r\n\r\n";
}

# A file server of one file (RFC 9110 13 and 14): conditions, If-Range, one byte range.
sub static_answer {
  my ($route, $headers, $answer) = @_;
  my ($etag, $modified) = @$route{qw(etag modified)};
  push @{$answer->{headers}}, "ETag: $etag" if defined $etag;
  push @{$answer->{headers}}, "Last-Modified: $modified" if defined $modified;
  push @{$answer->{headers}}, 'Accept-Ranges: bytes';
  my ($none_match, $since) = @$headers{qw(if-none-match if-modified-since)};
  if (defined $none_match ? $none_match eq ($etag // '') : defined $since && $since eq ($modified // '')) {
    @$answer{qw(status body)} = (304, '');
    return;
  }
  my $range = $headers->{range} // return;
  my $if_range = $headers->{'if-range'};
  return if defined $if_range && $if_range ne ($etag // '') && $if_range ne ($modified // '');
  my $size = length $answer->{body};
  return unless $range =~ /^bytes=(\d*)-(\d*)$/ && length "$1$2";
  my ($from, $to) = length $1 ? ($1, length $2 ? $2 : $size - 1) : ($2 > $size ? 0 : $size - $2, $size - 1);
  $to = $size - 1 if $to >= $size;
  if ($from >= $size || $from > $to) {
    push @{$answer->{headers}}, "Content-Range: bytes */$size";
    @$answer{qw(status body)} = (416, '');
    return;
  }
  push @{$answer->{headers}}, "Content-Range: bytes $from-$to/$size";
  @$answer{qw(status body)} = (206, substr $answer->{body}, $from, $to - $from + 1);
}

1;
