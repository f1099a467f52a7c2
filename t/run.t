#!/usr/bin/env perl

# ./build.sh run: a page, an entry, a stream that plays on when its URLs have died; and nothing is left of it
# afterwards.

use strict;
use warnings;

use FindBin;
use IO::Select;
use POSIX qw(WNOHANG);
use Test::More;
use Time::HiRes qw(sleep time);

use lib "$FindBin::Bin/lib";
use HlsTest;

use constant DEADLINE => 60;

my $root = HlsTest::Nginx::root();

# Starts the command with both outputs joined; they are read by wait_for() and rest().
sub start {
  my (%env) = @_;
  pipe my $output, my $input or die "pipe: $!";
  my $pid = fork // die "fork: $!";
  if (!$pid) {
    setpgrp;
    local @ENV{keys %env} = values %env;
    open STDOUT, '>&', $input and open STDERR, '>&', $input or POSIX::_exit(126);
    exec "$root/build.sh", 'run' or POSIX::_exit(127);
  }
  close $input;
  return { pid => $pid, output => $output, text => '' };
}

sub wait_for {
  my ($run, $pattern) = @_;
  my $select = IO::Select->new($run->{output});
  my $end = time + DEADLINE;
  while ($run->{text} !~ $pattern) {
    return 0 if time > $end;
    next unless $select->can_read(0.5);
    sysread($run->{output}, $run->{text}, 4096, length $run->{text}) or return 0;
  }
  return 1;
}

# Its exit status, or undef when it does not end (then it is killed).
sub ended {
  my ($run) = @_;
  wait_for($run, qr/\A(?!)/);   # never matches: all output, up to the end
  my $end = time + 10;
  while (time < $end) {
    return $? >> 8 if waitpid($run->{pid}, WNOHANG) == $run->{pid};
    sleep 0.05;
  }
  kill KILL => -$run->{pid};
  waitpid $run->{pid}, 0;
  return undef;
}

sub listens {
  my ($port) = @_;
  return defined IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $port, Timeout => 2);
}

