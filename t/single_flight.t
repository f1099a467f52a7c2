use strict;
use warnings;
use lib 't/lib';
use IO::Select;
use Test::More;
use Time::HiRes qw(sleep time);
use HlsTest;
use HlsTest::RotatingOrigin;

# Many want the same at once: one resolve, over all workers, whoever leaves or dies meanwhile.

use constant MANY => 500;
use constant DEADLINE => 4;   # seconds, of the source
use constant SLACK => 6;      # a machine with other things to do

my $origin = HlsTest::RotatingOrigin->start;
my $nginx = start_relay($origin, resolver => 1, workers => 2, connections => 4096,
  main => 'worker_rlimit_nofile 8192;',
  allow => qr/exited on signal 9|shared memory zone.*was locked by/,
    source => 'ttl 1h; cooldown 1s; deadline ' . DEADLINE . 's;',
  server => 'location = /counters { hls_proxy_status prometheus; }');
my $files = vod(count => 4);

sub resolves_of { my ($name) = @_; return scalar(my @r = $origin->resolves($name)) }
sub counter { my ($name) = @_; return $nginx->get('/counters')->{body} =~ /^hls_proxy_${name}_total (\d+)$/m
  ? $1 : -1 }

# Requests that are sent at once: [{ socket, raw, how, took }], to be read by answers().
sub start_clients {
  my (@uris) = @_;
  my @clients = map { { uri => $_, socket => HlsTest::Client::connect_to($nginx->{port}), raw => '',
    how => 'nothing' } } @uris;
  HlsTest::Client::send_all($_->{socket}, HlsTest::Client::request_bytes($nginx->{port}, $_->{uri}))
    for @clients;
  $_->{socket}->blocking(0) for @clients;
  return @clients;
}

# Reads until all are closed, or for so many seconds. Those that got no end have how "deadline".
sub answers {
  my ($seconds, @clients) = @_;
  my ($began, %of) = (time, map { $_->{socket} => $_ } @clients);
  my $select = IO::Select->new(map { $_->{socket} } @clients);
  while ($select->count && time < $began + $seconds) {
    for my $socket ($select->can_read(0.5)) {
      my $client = $of{$socket};
      my $size = sysread $socket, $client->{raw}, 65536, length $client->{raw};
      next if $size || (!defined $size && $!{EAGAIN});
      $client->{how} = defined $size ? 'closed' : 'reset';
      $client->{took} = time - $began;
      $select->remove($socket);
      close $socket;
    }
  }
  $_->{how} = 'deadline' for map { $of{$_} } $select->handles;
  return map { { %$_, r => HlsTest::Client::parse_response($_->{raw}, $_->{how}, 'GET') } } @clients;
}

sub statuses {
  my (@answers) = @_;
  my %count;
  ++$count{$_->{how} eq 'deadline' ? 'hangs' : $_->{r}{status} || $_->{how}} for @answers;
  return join ', ', map { "$count{$_} x $_" } sort keys %count;
}

