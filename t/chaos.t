#!/usr/bin/env perl

# Players watch two films and two live channels for CHAOS_SECONDS (20), while URLs die and workers, resolver
# and origin are killed at random. No player ever gets a wrong byte, nobody waits without end, whatever is not
# hit by a kill works, and when it is over all is as it was before. CHAOS_SEED repeats a run's choices.

use strict;
use warnings;

use File::Temp ();
use FindBin;
use List::Util qw(max min shuffle);
use POSIX ();
use Test::More;
use Time::HiRes qw(sleep time);

use lib "$FindBin::Bin/lib";
use HlsTest;
use HlsTest::SampleOrigin;

use constant {
  PLAYERS => 16, SEGMENTS => 24, COOLDOWN => 1, DEADLINE => 4,
  CONNECT => 5, READ => 20,        # of hls_proxy_params
  SETTLED => 0.5,                  # seconds that a restarted process may still be felt
  RECOVERY => 5,                   # seconds until everything plays, when all is over
};

my $seconds = $ENV{CHAOS_SECONDS} // 20;
my $seed = $ENV{CHAOS_SEED} // int(time) % 100_000;
my $logs = File::Temp->newdir;
diag("CHAOS_SEED=$seed CHAOS_SECONDS=$seconds");

# ---- the streams

my %bytes;

# What no other segment holds at any place: 13 to 60 KB.
sub segment_bytes {
  my ($stream, $rendition, $n) = @_;
  return $bytes{"$stream/$rendition/$n"} //=
    'G' . join '', map { "$stream/$rendition/$n:$_ " } 0 .. 1000 + $n * 7919 % 2000;
}

sub master {
  return join '', "#EXTM3U\n#EXT-X-VERSION:3\n",
    map { "#EXT-X-STREAM-INF:BANDWIDTH=$_->[1],RESOLUTION=$_->[2]\n$_->[0]/index.m3u8\n" }
    ['lo', 300_000, '320x180'], ['hi', 900_000, '640x360'];
}

sub film {
  my ($stream) = @_;
  my %files = ('master.m3u8' => master());
  for my $rendition (qw(lo hi)) {
    $files{"$rendition/seg$_.ts"} = segment_bytes($stream, $rendition, $_) for 0 .. SEGMENTS - 1;
    $files{"$rendition/index.m3u8"} = join "\n", '#EXTM3U', '#EXT-X-VERSION:3', '#EXT-X-TARGETDURATION:4',
      '#EXT-X-PLAYLIST-TYPE:VOD',
      (map { sprintf("#EXTINF:%.1f,", 3 + $_ % 10 / 10), "seg$_.ts" } 0 .. SEGMENTS - 1),
      '#EXT-X-ENDLIST', '';
  }
  return (files => \%files);
}

sub channel {
  my ($stream) = @_;
  return (files => { 'master.m3u8' => master() },
          live => { renditions => [qw(lo hi)], target => 1, window => 8,
                    segment => sub { segment_bytes($stream, @_) } });
}

my %streams = (
  film_query => { film('film_query'), mode => 'query' }, film_all => { film('film_all'), mode => 'all' },
  live_host => { channel('live_host'), mode => 'host' }, live_all => { channel('live_all'), mode => 'all' },
);
my @names = sort keys %streams;
my $origin = HlsTest::SampleOrigin->start(streams => \%streams, delay => 0.02, max_age => 2);

my $cache = 'proxy_cache media; proxy_cache_key $hls_proxy_cache_key; proxy_cache_lock on;';
my $relay = start_relay($origin, resolver => 1, workers => 2,
  # What the master says of a worker that is killed, whatever it was doing.
  allow => qr/worker process \d+ exited on signal 9|was locked by/,
  source => 'hosts 127.0.0.1 127.0.0.2; volatile e t host; '
    . sprintf('cooldown %ds; deadline %ds;', COOLDOWN, DEADLINE),
  http => 'proxy_cache_path %PREFIX%/cache keys_zone=media:2m use_temp_path=off;',
  playlist => "$cache proxy_cache_valid 200 1s;", media => "$cache proxy_cache_valid 200 1d;");

# ---- players

$HlsTest::Client::DEADLINE = DEADLINE + CONNECT + READ + 5;

