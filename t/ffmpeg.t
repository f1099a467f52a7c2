#!/usr/bin/env perl

# ffmpeg plays every rendition of t/sample through the relay: frames and their times are those of playing the
# origin itself, from the start and after seeking. Nothing is set that ffmpeg does not do by itself.

use strict;
use warnings;

use File::Temp ();
use FindBin;
use POSIX ();
use Test::More;

use lib "$FindBin::Bin/lib", "$FindBin::Bin/players";
use HlsTest;
use Sample;

use constant DEADLINE => 60;   # seconds for one ffmpeg

plan skip_all => 'no ffmpeg' if system('command -v ffmpeg > /dev/null') != 0;

# What t/sample holds: 16 s at 25 frames/s in 8 segments; 15.95 s of AAC at 44.1 kHz, which are 687 frames of
# 1024 samples and one of priming; a cue a second.
my %frames = (
  low => 400, mid => 400, fmp4 => 400, aes => 400, range => 400, iframes => 8, subs => 16, audio => 688,
);

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
  return { frames => \@frames, status => $?, log => read_log() };
}

# Addresses of memory, URIs and the order of threads differ between two runs; all else should not.
sub read_log {
  open my $file, '<', "$logs/log" or return '';
  my @lines = <$file>;
  s/ @ 0x[0-9a-f]+//g, s/\(uri: [^)]*\)/(uri)/g, s{http://\S+}{URL}g for @lines;
  return join '', sort @lines;
}

# `count`: how many frames there are; after a seek [more than, less than].
sub same_frames {
  my ($label, $direct_url, $relay_url, $count, %opt) = @_;
  subtest $label => sub {
    my ($direct, $relay) = map { play($_, %opt) } $direct_url, $relay_url;
    my $frames = @{$direct->{frames}};
    plan skip_all => "this ffmpeg decodes nothing of it from the origin" if !$frames && $opt{may_fail};
    is($direct->{status}, 0, 'the origin plays') or diag($direct->{log});
    is($relay->{status}, 0, 'the relay plays');
    if (ref $count) { ok($frames > $count->[0] && $frames < $count->[1], "$frames frames from the origin") }
    else { is($frames, $count, "$count frames from the origin") }
    is($relay->{log}, $direct->{log}, 'ffmpeg complains of nothing else');
    is(join('', @{$relay->{frames}}), join('', @{$direct->{frames}}), 'the same frames');
  };
}

my $origin = start_sample_origin();
my $relay = start_relay($origin, url => sample_url($origin, '$p'), source => 'hosts 127.0.0.1;');
my $entry = entry_uri(p => 'master.m3u8');

my @renditions = renditions($origin, $relay, $entry);
my @links = grep { $_->[2] =~ m{^http://127\.0\.0\.1:$relay->{port}/hls/playlist/} } @renditions;
is_deeply([sort map { $_->[0] } @links], [sort keys %frames], 'the relay has a link for every rendition');

for my $rendition (@renditions) {
  my ($name, $direct, $through) = @$rendition;
  # Cues are compared as they are: they decode to nothing that has a checksum.
  my @streams = $name eq 'subs' ? ('-map', '0:s', '-c', 'copy') : ('-map', $name eq 'audio' ? '0:a' : '0:v');
  same_frames($name, $direct, $through, $frames{$name}, after => \@streams);

  # Of 16 s, 8.7 are left, and what the demuxer gives before its point.
  my $rest = [$frames{$name} * 0.45, $frames{$name} * 0.7];
  same_frames("$name, decodes up to 7.3 s", $direct, $through, $rest, after => ['-ss', 7.3, @streams]);
  # ffmpeg 5.1 loses its way in fragmented MP4 when the demuxer seeks.
  same_frames("$name, seeks to 7.3 s", $direct, $through, $rest, before => ['-ss', 7.3], after => \@streams,
              may_fail => $name eq 'fmp4');
}

# All at once, by ffmpeg's own following of the multivariant playlist: five video renditions and the audio.
my ($direct, $through) = (sample_url($origin, 'master.m3u8'), "http://127.0.0.1:$relay->{port}$entry");
same_frames('multivariant, every stream', $direct, $through, 5 * $frames{mid} + $frames{audio},
            after => [qw(-map 0:v -map 0:a)]);
same_frames('multivariant, ffmpeg chooses and seeks', $direct, $through, [350, 750], before => ['-ss', 5.9]);

finish();
