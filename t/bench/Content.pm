package Content;

# What the origin of the benchmark serves: playlists of the shapes that matter, segments of MPEG-TS.

use strict;
use warnings;

sub write_file {
  my ($path, $bytes) = @_;
  open my $file, '>:raw', $path or die "$path: $!";
  print $file $bytes;
  close $file or die "$path: $!";
}

# MPEG-TS null packets: sync byte, PID 0x1fff, payload only.
sub segment {
  my ($size) = @_;
  my $packet = "\x47\x1f\xff\x10" . "\xff" x 184;
  return substr $packet x ($size / 188 + 1), 0, $size;
}

# `uri`: a sub from the number of a segment to its URI.
sub media_playlist {
  my ($first, $count, $vod, $uri) = @_;
  my $text = "#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:6\n#EXT-X-MEDIA-SEQUENCE:$first\n";
  $text .= "#EXT-X-PLAYLIST-TYPE:VOD\n" if $vod;
  $text .= "#EXTINF:6.006,\n" . $uri->($_) . "\n" for $first .. $first + $count - 1;
  $text .= "#EXT-X-ENDLIST\n" if $vod;
  return $text;
}

# 20 URIs: 4 audio renditions, 2 of subtitles, 12 variants, 2 I-frame playlists.
sub multivariant {
  my $text = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n";
  for my $language (qw(en de fr es)) {
    $text .= qq{#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="aac",NAME="$language",LANGUAGE="$language",AUTOSELECT=YES,}
      . qq{CHANNELS="2",URI="audio-$language/index.m3u8"\n};
  }
  for my $language (qw(en de)) {
    $text .= qq{#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="text",NAME="$language",LANGUAGE="$language",}
      . qq{AUTOSELECT=YES,FORCED=NO,URI="text-$language/index.m3u8"\n};
  }
  for my $height (map { $_ * 90 } 1 .. 12) {
    my $width = int $height * 16 / 9;
    $text .= sprintf qq{#EXT-X-STREAM-INF:BANDWIDTH=%d,AVERAGE-BANDWIDTH=%d,CODECS="avc1.640028,mp4a.40.2",}
      . qq{RESOLUTION=%dx%d,FRAME-RATE=25.000,AUDIO="aac",SUBTITLES="text"\nvideo-%dp/index.m3u8\n},
      $height * 6000, $height * 5000, $width, $height, $height;
  }
  for my $height (360, 720) {
    $text .= sprintf qq{#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=%d,CODECS="avc1.640028",RESOLUTION=%dx%d,}
      . qq{URI="video-%dp/iframes.m3u8"\n}, $height * 900, $height * 16 / 9, $height, $height;
  }
  return $text;
}

# Names every playlist below, so that their links can be had from one entry.
sub index_of {
  my (@names) = @_;
  return "#EXTM3U\n" . join '', map { "#EXT-X-STREAM-INF:BANDWIDTH=100000\n$_\n" } @names;
}

# A URI as CDNs with tokens in the query write it: absolute, about 170 bytes.
sub token_uri {
  my ($port) = @_;
  return sub {
    my ($n) = @_;
    return sprintf 'http://127.0.0.1:%d/vod/8c1e5f0a7b2d4963/1080p/segment-%05d-v1-a1.ts?expires=1999999999'
      . '&token=%064x&session=%016x', $port, $n, $n * 7919, $n * 104729;
  };
}

# Fills the directory. `port`: the origin's, for absolute URLs.
sub make {
  my ($dir, $port) = @_;
  my $relative = sub { sprintf 'segment-%05d-v1-a1.ts', $_[0] };
  write_file("$dir/live.m3u8", media_playlist(48_211, 6, 0, $relative));
  write_file("$dir/multivariant.m3u8", multivariant());
  write_file("$dir/vod.m3u8", media_playlist(0, 2000, 1, $relative));
  write_file("$dir/vod-token.m3u8", media_playlist(0, 2000, 1, token_uri($port)));
  write_file("$dir/2mb.m3u8", media_playlist(0, int(2 * 2**20 / 213), 1, token_uri($port)));
  write_file("$dir/segments.m3u8", media_playlist(0, 2, 1, sub { (qw(64k.ts 2m.ts))[$_[0]] }));
  write_file("$dir/64k.ts", segment(65_536));
  write_file("$dir/2m.ts", segment(2 * 2**20));
  my @playlists = qw(live.m3u8 multivariant.m3u8 vod.m3u8 vod-token.m3u8 2mb.m3u8 segments.m3u8);
  write_file("$dir/index.m3u8", index_of(@playlists));
}

1;
