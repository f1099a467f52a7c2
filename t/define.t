use strict;
use warnings;
use lib 't/lib';
use Test::More;
use HlsTest;

# EXT-X-DEFINE (RFC 8216bis 4.4.2.3): what a relay must expand, since players see other URLs than the
# origin's.

my $origin = HlsTest::Origin->start;
my $type = 'application/vnd.apple.mpegurl';
my $nginx = start_relay($origin);

check_rewrite($nginx, $origin, 'define.m3u8', <<'END', -label => 'NAME and VALUE');
#EXTM3U
#EXT-X-DEFINE:NAME="dir",VALUE="a/b"
#EXT-X-DEFINE:NAME="file-1_X",VALUE="{$dir}/c"
#EXT-X-MAP:URI="[[{$dir}/init.mp4 -> /live/a/b/init.mp4]]"
#EXTINF:4,a title with {$dir}
[[{$file-1_X}.ts?q={$dir} -> /live/a/b/c.ts?q=a/b]]
#EXTINF:4,
[[{$dir}{$dir}/{$x.ts -> /live/a/ba/b/%7B$x.ts]]
END

check_rewrite($nginx, $origin, 'once.m3u8', <<'END', -label => 'one pass, later definitions do not count');
#EXTM3U
#EXT-X-DEFINE:NAME="open",VALUE="{"
#EXT-X-DEFINE:NAME="a",VALUE="first"
#EXTINF:4,
[[{$open}$a}.ts -> /live/%7B$a%7D.ts]]
END

check_rewrite($nginx, $origin, 'host.m3u8', sprintf(<<'END', ($origin->port) x 2), -label => 'a host from a variable');
#EXTM3U
#EXT-X-DEFINE:NAME="host",VALUE="http://127.0.0.2:%d/"
#EXTINF:4,
[[{$host}x.ts -> 127.0.0.2:%d/x.ts]]
END

subtest 'a variable that is not defined' => sub {
  $origin->set('/live/late.m3u8', type => $type,
    body => "#EXTM3U\n#EXTINF:4,\n{\$late}.ts\n#EXT-X-DEFINE:NAME=\"late\",VALUE=\"x\"\n");
  is($nginx->get(entry_uri(p => 'late.m3u8'))->{status}, 502, 'before its definition: 502');
  $origin->set('/live/elsewhere.m3u8', type => $type,
    body => "#EXTM3U\n#EXT-X-SESSION-DATA:DATA-ID=\"a\",VALUE=\"{\$who}\"\n");
  is($nginx->get(entry_uri(p => 'elsewhere.m3u8'))->{status}, 200,
    'where no URI needs it: the player\'s business');
};

subtest 'QUERYPARAM' => sub {
  $origin->set('/live/main.m3u8', type => $type,
    body => "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv/q.m3u8?token=a%2Fb%20c&other=1\n");
  $origin->set('/live/v/q.m3u8', type => $type, body => <<'END');
#EXTM3U
#EXT-X-DEFINE:QUERYPARAM="token"
#EXTINF:4,
seg.ts?t={$token}
END
  my $link = first_link($nginx, entry_uri(p => 'main.m3u8'));
  my $r = $nginx->get($link);
  is($r->{status}, 200, 'status');
  (my $got = $r->{body}) =~ s{/hls/\S+}{LINK};
  is($got, <<'END', 'becomes NAME and VALUE: players evaluate it against the link');
#EXTM3U
#EXT-X-DEFINE:NAME="token",VALUE="a/b c"
#EXTINF:4,
LINK
END
  $origin->clear;
  $nginx->get((find_links($r->{body}))[0]);
  is(($origin->requests)[0]{target}, '/live/v/seg.ts?t=a/b%20c',
    "its value is that of the playlist's own URL, decoded");
  $origin->set('/live/v/q.m3u8', type => $type,
    body => "#EXTM3U\n#EXT-X-DEFINE:QUERYPARAM=\"absent\"\n#EXTINF:4,\n{\$absent}.ts\n");
  is($nginx->get($link)->{status}, 502, 'one that the URL does not have: 502 where a URI needs it');
};

subtest 'IMPORT' => sub {
  $origin->set('/live/main.m3u8', type => $type, body => <<'END');
#EXTM3U
#EXT-X-DEFINE:NAME="auth",VALUE="tok/1"
#EXT-X-DEFINE:NAME="dir",VALUE="deep"
#EXT-X-STREAM-INF:BANDWIDTH=1
v/i.m3u8
END
  my $child = <<'END';
#EXTM3U
#EXT-X-DEFINE:IMPORT="auth"
#EXT-X-DEFINE:IMPORT="dir"
#EXTINF:4,
{$dir}/seg.ts?a={$auth}
END
  $origin->set('/live/v/i.m3u8', type => $type, body => $child);
  my $link = first_link($nginx, entry_uri(p => 'main.m3u8'));
  my $r = $nginx->get($link);
  is($r->{status}, 200, 'status');
  unlike($r->{body}, qr/^[^#].*\{\$/m, 'no variable is left in a URI');
  $origin->clear;
  $nginx->get((find_links($r->{body}))[0]);
  is(($origin->requests)[0]{target}, '/live/v/deep/seg.ts?a=tok/1', "the values are the multivariant's");
  is($nginx->get($link =~ s/&v=[^&]*//r)->{status}, 403,
    'they are signed: not to be left out') if $link =~ /&v=/;
  like($link, qr/[?&]v=/, 'the link carries them');

  $origin->set('/live/plain.m3u8', type => $type,
    body => "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv/i.m3u8\n");
  my $plain = first_link($nginx, entry_uri(p => 'plain.m3u8'));
  unlike($plain, qr/[?&]v=/, 'no variables, no argument');
  is($nginx->get($plain)->{status}, 502, 'an import that nobody exports: 502');
};

finish();
