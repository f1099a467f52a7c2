#!/usr/bin/env perl

# ffmpeg plays films whose URLs die again and again while it plays: every few segments the origin answers all
# URLs that it gave out before with 403. Through the relay, frames and times are those of a film that never
# moves.

use strict;
use warnings;

use File::Temp ();
use FindBin;
use POSIX ();
use Test::More;

use lib "$FindBin::Bin/lib", "$FindBin::Bin/players";
use Film;
use HlsTest;
use HlsTest::SampleOrigin;

use constant DEADLINE => 60;      # seconds for one ffmpeg
use constant ROTATIONS => 10;     # while a film plays, at least

plan skip_all => 'no ffmpeg' if system('command -v ffmpeg > /dev/null') != 0;

# A play of all streams is 4 times 30 segments.
my $film = make_film();
my %every = (query => 9, host => 7, path => 5, all => 3);
my %moving = map { ($_ => { files => $film, mode => $_, every => $every{$_} }) } keys %every;
my %by_hand = map { ("by_hand_$_" => { files => $film, mode => $_ }) } qw(query host path all);
my $origin = HlsTest::SampleOrigin->start(
  streams => { still => { files => $film }, lost => { files => $film, every => 9 }, %moving, %by_hand });
my $relay = start_relay($origin, resolver => 1, source => 'hosts 127.0.0.1 127.0.0.2; cooldown 0;');
my $base = "http://127.0.0.1:$relay->{port}";
my $logs = File::Temp->newdir;

# frames: a line per decoded frame, with its times, size and MD5; log: what ffmpeg complained about.
sub play {
  my ($url, %opt) = @_;
  my @command = ('timeout', DEADLINE, 'ffmpeg', '-nostdin', '-v', 'warning',
                 @{$opt{before} // []}, '-i', $url, @{$opt{after} // []}, '-f', 'framemd5', '-');
  my $pid = open(my $output, '-|') // die "fork: $!";
  if (!$pid) {
    open STDERR, '>', "$logs/log" or POSIX::_exit(127);
    exec @command or POSIX::_exit(127);
  }
  my @frames = grep { !/^#/ } <$output>;
  close $output;
  my $status = $?;
  open my $file, '<', "$logs/log" or die "$logs/log: $!";
  my @lines = <$file>;
  s/ @ 0x[0-9a-f]+//g, s{http://\S+}{URL}g for @lines;
  return { frames => \@frames, status => $status, log => join '', sort @lines };
}

sub same_play {
  my ($got, $want) = @_;
  is($got->{status}, 0, 'ffmpeg ends well');
  is($got->{log}, $want->{log}, 'it complains of nothing that the still film does not have');
  is(scalar @{$got->{frames}}, scalar @{$want->{frames}}, 'as many frames');
  is(join('', @{$got->{frames}}), join('', @{$want->{frames}}), 'the same frames');
}

# What the origin saw of a stream since it had `before` rotations.
sub accounts {
  my ($stream, $before) = @_;
  my $rotations = $origin->generation($stream) - $before;
  my @resolves = $origin->log(role => 'resolver', stream => $stream);
  my @dead = $origin->log(role => 'origin', stream => $stream, status => 403);
  my %of;
  $of{$_->{generation}}++ for @resolves;
  note sprintf '%s: %d rotations, %d resolves, %d times 403', $stream, $rotations, scalar @resolves,
    scalar @dead;
  is_deeply([grep { $of{$_} > 1 } sort keys %of], [], 'no generation was resolved twice');
  is_deeply([grep { $_->{arguments} !~ /&attempt=2&status=403$/ } @resolves[1 .. $#resolves]], [],
            'after the first, resolves say what died');
  return ($rotations, scalar @resolves, scalar @dead);
}

# 60 s at 25 frames/s, and 59.95 s of 44.1 kHz in frames of 1024 samples with one of priming.
my @everything = qw(-map 0:v -map 0:a);
my $still = play($origin->url('still', 'master.m3u8'), after => \@everything);
is($still->{status}, 0, 'the film plays where it does not move') or diag($still->{log});
is(scalar @{$still->{frames}}, 3 * 1500 + 2583, 'all of its frames');
my $lost = play($origin->url('lost', 'master.m3u8'), after => \@everything);
ok(@{$lost->{frames}} < @{$still->{frames}} && $lost->{log} =~ /HTTP error 403/,
   'without the relay, one that moves is lost');

for my $mode (sort keys %moving) {
  subtest "rotating: $mode" => sub {
    same_play(play($base . entry_uri(p => $mode), after => \@everything), $still);
    my ($rotations, $resolves, $dead) = accounts($mode, 0);
    cmp_ok($rotations, '>=', ROTATIONS, 'rotations');
    # Each generation but the last is seen to be alive, and so is every one that is resolved.
    cmp_ok($resolves, '>=', $rotations, 'a resolve for each');
    cmp_ok($resolves, '<=', $rotations + 1, 'and no more');
    # ffmpeg has one request under way at a time. What it asks for when the URLs die is found dead, or the
    # playlist where its successor is looked for, and then it. All others are known to be dead.
    cmp_ok($dead, '<=', 2 * $rotations, 'few URLs are found dead in each');
  };
}

# A player that kept a rendition's playlist, or its address, and goes on after the film has moved.
# ffmpeg 5.1 loses its way in fragmented MP4 when it seeks.
my @order = $film->{'master.m3u8'} =~ m{(\w+)/index\.m3u8}g;
my @seek = (before => [qw(-ss 31.3)], after => [qw(-map 0:v)]);
my %reference = map { $_ => play($origin->url('still', "$_/index.m3u8"), @seek) } qw(ts aes);
cmp_ok(scalar @{$reference{$_}{frames}}, '>', 25 * 28, "$_: the still film has frames from 31.3 s on")
  for sort keys %reference;
for my $mode (sort keys %moving) {
  my $stream = "by_hand_$mode";
  my @links = map { /^http/ ? $_ : "$base$_" } find_links($relay->get(entry_uri(p => $stream))->{body});
  my %link = map { $order[$_] => $links[$_] } 0 .. $#order;
  for my $rendition (sort keys %reference) {
    subtest "rotating by hand: $mode, $rendition, seeks to 31.3 s" => sub {
      play($link{$rendition}, before => [qw(-t 5)], after => [qw(-map 0:v)]);
      my $before = $origin->generation($stream);
      $origin->rotate($stream);
      same_play(play($link{$rendition}, @seek), $reference{$rendition});
      my ($rotations, $resolves, $dead) = accounts($stream, $before);
      is($resolves, $origin->generation($stream) + 1, 'one resolve for it');
      is($dead, $origin->generation($stream), 'one URL was found dead');
    };
  }
}

finish();