# One request, judged: ok; wrong (bytes that should not be there); cut (right as far as it goes); none (no
# answer); or a status. `expected`: sub that says whether a body is right, whole or in part.
sub fetch {
  my ($log, $stream, $what, $target, $expected) = @_;
  my $began = time;
  my @pace = rand() < 0.1 ? (rcvbuf => 4096, piece => 4096, pause => 0.01) : ();   # some read slowly
  my $r = eval { $relay->get($target, @pace) } // { status => 0, body => '' };
  my $verdict = $r->{status} != 200 ? $r->{status} || 'none'
    : !$expected->($r->{body}, $r->{complete}) ? 'wrong' : $r->{complete} ? 'ok' : 'cut';
  syswrite $log, join("\t", $began, time, $stream, $verdict, $what) . "\n";
  return $verdict eq 'ok' ? $r->{body} : undef;
}

# A link's file name is that of the origin: with the names in place of links the text is the origin's.
sub plain {
  my ($text) = @_;
  my @links = find_links($text);
  my $names = $text;
  for my $link (@links) {
    my ($name) = $link =~ m{/([^/?]+)\?};
    $names =~ s/\Q$link\E/$name/;
  }
  return ($names, @links);
}

sub fetch_master {
  my ($log, $stream) = @_;
  my $body = fetch($log, $stream, 'entry', entry_uri(p => $stream), sub {
    my ($text, $complete) = @_;
    return !$complete || (plain($text))[0] eq master() =~ s{(?:lo|hi)/index}{index}gr;
  }) // return;
  my @links = find_links($body);
  return { lo => $links[0], hi => $links[1] };
}

# The media playlist: its links by segment number.
sub fetch_playlist {
  my ($log, $stream, $rendition, $link) = @_;
  my $right = $streams{$stream}{files}{"$rendition/index.m3u8"};
  my $body = fetch($log, $stream, "$rendition/index.m3u8", $link, sub {
    my ($text, $complete) = @_;
    my ($first) = $text =~ /#EXT-X-MEDIA-SEQUENCE:(\d+)\n/;
    return !$complete || (plain($text))[0] eq ($right // $origin->live_playlist($stream, $first // 0));
  }) // return;
  return map { m{/seg(\d+)\.ts\?} ? ($1 => $_) : () } find_links($body);
}

sub fetch_segment {
  my ($log, $stream, $rendition, $n, $link) = @_;
  my $right = segment_bytes($stream, $rendition, $n);
  return fetch($log, $stream, "$rendition/seg$n.ts", $link, sub {
    my ($bytes, $complete) = @_;
    return $complete ? $bytes eq $right : $bytes eq substr $right, 0, length $bytes;
  });
}

# A film from somewhere on; with `kept`, by links of long ago. The relay remembers eight generations: links of
# older ones work as long as paths stay what they were.
sub watch_film {
  my ($log, $stream, $rendition, $kept, $goes_on) = @_;
  my $mine = $kept->{"$stream/$rendition"};
  my $longest = $streams{$stream}{mode} eq 'all' ? 4 * COOLDOWN : 1000;
  if (!$mine || time - $mine->{at} > $longest || rand() < 0.3) {
    my $links = fetch_master($log, $stream) // return;
    my %segments = fetch_playlist($log, $stream, $rendition, $links->{$rendition});
    return unless %segments;
    $mine = $kept->{"$stream/$rendition"} = { at => time, segments => \%segments };
  }
  my $from = int rand SEGMENTS;
  for my $n ($from .. min($from + 8, SEGMENTS - 1)) {
    return unless $goes_on->() && fetch_segment($log, $stream, $rendition, $n, $mine->{segments}{$n});
    sleep rand 0.01;
  }
}

sub watch_channel {
  my ($log, $stream, $rendition, $goes_on) = @_;
  my $links = fetch_master($log, $stream) // return;
  for (1 .. 8) {
    my %segments = fetch_playlist($log, $stream, $rendition, $links->{$rendition}) or return;
    my @newest = (sort { $a <=> $b } keys %segments)[-3, -2, -1];
    for my $n (@newest) {
      return unless $goes_on->() && fetch_segment($log, $stream, $rendition, $n, $segments{$n});
    }
    sleep 0.1 + rand 0.3;
  }
}

sub start_player {
  my ($number, $end) = @_;
  my $parent = $$;
  my $pid = fork // die "fork: $!";
  return $pid if $pid;
  $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP);
  $SIG{PIPE} = 'IGNORE';
  srand $seed + $number;
  my $ok = eval {
    open my $log, '>', "$logs/$number" or die "$logs/$number: $!";
    my %kept;
    my $goes_on = sub { time < $end && getppid == $parent };
    while ($goes_on->()) {
      my ($stream, $rendition) = ($names[rand @names], rand() < 0.5 ? 'lo' : 'hi');
      if ($streams{$stream}{live}) { watch_channel($log, $stream, $rendition, $goes_on) }
      else { watch_film($log, $stream, $rendition, \%kept, $goes_on) }
      sleep 0.02;
    }
    1;
  };
  print STDERR "player $number: $@" unless $ok;
  POSIX::_exit($ok ? 0 : 1);
}

