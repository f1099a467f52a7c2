package HlsTest::SampleOrigin;

# An origin of films and live channels whose every URL carries a token, and the resolver that gives them out.
# Each stream has generations, 0, 1, 2 ...: rotate() begins the next one, and from then on the URLs of all
# others are answered with 403. A playlist leads to URLs of its own generation.
#
#   my $origin = HlsTest::SampleOrigin->start(streams => { film => { files => {...}, mode => 'all' } });
#   $origin->rotate('film');
#   my @asked = $origin->log(role => 'origin', status => 403);
#
# Two processes at ports of their own, so that each can be killed and started again: what they share is a
# directory, where the size of a file is the number of a generation, and where each request adds a line to a
# log.
#
# A stream
#   files     { path => text of a playlist with plain relative URIs, or bytes }
#   live      { renditions => [name], segment => sub ($rendition, $number) { bytes }, target, window }: a
#             sliding window <rendition>/index.m3u8 of segments seg<number>.ts
#   entry     what the resolver names: "master.m3u8"
#   mode      what differs between generations: query, host (and the query), path, or all of them by turns
#   every     rotates by itself after so many segments of one generation
# A token names its generation, when it expires, and the address of who resolved, which must also be the
# address of who uses it.

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256_hex);
use File::Temp ();
use IO::Select;
use IO::Socket::INET;
use JSON::PP ();
use List::Util qw(max);
use POSIX qw(WNOHANG);
use Time::HiRes qw(sleep time);

use HlsTest::Nginx;

use constant HOSTS => ('127.0.0.1', '127.0.0.2');
use constant SECRET => 'the secret of the origin of the tests';

my @started;

# Options: streams; life (seconds that a token is good for); delay (seconds that a resolve takes); max_age
# (seconds that media may be cached).
sub start {
  my ($class, %opt) = @_;
  my $self = bless { life => 3600, delay => 0, max_age => 3600, began => time, %opt, parent => $$, pid => {},
                     dir => File::Temp->newdir('hls-origin-XXXXXX', TMPDIR => 1) }, $class;
  $self->{began} -= $self->live_lead;
  $self->{port}{$_} = HlsTest::Nginx::free_port() for qw(origin resolver);
  push @started, $self;
  $self->start_role($_) for qw(origin resolver);
  return $self;
}

sub port { $_[0]{port}{origin} }
sub resolver_port { $_[0]{port}{resolver} }
sub resolver_url { my ($self) = @_; return "http://127.0.0.1:$self->{port}{resolver}/resolve" }

# ---- generations

sub generation { my ($self, $stream) = @_; return -s "$self->{dir}/generation.$stream" || 0 }

sub rotate {
  my ($self, $stream) = @_;
  $self->append("generation.$stream", '.');
  return $self->generation($stream);
}

sub append {
  my ($self, $name, $bytes) = @_;
  open my $file, '>>', "$self->{dir}/$name" or die "$name: $!";
  syswrite $file, $bytes;
}

# Host, and whether the token is in the path, in a generation.
sub place {
  my ($self, $stream, $generation) = @_;
  my $mode = $self->{streams}{$stream}{mode} // 'query';
  my $turn = $generation % 4;
  return ((HOSTS)[$generation % 2], 0) if $mode eq 'host';
  return ((HOSTS)[$turn >= 2], $turn == 3) if $mode eq 'all';
  return ((HOSTS)[0], $mode eq 'path');
}

sub token {
  my ($stream, $generation, $expires, $address) = @_;
  my $mac = substr hmac_sha256_hex("$stream $generation $expires $address", SECRET), 0, 20;
  return join '-', $generation, $address, $mac;
}

