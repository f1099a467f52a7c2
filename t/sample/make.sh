#!/usr/bin/env bash
# Makes the sample stream beside this script, from ffmpeg's test sources. The result is committed, so this
# needs to run only when the sample is to change: ffmpeg with libx264 and drawtext, xxd.
#
# 16 s in segments of 2 s, 25 frames/s, every frame stamped with rendition and number:
#   low/ mid/   H.264 in MPEG-TS           fmp4/   H.264 in fragmented MP4 (EXT-X-MAP)
#   aes/        low, AES-128 encrypted     range/  low, one file with byte ranges
#   audio/      AAC in MPEG-TS             subs/   WebVTT
#   iframes.m3u8  the I-frames of mid
# All timelines begin at 0 and all segments at the same times, so that players can switch anywhere.
#
# Each URI ends with "?@token@": the origin in nginx.conf.example puts the request's token there (sub_filter).
# A server that does not know it can ignore it, as it is only a query.

set -euo pipefail
cd "$(dirname "$0")"

duration=16
segment=2
rate=25
token='?@token@'
hls=(-muxdelay 0 -muxpreload 0 -f hls -hls_time $segment -hls_list_size 0 -hls_playlist_type vod)

ff() { ffmpeg -nostdin -v error -y -fflags +bitexact "$@"; }

# video <name> <size> <bit rate> <hls muxer options...>
video() {
  local name=$1 size=$2 bitrate=$3
  shift 3
  mkdir -p "$name"
  local label="drawtext=text='$name %{n}':x=4:y=h-th-4:fontsize=h/6:fontcolor=white:box=1:boxcolor=black"
  ff -f lavfi -i "testsrc2=size=$size:rate=$rate:duration=$duration,$label" \
    -c:v libx264 -profile:v baseline -level 1.2 -pix_fmt yuv420p -preset veryslow -threads 1 \
    -b:v "$bitrate" -maxrate "$bitrate" -bufsize "$bitrate" \
    -g $((rate * segment)) -keyint_min $((rate * segment)) -sc_threshold 0 -flags:v +bitexact \
    "${hls[@]}" "$@" "$name/index.m3u8"
}

audio() {
  mkdir -p audio
  # The encoder adds up to two frames (46 ms): a little less than the video's length gives as many segments.
  ff -f lavfi -i "sine=frequency=440:beep_factor=2:sample_rate=44100:duration=$((duration - 1)).95" \
    -c:a aac -b:a 32k -ac 1 -flags:a +bitexact \
    "${hls[@]}" -hls_segment_filename 'audio/seg%d.ts' audio/index.m3u8
}

aes() {
  local info
  mkdir -p aes
  printf 'hls sample key 0' > aes/video.key   # 16 bytes
  info=$(mktemp)
  printf 'video.key\naes/video.key\n%s\n' 101112131415161718191a1b1c1d1e1f > "$info"
  video aes 160x90 50k -hls_key_info_file "$info" -hls_segment_filename 'aes/seg%d.ts'
  rm "$info"
}

# One cue a second, none over a segment's end. MPEG-TS time 0 is where the video begins.
subtitles() {
  local i s
  mkdir -p subs
  {
    printf '#EXTM3U\n#EXT-X-VERSION:6\n#EXT-X-TARGETDURATION:%d\n#EXT-X-MEDIA-SEQUENCE:0\n' $segment
    printf '#EXT-X-PLAYLIST-TYPE:VOD\n'
    for ((i = 0; i < duration / segment; i++)); do
      printf '#EXTINF:%d.000000,\nseg%d.vtt\n' $segment "$i"
    done
    printf '#EXT-X-ENDLIST\n'
  } > subs/index.m3u8
  for ((i = 0; i < duration / segment; i++)); do
    {
      printf 'WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:0,LOCAL:00:00:00.000\n'
      for ((s = i * segment; s < (i + 1) * segment; s++)); do
        printf '\n00:00:%02d.000 --> 00:00:%02d.900\nSecond %d\n' "$s" "$s" "$s"
      done
    } > "subs/seg$i.vtt"
  done
}