# ---- what happens to them

my (@troubles, %rotated, %happened, @worker_pids);
my ($busy_descriptors, $busy_kb) = (0, 0);

# Those that fail while this lasts, and until `after` seconds later, may.
sub trouble {
  my ($name, $after, $what) = @_;
  my $from = time;
  $what->();
  push @troubles, [$name, $from, time + $after];
}

# The stream that has not moved for longest, of those whose last resolve is not too recent for another one.
sub rotate {
  my %resolved = map { $_->{stream} => $_->{time} } $origin->log(role => 'resolver');
  my ($stream) = sort { ($rotated{$a}[-1] // 0) <=> ($rotated{$b}[-1] // 0) || $a cmp $b }
    grep { time - ($resolved{$_} // 0) > COOLDOWN + 0.2 } @names;
  return unless defined $stream;
  $origin->rotate($stream);
  push @{$rotated{$stream}}, time;
  $happened{rotation}++;
}

# A resolve and a rotation that crossed: the cooldown keeps the next resolve waiting.
sub crossings {
  my @crossings;
  for my $resolve ($origin->log(role => 'resolver')) {
    my ($from, $to) = ($resolve->{time} - 0.1, $resolve->{time} + COOLDOWN + 0.2);
    my $stream = $resolve->{stream};
    push @crossings, ["cooldown of $stream", $from, $to, $stream]
      if $resolve->{arguments} =~ /attempt=2/ && grep { $_ > $from && $_ < $to } @{$rotated{$stream}};
  }
  return @crossings;
}

sub restart {
  my ($role) = @_;
  my ($down, $at_the_same_time) = (0.2 + rand 0.6, rand() < 0.5);
  # A resolve that failed is not tried again before the cooldown is over.
  trouble($role, COOLDOWN + SETTLED, sub {
    $origin->kill_role($role);
    rotate() if $at_the_same_time;
    sleep $down;
    $origin->start_role($role);
  });
}

my %events = (
  rotation => \&rotate,
  resolver => sub { restart('resolver'); $happened{'kill of the resolver'}++ },
  origin => sub { restart('origin'); $happened{'kill of the origin'}++ },
  worker => sub {
    my @workers = $relay->workers;
    push @worker_pids, @workers;
    my $worker = $workers[rand @workers] // return;
    trouble('worker', SETTLED, sub { kill KILL => $worker });
    $happened{'kill of a worker'}++;
  },
  reload => sub { push @worker_pids, $relay->workers; kill HUP => $relay->{pid}; $happened{reload}++ },
);

sub rage {
  my ($end) = @_;
  my @bag;
  while (time < $end) {
    @bag = shuffle(qw(resolver origin worker reload), ('rotation') x 6) unless @bag;
    $events{shift @bag}->();
    my (undef, $descriptors, $kb) = burden();
    ($busy_descriptors, $busy_kb) = (max($busy_descriptors, $descriptors), max($busy_kb, $kb));
    sleep 0.3 + rand 0.9;
  }
}

# ---- how the workers are

sub descriptors { my ($pid) = @_; return scalar(() = glob "/proc/$pid/fd/*") }

sub anonymous_kb {
  my ($pid) = @_;
  open my $file, '<', "/proc/$pid/status" or return 0;
  my ($kb) = join('', <$file>) =~ /^RssAnon:\s+(\d+) kB/m;
  return $kb // 0;
}

# Of two workers: the greater number of descriptors, the greater memory in kB.
sub burden {
  my @workers = $relay->workers;
  push @worker_pids, @workers;
  return (scalar @workers, max(0, map { descriptors($_) } @workers),
          max(0, map { anonymous_kb($_) } @workers));
}

sub wait_until {
  my ($seconds, $condition) = @_;
  my $end = time + $seconds;
  while (time < $end) { return 1 if $condition->(); sleep 0.05 }
  return $condition->();
}

sub plays {
  my ($stream) = @_;
  open my $log, '>', '/dev/null' or die $!;
  for my $rendition (qw(lo hi)) {
    my $links = fetch_master($log, $stream) // return 0;
    my %segments = fetch_playlist($log, $stream, $rendition, $links->{$rendition}) or return 0;
    fetch_segment($log, $stream, $rendition, $_, $segments{$_}) // return 0 for
      (sort { $b <=> $a } keys %segments)[0 .. 4];
  }
  return 1;
}

# ---- the run

ok(plays($_), "$_ plays") for @names;
my (undef, $idle_descriptors, $idle_kb) = burden();
my $end = time + $seconds;
my @players = map { start_player($_, $end) } 1 .. PLAYERS;
srand $seed;
sleep 1;   # of peace
my $peace_over = time;
rage($end - 1);
for my $pid (@players) { waitpid $pid, 0; is($?, 0, 'a player ends') }

my $stopped = time;
for my $stream (@names) {
  $origin->rotate($stream);
  ok(wait_until(RECOVERY, sub { plays($stream) }), "$stream plays again");
}
diag sprintf 'all streams play %.2f s after the last player has left', time - $stopped;

# ---- what the players saw

my @seen = map { open my $log, '<', "$logs/$_" or die $!; map { chomp; [split /\t/] } <$log> } 1 .. PLAYERS;
my (%verdicts, @unexcused);
push @troubles, crossings();
for my $request (@seen) {
  my ($from, $to, $stream, $verdict, $what) = @$request;
  $verdicts{$verdict}++;
  next if $verdict eq 'ok';
  push @unexcused, sprintf '%.3f +%.3f %s %s: %s', $from - $peace_over, $to - $from, $stream, $what, $verdict
    unless grep { $from < $_->[2] && $to > $_->[1] && $stream eq ($_->[3] // $stream) } @troubles;
}
my $longest = max(0, map { $_->[1] - $_->[0] } @seen);
diag(join ', ', map { "$happened{$_} times $_" } sort keys %happened);
diag(scalar(@seen) . ' requests: ' . join ', ', map { "$verdicts{$_} $_" } sort keys %verdicts);
diag(sprintf 'longest request %.2f s, %d resolves, %d times 403 at the origin', $longest,
     scalar($origin->log(role => 'resolver')), scalar($origin->log(role => 'origin', status => 403)));

cmp_ok($verdicts{ok} // 0, '>', 20 * $seconds, 'many requests work');
is_deeply([map { "$_->[2] $_->[4]" } grep { $_->[3] eq 'wrong' } @seen], [], 'never a wrong byte');
cmp_ok($longest, '<', DEADLINE + CONNECT + READ, 'nobody waits without end');
is(join("\n", @unexcused), '', 'nothing fails but by a kill')
  or diag(join "\n", map {
    sprintf '%s %.3f to %.3f', $_->[0], $_->[1] - $peace_over, $_->[2] - $peace_over
  } @troubles);
for my $kind ('rotation', 'kill of the resolver', 'kill of the origin', 'kill of a worker', 'reload') {
  cmp_ok($happened{$kind} // 0, '>', 0, "there was a $kind");
}

# ---- what is left behind

ok(wait_until(10, sub { (burden())[0] == 2 && (burden())[1] <= $idle_descriptors + 4 }),
   'two workers, and no more descriptors than before');
my ($workers, $descriptors, $kb) = burden();
diag("descriptors of a worker: $idle_descriptors idle, $busy_descriptors busy, $descriptors when it is over");
diag("anonymous memory of a worker in kB: $idle_kb idle, $busy_kb busy, $kb when it is over");
cmp_ok($kb, '<', $idle_kb + 32 * 1024, 'memory is bounded');

my %pids = map { $_ => 1 } @worker_pids;
$relay->stop;
is_deeply([grep { -e "/proc/$_" } sort keys %pids], [], 'no worker is left');
finish();
