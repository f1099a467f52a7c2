package HlsTest::RotatingOrigin;

# An origin whose URLs die, and the resolver that says where its streams are now. Of each stream the test says
# which generation is alive and what differs between generations; what a segment's bytes are depends on the
# stream and the file alone, so that a wrong successor shows as wrong bytes.
#
#   my $origin = HlsTest::RotatingOrigin->start;
#   $origin->stream(film => files => vod(count => 5), rotate => ['query']);
#   my $nginx = start_relay($origin, resolver => 1);
#   ... $nginx->get(entry_uri(p => 'film')) ...
#   $origin->rotate('film');                     # URLs of generation 0 answer 403 from now on
#
# A stream
#   files       { logical name => file }; a file is { text => playlist } ({{name}} in it becomes the URL of that
#               file in the generation that is asked for), { id => what its bytes are made of }, { bytes => ... },
#               or { route => ... }; more members are those of an origin's route; gzip: the text is sent so
#   versions    { generation => { logical name => file, or undef } }: what is other from that generation on
#   generation  what the resolver gives out (0); alive_from: URLs below this one are dead (the generation)
#   rotate      what differs between generations: query, host, dir, name; [] nothing does
#   hosts       by turns; 127.0.0.1 and 127.0.0.2
#   dead        the route of a dead URL; 403
#   entry       the logical name that the resolver gives out; master.m3u8
#   need        { header => value } that each request has to carry, else 401; "{g}" is its generation
#   answer      of the resolver: form (json, text), headers, expires, provider, pad (bytes of other members), url,
#               or members of a route; headers and url may hold "{g}"
#   life        seconds that a URL is good for, from its resolve on, of which each begins a generation; the answer says so
#   bound       URLs are good only from the address that the resolver was asked from
#   advance     a resolve that says a status begins the next generation
#
# The origin is at 127.0.0.1 and 127.0.0.2, the resolver at 127.0.0.3, all on one port.

use strict;
use warnings;

use Digest::SHA qw(sha256);
use Exporter qw(import);
use Test::More;
use Time::HiRes ();

use HlsTest;
use HlsTest::Origin;

our @ISA = ('HlsTest::Origin');
our @EXPORT = qw(vod media_playlist bytes_of open_stream get_file plays);
our $RESOLVER = '127.0.0.3';

sub addresses { return '127.0.0.1', '127.0.0.2', $RESOLVER }
sub server_class { return 'HlsTest::RotatingOrigin::Server' }

sub resolver_url { my ($self) = @_; return "http://$RESOLVER:" . $self->port . '/resolve' }

# Says all of a stream; update() changes some of it.
sub stream { my ($self, $name, %state) = @_; $self->call(stream => $name, \%state); return $self }
sub update { my ($self, $name, %state) = @_; $self->call(update => $name, \%state); return $self }
sub rotate { my ($self, $name) = @_; $self->call(rotate => $name); return $self }

# Refuses connections at an address (cutting those that are there), and takes them again.
sub close_address { my ($self, $address) = @_; $self->call(close => $address); return $self }
sub open_address { my ($self, $address) = @_; $self->call(open => $address); return $self }