sub timing {
  my (@answers) = @_;
  my @took = sort { $a <=> $b } map { $_->{took} // 99 } @answers;
  note(sprintf 'first after %.0f ms, half after %.0f ms, all after %.0f ms', map { 1000 * $_ } @took[0,
    @took / 2, -1]);
}

sub wait_for_waits {
  my ($count) = @_;
  my $end = time + 20;
  sleep 0.02 while counter('waits') < $count && time < $end;
  return counter('waits');
}

subtest 'many start a stream' => sub {
  $origin->stream('start', files => $files, answer => { gate => 'start', pad => 6000 });
  my $waits = counter('waits');
  my @clients = start_clients((entry_uri(p => 'start')) x MANY);
  is(wait_for_waits($waits + MANY - 1), $waits + MANY - 1, 'all but one wait');
  is(resolves_of('start'), 1, 'for one resolve');
  $origin->release('start');
  my @answers = answers(30, @clients);
  is(statuses(@answers), MANY . ' x 200', 'all get the playlist');
  my %bodies = map { $_->{r}{body} => 1 } @answers;
  is(scalar keys %bodies, 1, 'the same one');
  is(resolves_of('start'), 1, 'one resolve');
  timing(@answers);
};

subtest 'many start a dead stream' => sub {
  $origin->stream('undead', files => $files, answer => { gate => 'undead', status => 404, body => 'no' });
  my $waits = counter('waits');
  my @clients = start_clients((entry_uri(p => 'undead')) x MANY);
  is(wait_for_waits($waits + MANY - 1), $waits + MANY - 1, 'all but one wait');
  $origin->release('undead');
  my @answers = answers(30, @clients);
  is(statuses(@answers), MANY . ' x 404', 'all get its status');
  is(resolves_of('undead'), 1, 'one resolve');
  timing(@answers);
};

subtest 'the URL of a stream that many start is dead' => sub {
  $origin->stream('stale', files => $files);
  open_stream($nginx, 'stale', $files);
  $origin->rotate('stale')->update('stale', answer => { gate => 'stale' })->clear;
  my $waits = counter('waits');
  my @clients = start_clients((entry_uri(p => 'stale')) x MANY);
  is(wait_for_waits($waits + MANY - 1), $waits + MANY - 1, 'all but one wait');
  $origin->release('stale');
  my @answers = answers(30, @clients);
  is(statuses(@answers), MANY . ' x 200', 'all get the playlist');
  is(resolves_of('stale'), 1, 'one resolve');
  timing(@answers);
};

subtest 'many hit a dying segment' => sub {
  my %cases = ('one segment' => [('lo/seg-1.ts') x MANY],
    'all segments' => [map { "lo/seg-" . $_ % 4 . '.ts' } 1 .. MANY]);
  for my $what (sort keys %cases) {
    my $name = $what =~ /all/ ? 'segments' : 'segment';
    $origin->stream($name, files => $files);
    my $links = open_stream($nginx, $name, $files);
    $origin->rotate($name)->update($name, answer => { gate => $name })->clear;
    my @names = @{$cases{$what}};
    my $waits = counter('waits');
    my @clients = start_clients(map { $links->{$_} } @names);
    is(wait_for_waits($waits + MANY - 1), $waits + MANY - 1, "$what: all but one wait");
    is(resolves_of($name), 1, 'for one resolve');
    $origin->release($name);
    my @answers = answers(30, @clients);
    is(statuses(@answers), MANY . ' x 200', 'all get an answer');
    my @wrong = grep { $answers[$_]{r}{body} ne bytes_of("$name/$names[$_]") } 0 .. $#answers;
    is(scalar @wrong, 0, 'the right bytes');
    is(resolves_of($name), 1, 'one resolve');
    my @fresh = grep { $_->{file} =~ /m3u8/ } $origin->asked(stream => $name, generation => 1);
    cmp_ok(scalar @fresh, '<=', 4, 'each worker fetched its fresh playlists once');
    timing(@answers);
  }
};

subtest 'who started it leaves' => sub {
  $origin->stream('left', files => $files, answer => { gate => 'left' });
  my $waits = counter('waits');
  my ($first) = start_clients(entry_uri(p => 'left'));
  is(scalar(my @r = $origin->wait_for_resolves('left', 1)), 1, 'the first one asks');
  my @others = start_clients((entry_uri(p => 'left')) x 10);
  is(wait_for_waits($waits + 10), $waits + 10, 'the others wait');
  close $first->{socket};
  my $end = time + 5;
  sleep 0.01 until $nginx->error_log =~ /client prematurely closed|client.*closed connection/ || time > $end;
  $origin->release('left');
  is(statuses(answers(20, @others)), '10 x 200', 'and get the playlist all the same');
  is(resolves_of('left'), 1, 'one resolve');

  $origin->stream('all-left', files => $files, answer => { gate => 'all-left' });
  ($first) = start_clients(entry_uri(p => 'all-left'));
  $origin->wait_for_resolves('all-left', 1);
  close $first->{socket};
  $origin->release('all-left');
  is($nginx->get(entry_uri(p => 'all-left'))->{status}, 200, 'nobody waits: the next one gets the answer');
  is(resolves_of('all-left'), 1, 'of the one resolve');

  $origin->stream('left-segment', files => $files);
  my $links = open_stream($nginx, 'left-segment', $files);
  $origin->rotate('left-segment')->update('left-segment', answer => { gate => 'left-segment' })->clear;
  ($first) = start_clients($links->{'lo/seg-0.ts'});
  $origin->wait_for_resolves('left-segment', 1);
  $waits = counter('waits');
  @others = start_clients(map { $links->{'lo/seg-1.ts'} } 1 .. 10);
  is(wait_for_waits($waits + 10), $waits + 10, 'others wait for a segment');
  close $first->{socket};
  $origin->release('left-segment');
  my @answers = answers(20, @others);
  is(statuses(@answers), '10 x 200', 'and get it');
  is(scalar(grep { $_->{r}{body} ne bytes_of('left-segment/lo/seg-1.ts') } @answers), 0, 'the right one');
  is(resolves_of('left-segment'), 1, 'one resolve');
};

subtest 'the resolver dies' => sub {
  $origin->stream('orphan', files => $files, answer => { gate => 'orphan' });
  my $waits = counter('waits');
  my @clients = start_clients((entry_uri(p => 'orphan')) x 50);
  is(wait_for_waits($waits + 49), $waits + 49, 'all but one wait');
  $origin->close_address($HlsTest::RotatingOrigin::RESOLVER);
  my @answers = answers(DEADLINE + SLACK, @clients);
  is(statuses(@answers), '50 x 502', 'all get 502');
  timing(@answers);
  $origin->update('orphan', answer => {})->open_address($HlsTest::RotatingOrigin::RESOLVER);
  my ($status, $end) = (0, time + 10);
  do { sleep 0.1; $status = $nginx->get(entry_uri(p => 'orphan'))->{status} } until $status == 200
    || time > $end;
  is($status, 200, 'it comes back');
};

subtest 'the resolver never answers' => sub {
  $origin->stream('never', files => $files);
  my $links = open_stream($nginx, 'never', $files);
  $origin->rotate('never')->update('never', answer => { gate => 'never' });
  $origin->stream('nothing', files => $files, answer => { gate => 'never' });
  my $began = time;
  my @clients = start_clients((entry_uri(p => 'nothing')) x 30, ($links->{'lo/seg-0.ts'}) x 30);
  my @answers = answers(DEADLINE + SLACK, @clients);
  is(statuses(@answers[0 .. 29]), '30 x 504', 'entries: 504 at the deadline');
  is(statuses(@answers[30 .. 59]), '30 x 403', "links: the origin's status");
  cmp_ok(time - $began, '<', DEADLINE + SLACK, 'nobody waits past the deadline');
  timing(@answers);
};

# The process that has the connection whose local port this is.
sub process_of_port {
  my ($port, @pids) = @_;
  open my $file, '<', '/proc/net/tcp' or return;
  my ($inode) = map { (split)[9] } grep { (split)[1] =~ /:(\w+)$/ && hex $1 == $port
    && (split)[3] eq '01' } <$file>;
  return unless $inode;
  for my $pid (@pids) {
    for my $link (glob "/proc/$pid/fd/*") { return $pid if (readlink $link // '') eq "socket:[$inode]" }
  }
  return;
}

subtest 'kill -9 of the worker that resolves' => sub {
  for my $what ('entry', 'segment') {
    my $name = "killed-$what";
    $origin->stream($name, files => $files, $what eq 'entry' ? (answer => { gate => $name }) : ());
    my $links = $what eq 'entry' ? {} : open_stream($nginx, $name, $files);
    $origin->rotate($name)->update($name, answer => { gate => $name }) if $what eq 'segment';
    $origin->clear;
    my $waits = counter('waits');
    my @clients = start_clients(($what eq 'entry' ? entry_uri(p => $name) : $links->{'lo/seg-0.ts'}) x 60);
    is(wait_for_waits($waits + 59), $waits + 59, "$what: all but one wait");
    my ($resolve) = $origin->wait_for_resolves($name, 1);
    my $pid = process_of_port($resolve->{peer}, $nginx->workers);
    ok($pid, 'found the worker that resolves') or next;
    $origin->update($name, answer => {});
    kill KILL => $pid;
    my @answers = answers(DEADLINE + SLACK, @clients);
    like(statuses(@answers), qr/^(?:\d+ x 200(?:, |$))?(?:\d+ x (?:reset|closed)(?:, |$))*$/,
      "its own clients lose their connections, the others get their answer: " . statuses(@answers));
    is(scalar(grep { $_->{r}{status} == 200 && $what eq 'segment'
      && $_->{r}{body} ne bytes_of("$name/lo/seg-0.ts") } @answers), 0, 'the right one');
    cmp_ok(resolves_of($name), '<=', 2, 'one more resolve at most');
    timing(@answers);
    my $end = time + 10;
    my $r;
    do { $r = eval { $nginx->get($what eq 'entry' ? entry_uri(p => $name) : $links->{'lo/seg-1.ts'}) } }
      until ($r && $r->{status} == 200) || time > $end;
    is($r && $r->{status}, 200, 'it plays afterwards');
  }
};

subtest 'reload while resolving' => sub {
  for my $answers ('answers', 'never answers') {
    my $name = $answers eq 'answers' ? 'reloaded' : 'reloaded-never';
    $origin->stream($name, files => $files, answer => { gate => $name });
    my $waits = counter('waits');
    my @clients = start_clients((entry_uri(p => $name)) x 20);
    is(wait_for_waits($waits + 19), $waits + 19, "a resolver that $answers: all but one wait");
    my %old = map { $_ => 1 } $nginx->workers;
    kill HUP => $nginx->{pid};
    my $end = time + 10;
    sleep 0.01 until 2 <= grep({ !$old{$_} } $nginx->workers) || time > $end;
    my @late = start_clients((entry_uri(p => $name)) x 20);
    if ($answers eq 'answers') {
      # They are in the new workers, and wait for the old one.
      is(wait_for_waits($waits + 39), $waits + 39, 'those of the new workers wait for the old one');
      $origin->release($name);
    }
    my @answers = answers(DEADLINE + SLACK, @clients, @late);
    is(statuses(@answers), '40 x ' . ($answers eq 'answers' ? 200 : 504), 'all get their answer');
    cmp_ok(resolves_of($name), '<=', $answers eq 'answers' ? 1 : 2, 'of one resolve');
    timing(@answers);
    $end = time + 20;
    sleep 0.05 while time < $end && grep { $old{$_} } $nginx->workers;
    is(scalar(grep { $old{$_} } $nginx->workers), 0, 'the old workers have gone');
  }
};

finish();
