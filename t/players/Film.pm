package Film;

# Films and channels that players can play, made by ffmpeg when a test starts: 60 s in segments of 2 s.

use strict;
use warnings;

use Exporter qw(import);
use File::Temp ();

our @EXPORT = qw(make_film make_channel);

use constant { SECONDS => 60, SEGMENTS => 30, RATE => 25 };

my @common = (qw(ffmpeg -nostdin -v error -y -fflags +bitexact -f lavfi -i),
              'testsrc2=size=160x90:rate=' . RATE . ':duration=' . SECONDS, qw(-f lavfi -i),
              'sine=frequency=440:beep_factor=2:sample_rate=44100:duration=' . (SECONDS - 1) . '.95');
my @video = qw(-c:v libx264 -preset ultrafast -profile:v baseline -pix_fmt yuv420p -threads 1 -g 50
               -keyint_min 50 -sc_threshold 0 -flags:v +bitexact);
my @audio = qw(-c:a aac -b:a 32k -ac 1 -flags:a +bitexact);
my @hls = qw(-muxdelay 0 -muxpreload 0 -f hls -hls_time 2 -hls_list_size 0 -hls_playlist_type vod);

# H.264 in MPEG-TS, in fragmented MP4, and in MPEG-TS with AES-128, and AAC apart: { path => bytes }.
sub make_film {
  my $dir = File::Temp->newdir;
  mkdir "$dir/$_" for qw(ts fmp4 aes audio);
  write_file("$dir/aes/video.key", 'the key of a film');   # of which AES-128 takes 16 bytes
  truncate "$dir/aes/video.key", 16;
  write_file("$dir/key.info", "video.key\n$dir/aes/video.key\n101112131415161718191a1b1c1d1e1f\n");
  my @map = ('-map', '0:v', @video, @hls);
  run(@common,
      @map, '-hls_segment_filename', "$dir/ts/seg%d.ts", "$dir/ts/index.m3u8",
      @map, qw(-hls_segment_type fmp4 -hls_fmp4_init_filename init.mp4),
      '-hls_segment_filename', "$dir/fmp4/seg%d.m4s", "$dir/fmp4/index.m3u8",
      @map, '-hls_key_info_file', "$dir/key.info",
      '-hls_segment_filename', "$dir/aes/seg%d.ts", "$dir/aes/index.m3u8",
      '-map', '1:a', @audio, @hls, '-hls_segment_filename', "$dir/audio/seg%d.ts", "$dir/audio/index.m3u8");
  my %files = map { my ($name) = m{^\Q$dir\E/(.*)}; ($name => read_file($_)) } glob "$dir/*/*";
  my %bandwidth = (ts => 400_000, fmp4 => 380_000, aes => 420_000);
  $files{'master.m3u8'} = join '', "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n",
    '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="aac",NAME="Tone",DEFAULT=YES,AUTOSELECT=YES,',
    qq{URI="audio/index.m3u8"\n},
    map { "#EXT-X-STREAM-INF:BANDWIDTH=$bandwidth{$_},CODECS=\"avc1.42c00b,mp4a.40.2\",RESOLUTION=160x90,"
          . "FRAME-RATE=25.000,AUDIO=\"aac\"\n$_/index.m3u8\n" } qw(ts fmp4 aes);
  return \%files;
}

# A channel of two levels, picture and sound in one: what SampleOrigin's `files` and `live` take.
sub make_channel {
  my $dir = File::Temp->newdir;
  mkdir "$dir/$_" for qw(low mid);
  my @map = ('-map', '0:v', '-map', '1:a', @video, @audio);
  run(@common, map { (@map, '-s', $_->[1], @hls, '-hls_segment_filename', "$dir/$_->[0]/seg%d.ts",
                      "$dir/$_->[0]/index.m3u8") } ['low', '160x90'], ['mid', '320x180']);
  my %segments = map { my ($name) = m{^\Q$dir\E/(.*)}; ($name => read_file($_)) } glob "$dir/*/*.ts";
  my $master = join '', "#EXTM3U\n#EXT-X-VERSION:3\n#EXT-X-INDEPENDENT-SEGMENTS\n",
    map { "#EXT-X-STREAM-INF:BANDWIDTH=$_->[1],CODECS=\"avc1.42c00c,mp4a.40.2\",RESOLUTION=$_->[2],"
          . "FRAME-RATE=25.000\n$_->[0]/index.m3u8\n" }
    ['low', 450_000, '160x90'], ['mid', 900_000, '320x180'];
  return (files => { 'master.m3u8' => $master },
          live => { renditions => [qw(low mid)], segment => sub { $segments{"$_[0]/seg$_[1].ts"} } });
}

sub run {
  my (@command) = @_;
  system(@command) == 0 or die "ffmpeg could not make the film: $?\n";
}

sub read_file {
  my ($path) = @_;
  open my $file, '<:raw', $path or die "$path: $!";
  local $/;
  return scalar <$file>;
}

sub write_file {
  my ($path, $bytes) = @_;
  open my $file, '>:raw', $path or die "$path: $!";
  print {$file} $bytes;
  close $file or die "$path: $!";
}

1;