# An I-frame segment of MPEG-TS begins with the tables, which stand at the segment's start, and ends where the
# second picture begins (RFC 8216bis, EXT-X-I-FRAMES-ONLY).
iframes() {
  local i end
  {
    printf '#EXTM3U\n#EXT-X-VERSION:4\n#EXT-X-TARGETDURATION:%d\n#EXT-X-MEDIA-SEQUENCE:0\n' $segment
    printf '#EXT-X-PLAYLIST-TYPE:VOD\n#EXT-X-I-FRAMES-ONLY\n'
    for ((i = 0; i < duration / segment; i++)); do
      end=$(second_picture "mid/seg$i.ts")
      printf '#EXTINF:%d.000000,\n#EXT-X-BYTERANGE:%d@0\nmid/seg%d.ts\n' $segment "$end" "$i"
    done
    printf '#EXT-X-ENDLIST\n'
  } > iframes.m3u8
}

second_picture() {
  ffprobe -v error -show_entries packet=pos -of default=nk=1:nw=1 "$1" | grep '^[0-9]' | sed -n 2p
}

# codec <first segment of a rendition>: "avc1." and profile, constraints and level as its SPS says them.
codec() {
  cat "$@" | ffmpeg -v error -i pipe:0 -map 0:v -c copy -bsf:v h264_mp4toannexb -frames:v 1 -f h264 pipe:1 |
    xxd -p | tr -d '\n' | sed -E 's/.*(00000001|000001)67(.{6}).*/avc1.\2/'
}

# peak <directory>, mean <directory>: bits per second of its segments
peak() { segment_sizes "$1" | sort -n | awk -v t=$segment 'END { print $1 * 8 / t }'; }
mean() { segment_sizes "$1" | awk -v t=$segment '{ n += $1 } END { printf "%d\n", n * 8 / (NR * t) }'; }

segment_sizes() {
  if [ -f "$1/all.ts" ]; then
    range_lengths "$1/index.m3u8"
  else
    stat -c %s "$1"/seg*
  fi
}

# variant <directory> <size> <codec>: the bit rates are those of video and audio together, as they should be.
variant() {
  printf '#EXT-X-STREAM-INF:BANDWIDTH=%d,AVERAGE-BANDWIDTH=%d,' \
    $(($(peak "$1") + $(peak audio))) $(($(mean "$1") + $(mean audio)))
  printf 'CODECS="%s,mp4a.40.2",RESOLUTION=%s,FRAME-RATE=%d.000,' "$3" "$2" $rate
  printf 'AUDIO="aac",SUBTITLES="text"\n%s/index.m3u8\n' "$1"
}

multivariant() {
  local codec
  codec=$(ts_codec low)
  printf '#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n'
  printf '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="aac",NAME="Tone",LANGUAGE="en",'
  printf 'DEFAULT=YES,AUTOSELECT=YES,CHANNELS="1",URI="audio/index.m3u8"\n'
  printf '#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="text",NAME="English",LANGUAGE="en",'
  printf 'DEFAULT=NO,AUTOSELECT=YES,FORCED=NO,URI="subs/index.m3u8"\n'
  variant low 160x90 "$codec"
  variant mid 320x180 "$(ts_codec mid)"
  variant fmp4 320x180 "$(codec fmp4/init.mp4 fmp4/seg0.m4s)"
  variant aes 160x90 "$codec"
  variant range 160x90 "$codec"
  printf '#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=%d,CODECS="%s",RESOLUTION=320x180,URI="iframes.m3u8"\n' \
    "$(iframe_peak)" "$(ts_codec mid)"
}

ts_codec() { codec "$1/seg0.ts"; }
iframe_peak() { range_lengths iframes.m3u8 | sort -n | awk -v t=$segment 'END { print $1 * 8 / t }'; }
range_lengths() { sed -nE 's/^#EXT-X-BYTERANGE:([0-9]+)@.*/\1/p' "$1"; }

rm -rf low mid fmp4 aes range audio subs ./*.m3u8
video low 160x90 50k -hls_segment_filename 'low/seg%d.ts'
video mid 320x180 120k -hls_segment_filename 'mid/seg%d.ts'
video fmp4 320x180 120k -hls_segment_type fmp4 -hls_fmp4_init_filename init.mp4 \
  -hls_segment_filename 'fmp4/seg%d.m4s'
video range 160x90 50k -hls_flags single_file -hls_segment_filename 'range/all.ts'
aes
audio
subtitles
iframes
multivariant > master.m3u8
sed -i -E -e "/^[^#]/s/\$/$token/" -e "s/URI=\"([^\"]*)\"/URI=\"\1$token\"/" ./*.m3u8 ./*/index.m3u8
du -sbc ./*.m3u8 ./*/ | tail -n 1