# What the origin was asked since clear(), by stream, generation, file (a logical name) and status. generation is
# that of the URL; status is 0 where nothing was answered.
sub asked {
  my ($self, %by) = @_;
  return grep {
    my $request = $_;
    defined $request->{file} && !grep { ($request->{$_} // '') ne $by{$_} } keys %by;
  } $self->requests;
}

# What the resolver was asked, of one stream or all.
sub resolves {
  my ($self, $stream) = @_;
  return grep { $_->{path} eq '/resolve' && (!defined $stream || $_->{stream} eq $stream) } $self->requests;
}

sub wait_for_resolves {
  my ($self, $stream, $count) = @_;
  my $end = Time::HiRes::time() + 10;
  my @resolves;
  while ((@resolves = $self->resolves($stream)) < $count && Time::HiRes::time() < $end) {
    Time::HiRes::sleep(0.005);
  }
  return @resolves;
}

# ---- content

# The bytes of a file: they begin as its kind does, and no two files share any 32 of them.
sub bytes_of {
  my ($id, $size) = @_;
  $size //= $id =~ /\.key$/ ? 16 : 3000;
  my $head = $id =~ /\.(?:ts|aac)$/ ? 'G' : $id =~ /\.(?:mp4|m4s)$/ ? pack('N', 24) . 'ftypiso5' : "\x01";
  my $bytes = $head . join '', map { sha256("$id $_") } 0 .. $size / 32;
  return substr $bytes, 0, $size;
}

# One media playlist and its segments, as files. Options: name (directory of its files), first (media sequence
# number), count, live, ext (ts), durations (sub of the number), pdt (epoch seconds of number 0), map, key (1, or a
# sub of the number that gives a name), ranges (one file), parts (per segment, of the last two), hint,
# discontinuity (list of numbers in front of which there is one), dsn, head and gap (list); id (of the bytes).
sub media_playlist {
  my (%opt) = @_;
  my $name = $opt{name} // 'lo';
  my $id = $opt{id} // $name;
  my ($first, $count) = ($opt{first} // 0, $opt{count} // 6);
  my $last = $first + $count - 1;
  my $ext = $opt{ext} // ($opt{map} || $opt{parts} ? 'm4s' : $opt{ranges} ? 'mp4' : 'ts');
  my $length = $opt{durations} // sub { 4 };
  my (%files, $text, $key);
  $text = "#EXTM3U\n#EXT-X-VERSION:9\n#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:$first\n";
  $text .= "#EXT-X-DISCONTINUITY-SEQUENCE:$opt{dsn}\n" if defined $opt{dsn};
  $text .= "#EXT-X-SERVER-CONTROL:CAN-BLOCK-RELOAD=YES,PART-HOLD-BACK=3\n#EXT-X-PART-INF:PART-TARGET=1\n"
    if $opt{parts};
  $text .= $opt{head} // '';
  if ($opt{map}) {
    my $map = $opt{map} eq '1' ? 'init.mp4' : $opt{map};
    $text .= qq{#EXT-X-MAP:URI="{{$name/$map}}"\n};
    $files{"$name/$map"} = { id => "$id/$map" };
  }
  my $time = $opt{pdt};
  $time += $length->($_) for defined $time ? 0 .. $first - 1 : ();
  for my $n ($first .. $last) {
    my $new_key = ref $opt{key} ? $opt{key}->($n) : $opt{key} ? 'k.key' : '';
    if ($new_key ne ($key // '')) {
      $text .= $new_key ? qq{#EXT-X-KEY:METHOD=AES-128,URI="{{$name/$new_key}}"\n}
        : "#EXT-X-KEY:METHOD=NONE\n";
      $files{"$name/$new_key"} = { id => "$id/$new_key" } if $new_key;
      $key = $new_key;
    }
    $text .= "#EXT-X-DISCONTINUITY\n" if grep { $_ == $n } @{$opt{discontinuity} // []};
    $text .= "#EXT-X-GAP\n" if grep { $_ == $n } @{$opt{gap} // []};
    $text .= '#EXT-X-PROGRAM-DATE-TIME:' . iso_time($time) . "\n" if defined $time;
    if ($opt{parts} && $n > $last - 2) {
      for my $part (0 .. $opt{parts} - 1) {
        $text .= qq{#EXT-X-PART:DURATION=1,URI="{{$name/part-$n-$part.$ext}}"\n};
        $files{"$name/part-$n-$part.$ext"} = { id => "$id/part-$n-$part.$ext" };
      }
    }
    $text .= sprintf "#EXTINF:%.3f,\n", $length->($n);
    if ($opt{ranges}) {
      $text .= sprintf "#EXT-X-BYTERANGE:%d\@%d\n{{%s/all.%s}}\n", 1000 + $n, $n * 2000, $name, $ext;
    } else {
      $text .= "{{$name/seg-$n.$ext}}\n";
      $files{"$name/seg-$n.$ext"} = { id => "$id/seg-$n.$ext" };
    }
    $time += $length->($n) if defined $time;
  }
  if ($opt{hint}) {
    my $hint = "part-@{[$last + 1]}-0.$ext";
    $text .= qq{#EXT-X-PRELOAD-HINT:TYPE=PART,URI="{{$name/$hint}}"\n};
    $files{"$name/$hint"} = { id => "$id/$hint" };
  }
  $files{"$name/all.$ext"} = { id => "$id/all.$ext", size => 2000 * ($last + 1) } if $opt{ranges};
  $text .= "#EXT-X-ENDLIST\n" unless $opt{live};
  $files{"$name/index.m3u8"} = { text => $text };
  return \%files;
}

sub iso_time {
  my ($time) = @_;
  my @t = gmtime int $time;
  return sprintf '%04d-%02d-%02dT%02d:%02d:%02d.%03dZ', $t[5] + 1900, $t[4] + 1, @t[3, 2, 1, 0],
    int(($time - int $time) * 1000 + 0.5);
}

# A multivariant playlist with two variants and an audio rendition, with all that belongs to them. Options are
# those of media_playlist(); master: its text.
sub vod {
  my (%opt) = @_;
  my %files = map { %{media_playlist(%opt, name => $_)} } qw(lo hi);
  %files = (%files, %{media_playlist(%opt, name => 'de', ext => $opt{map} ? 'm4s' : 'aac')});
  $files{'master.m3u8'} = { text => $opt{master} // <<'END' };
#EXTM3U
#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="Deutsch",LANGUAGE="de",CHANNELS="2",URI="{{de/index.m3u8}}"
#EXT-X-STREAM-INF:BANDWIDTH=800000,RESOLUTION=640x360,CODECS="avc1.4d401e,mp4a.40.2",AUDIO="a"
{{lo/index.m3u8}}
#EXT-X-STREAM-INF:BANDWIDTH=2800000,RESOLUTION=1280x720,CODECS="avc1.64001f,mp4a.40.2",AUDIO="a"
{{hi/index.m3u8}}
END
  return \%files;
}

# Opens a stream as a player does, all of its playlists: { logical name => link }. `files` are those of the
# generation that is served. entry: the URI of the entry; file: the entry's logical name.
sub open_stream {
  my ($nginx, $stream, $files, %opt) = @_;
  my %links;
  my @todo = [$opt{file} // 'master.m3u8', $opt{entry} // entry_uri(p => $stream)];
  while (my $next = shift @todo) {
    my ($name, $uri) = @$next;
    my $r = $nginx->get($uri);
    my @names = $files->{$name}{text} =~ /\{\{(.*?)\}\}/g;
    my @found = find_links($r->{body});
    if ($r->{status} != 200 || @names != @found) {
      fail("$stream: $name opens");
      diag("status $r->{status}, @{[scalar @found]} links instead of @{[scalar @names]}:\n$r->{raw}");
      return \%links;
    }
    for my $i (0 .. $#names) {
      push @todo, [$names[$i], $found[$i]] if $names[$i] =~ /\.m3u8$/ && !$links{$names[$i]};
      $links{$names[$i]} = $found[$i];
    }
  }
  return \%links;
}

sub get_file {
  my ($nginx, $links, $name, %opt) = @_;
  return $nginx->get($links->{$name} // '/there-is-no-such-link', %opt);
}

# Whether the files come whole and right through their links.
sub plays {
  my ($nginx, $stream, $files, $links, $label, @names) = @_;
  my @bad;
  for my $name (@names) {
    my $r = get_file($nginx, $links, $name);
    if ($files->{$name}{text}) {
      push @bad, "$name: status $r->{status}" if $r->{status} != 200 || $r->{body} !~ /^#EXTM3U/
        || !$r->{complete};
      next;
    }
    my $want = bytes_of("$stream/$files->{$name}{id}", $files->{$name}{size});
    push @bad, "$name: status $r->{status}, @{[length $r->{body}]} bytes" . ($r->{status} == 200
      ? ' of another' : '')
      if $r->{status} != 200 || !$r->{complete} || $r->{body} ne $want;
  }
  return is(join(', ', @bad), '', $label);
}

package HlsTest::RotatingOrigin::Server;

use Digest::SHA qw(sha256_hex);
use IO::Compress::Gzip ();
use JSON::PP ();

our @ISA = ('HlsTest::Origin::Server');

my %TYPES = (ts => 'video/mp2t', m4s => 'video/mp4', mp4 => 'video/mp4', aac => 'audio/aac',
             m3u8 => 'application/vnd.apple.mpegurl', key => 'application/octet-stream');

sub extra_command {
  my ($self, $name, @args) = @_;
  delete $self->{map};
  if ($name eq 'stream' || $name eq 'update') {
    my $old = $name eq 'update' ? $self->{streams}{$args[0]} : {};
    $self->{streams}{$args[0]} = { %$old, %{$args[1]} };
    delete $self->{counts}{$args[0]};
  } elsif ($name eq 'rotate') { ++$self->{streams}{$args[0]}{generation} }
  elsif ($name eq 'close') { $self->close_address($args[0]) }
  elsif ($name eq 'open') {
    my $port = $self->{port};
    push @{$self->{listen}}, HlsTest::Origin::listen_at($args[0],
      $port) // die "cannot listen at $args[0]: $!";
  } else { die "no such command: $name\n" }
  return;
}

sub close_address {
  my ($self, $address) = @_;
  $self->{port} //= $self->{listen}[0]->sockport;
  for my $socket (@{$self->{listen}}) { close $socket if $socket->sockhost eq $address }
  $self->{listen} = [grep { defined fileno $_ } @{$self->{listen}}];
  for my $connection (values %{$self->{connections}}) {
    $self->drop($connection) if $connection->{socket}->sockhost eq $address;
  }
}

# ---- where things are

sub rotates { my ($state, $what) = @_; return scalar grep { $_ eq $what } @{$state->{rotate} // ['query']} }

sub host_of {
  my ($state, $g) = @_;
  my @hosts = @{$state->{hosts} // ['127.0.0.1', '127.0.0.2']};
  return $hosts[rotates($state, 'host') ? $g % @hosts : 0];
}

# Path and query of a file in a generation.
sub target_of {
  my ($state, $stream, $g, $file) = @_;
  my ($dir, $name) = $file =~ m{^(?:(.*)/)?([^/]*)$};
  my ($ext) = $name =~ /(\.\w+)$/;
  $name = substr(sha256_hex("$stream $g $file"), 0, 10) . $ext if rotates($state, 'name');
  my $place = $stream =~ /\W/ ? substr(sha256_hex($stream), 0, 10) : $stream;
  my $target = join '/', '', (rotates($state, 'dir') ? "d$g" : 'd'), $place, defined $dir ? $dir : (), $name;
  return $target . (rotates($state, 'query') ? "?tok=g$g-" . substr(sha256_hex("$stream $g"), 0, 8) : '');
}

sub files_of {
  my ($state, $g) = @_;
  my %files = %{$state->{files}};
  %files = (%files, %{$state->{versions}{$_} // {}}) for 0 .. $g;
  delete $files{$_} for grep { !defined $files{$_} } keys %files;
  return \%files;
}

# { "host target" => [stream, generation, file] } of all that was ever given out.
sub map_of_urls {
  my ($self) = @_;
  return $self->{map} if $self->{map};
  my %map;
  for my $stream (keys %{$self->{streams}}) {
    my $state = $self->{streams}{$stream};
    for my $g (0 .. $state->{generation} // 0) {
      $map{host_of($state, $g) . ' ' . target_of($state, $stream, $g, $_)} = [$stream, $g, $_]
        for keys %{files_of($state, $g)};
    }
  }
  return $self->{map} = \%map;
}

sub expand {
  my ($text, $g) = @_;
  $text =~ s/\{g\}/$g/g;
  return $text;
}

# ---- answers

sub find_route {
  my ($self, $request) = @_;
  return $self->resolve($request) if $request->{path} eq '/resolve';
  my $directives = '&_HLS_\w+=\w+|\?_HLS_\w+=\w+';
  (my $target = $request->{target}) =~ s/(?:$directives)+$//;
  my $found = $self->map_of_urls->{"$request->{address} $target"};
  return $self->SUPER::find_route($request) unless $found;
  my ($stream, $g, $file) = @$found;
  my $state = $self->{streams}{$stream};
  my $dead = $g < ($state->{alive_from} // ($state->{life} ? 0 : $state->{generation}) // 0) ||
    ($state->{life} && time > ($state->{born}{$g} // 0) + $state->{life}) ||
    ($state->{bound} && $request->{from} ne ($state->{bound_to}{$g} // ''));
  my $route = $dead ? { status => 403, reason => 'Forbidden', type => 'text/plain', body => "dead\n",
                        %{$state->{dead} // {}} }
                    : $self->file_route($state, $request, $stream, $g, $file);
  my $status = $route->{silent} ? 0 : $route->{status} // 200;
  @$request{qw(stream generation file status)} = ($stream, $g, $file, $status);
  return $route;
}

sub file_route {
  my ($self, $state, $request, $stream, $g, $name) = @_;
  for my $header (sort keys %{$state->{need} // {}}) {
    next if ($request->{headers}{lc $header} // '') eq expand($state->{need}{$header}, $g);
    return { status => 401, reason => 'Unauthorized', type => 'text/plain', body => "$header is missing\n" };
  }
  my $file = files_of($state, $g)->{$name};
  return $file->{route} if $file->{route};
  my ($ext) = $name =~ /\.(\w+)$/;
  my %route = (type => $TYPES{$ext} // 'application/octet-stream', %$file);
  if (defined $file->{text}) {
    my $text = $file->{text};
    $text =~ s/\{\{(.*?)\}\}/target_of($state, $stream, $g, $1)/ge;
    $text = expand($text, $g);
    if ($file->{gzip}) {
      IO::Compress::Gzip::gzip(\$text => \my $zipped);
      return { %route, body => $zipped, headers => ['Content-Encoding: gzip'] };
    }
    return { %route, body => $text };
  }
  my $bytes = $file->{bytes} // HlsTest::RotatingOrigin::bytes_of("$stream/$file->{id}", $file->{size});
  return { static => 1, etag => '"' . substr(sha256_hex($bytes), 0, 8) . '"', %route, body => $bytes };
}

sub resolve {
  my ($self, $request) = @_;
  my %args = map { my ($n, $v) = split /=/, $_, 2; $v =~ s/%([0-9A-Fa-f]{2})/chr hex $1/ge; ($n => $v) }
    split /&/, $request->{query} // '';
  my $stream = $args{p} // '';
  $request->{stream} = $stream;
  $request->{arguments} = \%args;
  my $state = $self->{streams}{$stream};
  return { status => 404, reason => 'Not Found', type => 'text/plain', body => "no such stream\n" }
    unless $state;
  if ($state->{advance} && $args{status} && $self->{counts}{$stream}++ < $state->{advance}) {
    ++$state->{generation};
    delete $self->{map};
  }
  if ($state->{life} && $state->{born}) {
    ++$state->{generation};
    delete $self->{map};
  }
  my $g = $state->{generation} // 0;
  $state->{born}{$g} = int time;
  $state->{bound_to}{$g} = $request->{from};
  my %answer = %{$state->{answer} // {}};
  $answer{expires} //= $state->{born}{$g} + $state->{life} if $state->{life};
  my $url = expand($answer{url} // 'http://' . host_of($state, $g) . ':' . $self->port_of_listeners .
                   target_of($state, $stream, $g, $state->{entry} // 'master.m3u8'), $g);
  return { %answer, type => $answer{type} // 'text/plain', body => "$url\nmore\n" }
    if ($answer{form} // '') eq 'text';
  my %json = (url => $url);
  $json{headers} = { map { $_ => expand($answer{headers}{$_}, $g) } keys %{$answer{headers}} }
    if $answer{headers};
  $json{$_} = $answer{$_} for grep { defined $answer{$_} } qw(expires provider);
  $json{"other_$_"} = 'x' x 1000 for 1 .. ($answer{pad} // 0) / 1000;
  return { type => 'application/json', body => JSON::PP->new->canonical->encode(\%json), %answer,
    headers => [] };
}

sub port_of_listeners { my ($self) = @_; return $self->{port} //= $self->{listen}[0]->sockport }

1;