# The URL of a stream's file, as the resolver at `address` gives it.
sub url {
  my ($self, $stream, $file, %opt) = @_;
  my $generation = $opt{generation} // $self->generation($stream);
  my $expires = int(time + $self->{life});
  my $token = token($stream, $generation, $expires, $opt{address} // '127.0.0.1');
  my ($host, $in_path) = $self->place($stream, $generation);
  my $base = "http://$host:$self->{port}{origin}";
  return $in_path ? "$base/$expires-$token/$stream/$file" : "$base/media/$stream/$file?e=$expires&t=$token";
}

# ---- live

sub live_lead {
  my ($self) = @_;
  my @live = grep { $_ } map { $_->{live} } values %{$self->{streams}};
  return max(0, map { window($_) } @live);
}

sub window { my ($live) = @_; return ($live->{window} // 6) * ($live->{target} // 2) }

# Number of the segment that is being made: the window ends before it.
sub live_head {
  my ($self, $stream, $at) = @_;
  my $target = $self->{streams}{$stream}{live}{target} // 2;
  return int((($at // time) - $self->{began}) / $target + 1e-6);
}

# The text of a live playlist whose first segment is `first`, with plain URIs.
sub live_playlist {
  my ($self, $stream, $first) = @_;
  my $live = $self->{streams}{$stream}{live};
  my $target = $live->{target} // 2;
  my @lines = ('#EXTM3U', '#EXT-X-VERSION:3', "#EXT-X-TARGETDURATION:$target",
               "#EXT-X-MEDIA-SEQUENCE:$first");
  for my $n ($first .. $first + ($live->{window} // 6) - 1) {
    push @lines, '#EXT-X-PROGRAM-DATE-TIME:' . date($self->{began} + $n * $target),
      sprintf('#EXTINF:%.3f,', $target), "seg$n.ts";
  }
  return join "\n", @lines, '';
}

sub date {
  my ($at) = @_;
  my $ms = int($at * 1000 + 0.5);
  return POSIX::strftime('%Y-%m-%dT%H:%M:%S', gmtime int($ms / 1000)) . sprintf '.%03dZ', $ms % 1000;
}

# A stream's file with plain URIs; undef: there is none.
sub content {
  my ($self, $stream, $file) = @_;
  my $spec = $self->{streams}{$stream} // return;
  return $spec->{files}{$file} if defined $spec->{files}{$file};
  my $live = $spec->{live} // return;
  my ($rendition, $name) = $file =~ m{^(\w+)/([\w.]+)$} or return;
  return unless grep { $_ eq $rendition } @{$live->{renditions}};
  my $head = $self->live_head($stream);
  my $window = $live->{window} // 6;
  return $self->live_playlist($stream, $head - $window) if $name eq 'index.m3u8';
  return unless $name =~ /^seg(\d+)\.ts$/ && $1 < $head && $1 >= $head - 3 * $window;
  return $live->{segment}->($rendition, $1);
}

# ---- what was asked: [{ time, role, stream, generation (of the URL), kind, file, status, arguments }]

sub log {
  my ($self, %wanted) = @_;
  open my $file, '<', "$self->{dir}/log" or return;
  my @entries;
  while (my $line = <$file>) {
    chomp $line;
    my %entry;
    @entry{qw(time role stream generation kind file status arguments)} = split /\t/, $line, 8;
    push @entries, \%entry unless grep { $entry{$_} ne $wanted{$_} } keys %wanted;
  }
  return @entries;
}

# ---- the two processes

sub start_role {
  my ($self, $role) = @_;
  my @listen = map { listen_at($_, $self->{port}{$role}) } $role eq 'origin' ? HOSTS : '127.0.0.1';
  my $pid = fork // die "fork: $!";
  if (!$pid) {
    $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
    my $ok = eval { HlsTest::SampleOrigin::Server->new($self, $role, @listen)->run; 1 };
    print STDERR "$role: $@" unless $ok;
    POSIX::_exit(1);
  }
  $self->{pid}{$role} = $pid;
}

# The port is still held for a moment by what was killed there.
sub listen_at {
  my ($address, $port) = @_;
  for (1 .. 200) {
    my $socket = IO::Socket::INET->new(LocalAddr => $address, LocalPort => $port, Proto => 'tcp',
                                       Listen => 256, ReuseAddr => 1);
    return $socket if $socket;
    sleep 0.02;
  }
  die "cannot listen on $address:$port: $!\n";
}

sub kill_role {
  my ($self, $role) = @_;
  return if $$ != $self->{parent};
  my $pid = delete $self->{pid}{$role} or return;
  kill KILL => $pid;
  waitpid $pid, 0;
}

sub stop { my ($self) = @_; $self->kill_role($_) for keys %{$self->{pid}} }

END {
  my $status = $?;
  $_->stop for @started;
  $? = $status;
}

package HlsTest::SampleOrigin::Server;

use IO::Select;
use Socket qw(IPPROTO_TCP TCP_NODELAY);
use Time::HiRes qw(sleep time);

my %types = (m3u8 => 'application/vnd.apple.mpegurl', ts => 'video/mp2t', mp4 => 'video/mp4',
             m4s => 'video/iso.segment', key => 'application/octet-stream');
my %kinds = (m3u8 => 'playlist', key => 'key', mp4 => 'init');

sub new {
  my ($class, $site, $role, @listen) = @_;
  return bless { site => $site, role => $role, listen => \@listen, connections => {}, parent => getppid,
                 select => [map { IO::Select->new } 0, 1] }, $class;
}

sub run {
  my ($self) = @_;
  local $SIG{PIPE} = 'IGNORE';
  my ($reads, $writes) = @{$self->{select}};
  my %listen = map { $_ => 1 } @{$self->{listen}};
  $_->blocking(0), $reads->add($_) for @{$self->{listen}};
  while (getppid == $self->{parent}) {
    my ($readable, $writable) = IO::Select->select($reads, $writes, undef, 1);
    for my $socket (@{$readable // []}) {
      if ($listen{$socket}) { $self->accept($socket) }
      else { $self->receive($self->{connections}{$socket}) }
    }
    $self->send_some($self->{connections}{$_}) for grep { $self->{connections}{$_} } @{$writable // []};
  }
}

sub accept {
  my ($self, $listen) = @_;
  my $socket = $listen->accept or return;
  $socket->blocking(0);
  setsockopt $socket, IPPROTO_TCP, TCP_NODELAY, 1;
  $self->{connections}{$socket} = { socket => $socket, in => '', out => '', sent => 0, close => 0 };
  $self->{select}[0]->add($socket);
}

sub drop {
  my ($self, $connection) = @_;
  my $socket = $connection->{socket};
  $_->remove($socket) for @{$self->{select}};
  delete $self->{connections}{$socket};
  close $socket;
}

sub receive {
  my ($self, $connection) = @_;
  my $n = sysread $connection->{socket}, $connection->{in}, 65536, length $connection->{in};
  return if !defined $n && $!{EAGAIN};
  return $self->drop($connection) unless $n;
  while ($connection->{in} =~ s/^(.*?\r\n)\r\n//s) { $self->answer($connection, $1) }
  $self->send_some($connection) if length $connection->{out};
}

sub send_some {
  my ($self, $connection) = @_;
  my $n = syswrite $connection->{socket}, $connection->{out}, 262144, $connection->{sent};
  return $self->drop($connection) if !defined $n && !$!{EAGAIN};
  $connection->{sent} += $n // 0;
  my $left = length($connection->{out}) - $connection->{sent};
  return $self->{select}[1]->add($connection->{socket}) if $left;
  return $self->drop($connection) if $connection->{close};
  @$connection{qw(out sent)} = ('', 0);
  $self->{select}[1]->remove($connection->{socket});
}

sub answer {
  my ($self, $connection, $head) = @_;
  my ($line, @lines) = split /\r\n/, $head;
  my ($method, $target) = split / /, $line;
  my %headers = map { my ($n, $v) = split /:\s*/, $_, 2; (lc $n => $v // '') } @lines;
  my %asked = (target => $target, host => $headers{host} // '', peer => $connection->{socket}->peerhost);
  my ($status, $type, $body, %log) =
    $self->{role} eq 'origin' ? $self->serve(%asked) : $self->resolve(%asked);
  my @more = ('Cache-Control: max-age=' . ($type eq $types{m3u8} ? 1 : $self->{site}{max_age}));
  @more = ('Cache-Control: no-store') if $status != 200;
  if ($status == 200 && ($headers{range} // '') =~ /^bytes=(\d+)-(\d*)$/ && $1 < length $body) {
    my ($from, $to, $size) = ($1, length $2 ? $2 : length($body) - 1, length $body);
    $to = $size - 1 if $to >= $size;
    ($status, $body) = (206, substr $body, $from, $to - $from + 1);
    push @more, "Content-Range: bytes $from-$to/$size";
  }
  $connection->{close} = 1 if lc($headers{connection} // '') eq 'close' || $line !~ m{HTTP/1\.1$};
  $connection->{out} .= join "\r\n", "HTTP/1.1 $status Whatever", "Content-Type: $type",
    'Content-Length: ' . length $body, @more,
    'Connection: ' . ($connection->{close} ? 'close' : 'keep-alive'), '', '';
  $connection->{out} .= $body unless $method eq 'HEAD';
  $self->{site}->append('log', join("\t", sprintf('%.4f', time), $self->{role}, map({ $_ // '' }
    @log{qw(stream generation kind file)}), $status, $log{arguments} // '') . "\n");
}

sub resolve {
  my ($self, %asked) = @_;
  my ($site, $query) = ($self->{site}, $asked{target} =~ /\?(.*)/);
  my ($stream) = ($query // '') =~ /(?:^|&)p=(\w+)/;
  my %log = (stream => $stream, kind => 'resolve', arguments => $query);
  my $spec = $site->{streams}{$stream // ''} or return (404, 'text/plain', "no such stream\n", %log);
  sleep $site->{delay} if $site->{delay};
  $log{generation} = $site->generation($stream);
  my $url = $site->url($stream, $spec->{entry} // 'master.m3u8', generation => $log{generation},
                       address => $asked{peer});
  return (200, 'application/json', JSON::PP::encode_json({ url => $url, provider => 'sample' }), %log);
}

sub serve {
  my ($self, %asked) = @_;
  my $site = $self->{site};
  my @refusal = (403, 'text/plain', "the token is not good\n");
  my ($place, $stream, $file, $query) = $asked{target} =~ m{^/([^/]+)/(\w+)/([^?]+)\??(.*)$}
    or return @refusal;
  my $in_path = $place ne 'media';
  my ($expires, $token) = $in_path ? split /-/, $place, 2 : $query =~ /^e=(\d+)&t=([\w.-]+)$/;
  my ($generation, $address) = split /-/, $token // '';
  my ($extension) = $file =~ /\.(\w+)$/;
  my %log = (stream => $stream, generation => $generation, file => $file,
             kind => $kinds{$extension // ''} // 'media');
  return (@refusal, %log) unless $site->{streams}{$stream} && defined $address
    && $generation =~ /^\d+$/ && $generation == $site->generation($stream)
    && $expires > time && $address eq $asked{peer}
    && $token eq HlsTest::SampleOrigin::token($stream, $generation, $expires, $address);
  my ($right_host, $right_place) = $site->place($stream, $generation);
  return (@refusal, %log) unless $asked{host} =~ /^\Q$right_host\E:\d+$/ && !$in_path == !$right_place;
  my $body = $site->content($stream, $file) // return (404, 'text/plain', "no such file\n", %log);
  $body = with_tokens($body, "http://$asked{host}/$place/$stream", $query) if $log{kind} eq 'playlist';
  $self->count_segment($stream, $generation) if $log{kind} eq 'media';
  return (200, $types{$extension} // 'application/octet-stream', $body, %log);
}

# Multivariant playlists lead to absolute URLs, media playlists to relative ones.
sub with_tokens {
  my ($text, $base, $query) = @_;
  my $prefix = $text =~ /#EXT-X-STREAM-INF/ ? "$base/" : '';
  my $suffix = length $query ? "?$query" : '';
  $text =~ s/^([^#\r\n].*)$/$prefix$1$suffix/mg;
  $text =~ s/([:,]URI=")([^"]*)"/$1$prefix$2$suffix"/g;
  return $text;
}

sub count_segment {
  my ($self, $stream, $generation) = @_;
  my $every = $self->{site}{streams}{$stream}{every} or return;
  return if ++$self->{served}{$stream}{$generation} < $every;
  $self->{site}->rotate($stream);
}

1;