sub fetch {
  my ($url) = @_;
  open my $curl, '-|', 'curl', '-s', '-m', 20, '-w', '\n%{http_code}', $url or die "curl: $!";
  local $/;
  my ($body, $status) = (<$curl> // '') =~ /\A(.*)\n(\d+)\z/s;
  return ($status // 0, $body // '');
}

sub slurp {
  my ($path) = @_;
  open my $file, '<', $path or die "$path: $!";
  local $/;
  return scalar <$file>;
}

# The first line of a log behind an offset that matches; it may be up to ten seconds late.
sub log_line {
  my ($path, $from, $match) = @_;
  my $end = time + 10;
  while (time < $end) {
    my ($line) = grep { $_ =~ $match } substr(slurp($path), $from) =~ /^(.*)\n/mg;
    return $line if defined $line;
    sleep 0.02;
  }
  return 'no line';
}

# The example's tokens are the time, cut to ten seconds: waits until those of now are dead.
sub outlive_tokens {
  my $now = int(time / 10);
  sleep 0.05 while int(time / 10) == $now;
}

sub counter {
  my ($site, $name) = @_;
  my ($status, $text) = fetch("$site/metrics");
  return $status == 200 && $text =~ /^\Q$name\E (\d+)$/m ? $1 : -1000;
}

# What a player goes through that got its playlists before the tokens died.
sub check_refresh {
  my ($site, $prefix) = @_;
  my ($resolves, $deaths) = ('hls_proxy_resolves_total', 'hls_proxy_refreshes_total{cause="403"}');
  my ($master) = (fetch("$site/demo.m3u8"))[1];
  my ($low) = $master =~ /RESOLUTION=160x90[^\n]*\n(\S+)/;
  my ($status, $media) = fetch($site . ($low // '/none'));
  my @segments = $media =~ m{^(/hls/media/\S+)}mg;
  is_deeply([$status, scalar @segments], [200, 8], 'a media playlist with its eight segments') or return;

  my $log = "$prefix/logs/access.log";
  my ($from, $resolved, $died) = (-s $log, counter($site, $resolves), counter($site, $deaths));
  outlive_tokens();
  my @want = (
    [qr/ 200 \d+ .*upstream="403 : 200" attempt=2 refreshed=1 /, 'the first one after that: dead, and refreshed'],
    [qr/ 200 \d+ .*upstream="200" attempt=1 refreshed=1 /, 'the next one: straight to its fresh URL'],
  );
  for my $n (0, 1) {
    my ($line, $what) = @{$want[$n]};
    my ($status, $body) = fetch("$site$segments[$n]");
    is($status, 200, "$what: its status");
    ok($body eq slurp("$root/t/sample/low/seg$n.ts"), "$what: its bytes, as the origin has them");
    like(log_line($log, $from, qr{/seg$n\.ts" }), $line, "$what: its log line");
  }
  is((fetch($site . $low))[0], 200, 'the old link of the playlist');
  is(counter($site, $deaths) - $died, 1, 'one link was found dead');
  is(counter($site, $resolves) - $resolved, 1, 'one resolve was for all of them');
}

plan skip_all => 'no curl' if system('command -v curl >/dev/null') != 0;

my $port = HlsTest::Nginx::free_port();
my $prefix = "$root/.build/run-test";   # not the one that a user's relay runs from
my %env = (PORT => $port, NO_APT => 1, RUN_PREFIX => $prefix);

for my $signal (qw(INT TERM)) {
  my $run = start(%env);
  ok(wait_for($run, qr/Requests:/), "$signal: it starts") or diag($run->{text});
  my ($entry) = $run->{text} =~ /^ *Entry +(\S+)/m;
  my ($page) = $run->{text} =~ /^ *Open +(\S+)/m;
  my ($simple) = $run->{text} =~ /curl -s (\S+)/;
  is($page, "http://localhost:$port/", 'its page has the port that was asked for');
  is_deeply([(fetch($page))[0], (fetch($page))[1] =~ /<video/ ? 'video' : ''], [200, 'video'], 'the page');
  for ($entry, $simple) {
    my ($status, $body) = fetch($_ // 'http://localhost:0/');
    is($status, 200, 'a playlist');
    is(scalar(() = $body =~ m{^/hls/playlist/}mg), 5, 'with its five variants');
  }
  (my $forged = $entry) =~ s/(.)$/$1 eq '0' ? '1' : '0'/e;
  is((fetch($forged))[0], 403, 'an entry with another signature');
  my ($origin) = slurp("$prefix/conf/nginx.conf") =~ /listen 127\.0\.0\.1:(\d+);/;
  is((fetch("http://127.0.0.1:$origin/demo/master.m3u8"))[0], 403, 'the origin wants a token');
  is((fetch("http://localhost:$port/_resolve?name=demo"))[0], 404, 'who resolves is not to be asked from outside');
  check_refresh("http://localhost:$port", $prefix) if $signal eq 'INT';   # ten seconds are spent once

  my $second = start(%env);
  isnt(ended($second), 0, 'a second one on that port ends');
  like($second->{text}, qr/port $port is taken.*PORT=\d+/, 'and says why');
  my $third = start(%env, PORT => HlsTest::Nginx::free_port());
  isnt(ended($third), 0, 'so does one on another port but from the same prefix');
  like($third->{text}, qr/runs from .* already/, 'and says why');

  # As the terminal's Ctrl-C does, to all of the group; TERM to the command alone.
  kill $signal, $signal eq 'INT' ? -$run->{pid} : $run->{pid};
  is(ended($run), 0, "$signal ends it");
  like($run->{text}, qr/nginx has stopped\n\z/, 'it says so');
  ok(!listens($port) && !listens($origin), 'and its nginx is gone');
  unlike(slurp("$prefix/logs/$_.log"), qr/sig=|token=/, "no signature or token in the $_ log") for qw(access error);
}

done_testing();
