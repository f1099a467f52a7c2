#!/usr/bin/env perl

# ffmpeg plays every rendition of t/sample through the relay: frames and their times are those of playing the
# origin itself, from the start and after seeking. Nothing is set that ffmpeg does not do by itself.

use strict;
use warnings;

use FindBin;
use Test::More;

use lib "$FindBin::Bin/lib", "$FindBin::Bin/players";
use HlsTest;
use Sample;

use constant DEADLINE => 60;   # seconds for one ffmpeg

plan skip_all => 'no ffmpeg' if system('command -v ffmpeg > /dev/null') != 0;

# What t/sample holds: 16 s at 25 frames/s in 8 segments, AAC frames of 1024 samples at 44.1 kHz, a cue a second.
my %frames = (low => 400, mid => 400, fmp4 => 400, aes => 400, range => 400, iframes => 8, subs => 16, audio => 686);

# One line per decoded frame: times, size and MD5; and what ffmpeg complained about.
sub play {
  my ($url, %opt) = @_;
  my @command = ('timeout', DEADLINE, 'ffmpeg', '-nostdin', '-v', 'warning', @{$opt{before} // []}, '-i', $url,
                 @{$opt{after} // []}, '-f', 'framemd5', '-');
  pipe my $errors, my $errors_in or die "pipe: $!";
  my $pid = open(my $output, '-|') // die "fork: $!";
  if (!$pid) {
    open STDERR, '>&', $errors_in or POSIX::_exit(127);
    exec @command or POSIX::_exit(127);
  }
  close $errors_in;
  local $/;
  my $text = <$output> // '';
  close $output;
  my $status = $?;
  return { frames => [grep { !/^#/ } split /\n/, $text], status => $status, log => scalar <$errors> // '' };
}

# Addresses of memory and the URLs themselves differ between two runs; all else of the log should not.
sub plain_log {
  my ($log) = @_;
  $log =~ s/ @ 0x[0-9a-f]+//g;
  $log =~ s{http://\S+}{URL}g;
  return $log;
}

sub same_frames {
  my ($label, $direct_url, $relay_url, $count, %opt) = @_;
  subtest $label => sub {
    my ($direct, $relay) = map { play($_, %opt) } $direct_url, $relay_url;
    is($direct->{status}, 0, 'the origin plays') or diag($direct->{log});
    is($relay->{status}, 0, 'the relay plays');
    if (ref $count) { $count->(scalar @{$direct->{frames}}) }
    else { is(scalar @{$direct->{frames}}, $count, "$count frames from the origin") }
    is(plain_log($relay->{log}), plain_log($direct->{log}), 'ffmpeg has nothing more to say');
    is(join("\n", @{$relay->{frames}}), join("\n", @{$direct->{frames}}), 'the same frames');
  };
}

my $origin = start_sample_origin();
my $relay = start_relay($origin, url => sample_url($origin, '$p'), source => 'hosts 127.0.0.1;');
my $entry = entry_uri(p => 'master.m3u8');

my @renditions = renditions($origin, $relay, $entry);
is_deeply([sort map { $_->[0] } @renditions], [sort keys %frames], 'the relay names every rendition of the sample');
is(scalar(grep { $_->[2] =~ m{^http://127\.0\.0\.1:$relay->{port}/hls/playlist/} } @renditions), scalar @renditions,
   'and names them as links');

for my $rendition (@renditions) {
  my ($name, $direct, $through) = @$rendition;
  # Cues are compared as they are: they decode to nothing that has a checksum.
  my @streams = $name eq 'subs' ? ('-map', '0:s', '-c', 'copy') : ('-map', $name eq 'audio' ? '0:a' : '0:v');
  same_frames($name, $direct, $through, $frames{$name}, after => \@streams);

  my $some = sub { cmp_ok($_[0], '>', 0, 'frames after the seek'); cmp_ok($_[0], '<', $frames{$name}, 'and not all') };
  same_frames("$name, demuxer seeks", $direct, $through, $some, before => [qw(-ss 7.3)], after => \@streams);
  same_frames("$name, decodes up to the point", $direct, $through, $some, after => [qw(-ss 7.3), @streams]);
}

# All at once, by ffmpeg's own following of the multivariant playlist.
my @video = grep { !/audio|subs|iframes/ } keys %frames;
same_frames('multivariant, every stream', sample_url($origin, 'master.m3u8'),
            "http://127.0.0.1:$relay->{port}$entry", sub { cmp_ok($_[0], '>=', 400 * @video + $frames{audio}, 'all frames') },
            after => [qw(-map 0:v -map 0:a)]);
same_frames('multivariant, ffmpeg chooses, seeks', sample_url($origin, 'master.m3u8'),
            "http://127.0.0.1:$relay->{port}$entry", sub { cmp_ok($_[0], '>', 200, 'frames') },
            before => [qw(-ss 5.9)]);

finish();
