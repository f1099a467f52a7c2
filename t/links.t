use strict;
use warnings;
use lib 't/lib';
use Test::More;
use HlsTest;

# Links: what opens one, and that nothing else does.

my $BYTES = 'G UPSTREAM BYTES ' x 20;
my $origin = HlsTest::Origin->start;
$origin->set('/live/index.m3u8', type => 'application/vnd.apple.mpegurl',
             body => "#EXTM3U\n#EXT-X-TARGETDURATION:4\n#EXTINF:4,\nseg.ts?token=a%2Fb+c&x=1\n#EXTINF:4,\nother.ts\n");
$origin->set('/live/other.m3u8', type => 'application/vnd.apple.mpegurl',
  body => "#EXTM3U\n#EXTINF:4,\nother.ts\n");
$origin->set('/live/main.m3u8', type => 'application/vnd.apple.mpegurl',
             body => "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nindex.m3u8\n");
$origin->file("/live/$_", $BYTES) for qw(seg.ts other.ts);

my $old = 'the first of two secrets, 0123456789';
my $new = 'the second of two secrets, 987654321';
my $nginx = start_relay($origin, secret => $old);
my $entry = entry_uri(p => 'index.m3u8', -secret => $old);
my ($seg, $other) = find_links($nginx->get($entry)->{body});
my ($playlist) = find_links($nginx->get(entry_uri(p => 'main.m3u8', -secret => $old))->{body});

sub denied {
  my ($r) = @_;
  return $r->{status} =~ /^(?:400|403|404|405|410|414)$/ && $r->{raw} !~ /UPSTREAM BYTES|#EXTM3U/;
}

subtest 'a link opens' => sub {
  my $r = $nginx->get($seg);
  is($r->{status}, 200, 'status');
  is($r->{body}, $BYTES, 'body');
  my ($request) = $origin->requests('/live/seg.ts');
  is($request->{target}, '/live/seg.ts?token=a%2Fb+c&x=1', 'the upstream URL byte for byte');
  is($nginx->get($playlist)->{status}, 200, 'a playlist link too');
  like($seg, qr{^/hls/media/[\w-]+/seg\.ts\?}, 'shape of a media link');
  like($playlist, qr{^/hls/playlist/[\w-]+/index\.m3u8\?}, 'shape of a playlist link');
};

subtest 'one changed byte' => sub {
  $origin->clear;
  my @open;
  for my $link ($seg, $playlist) {
    for my $i (0 .. length($link) - 1) {
      my $byte = substr $link, $i, 1;
      for my $with (chr(ord($byte) ^ 1), $byte eq 'A' ? 'B' : 'A', '%', "$byte$byte", '') {
        next if $with =~ /[\s#?]/;
        my $changed = $link;
        substr $changed, $i, 1, $with;
        next if $changed eq $link;
        next if $with eq '&&' || $with eq '//';   # equivalent: an empty argument, merge_slashes
        my $r = $nginx->get($changed);
        push @open, "$i: '$byte' -> '$with': $r->{status}" unless denied($r);
      }
    }
  }
  is(join("\n", @open), '', 'no changed link opens');
  is(scalar(my @asked = $origin->requests), 0, 'and none reaches the origin');
};

subtest 'cut off anywhere' => sub {
  my @open = grep { !denied($nginx->get(substr $seg, 0, $_)) } 12 .. length($seg) - 1;
  is("@open", '', 'no prefix of a link opens');
};

subtest 'parts of two links' => sub {
  my %part = map { my ($path, $query) = split /\?/, $_; ($_ => { path => $path, map { split /=/, $_,
    2 } split /&/, $query }) }
    $seg, $other, $playlist;
  my $join = sub { my (%p) = @_; my $path = delete $p{path}; "$path?" . join '&',
    map { "$_=$p{$_}" } sort keys %p };
  for my $name (sort keys %{$part{$seg}}) {
    next if !defined $part{$other}{$name} || $part{$seg}{$name} eq $part{$other}{$name};
    my $r = $nginx->get($join->(%{$part{$seg}}, $name => $part{$other}{$name}));
    is($r->{status}, 403, "$name of another link");
  }
  (my $as_playlist = $seg) =~ s{/media/}{/playlist/};
  is($nginx->get($as_playlist)->{status}, 403, 'a media link below playlist/');
  (my $as_media = $playlist) =~ s{/playlist/}{/media/};
  is($nginx->get($as_media)->{status}, 403, 'a playlist link below media/');
  my ($foreign) = find_links($nginx->get(entry_uri(p => 'other.m3u8', -secret => $old))->{body});
  my ($stream) = $foreign =~ m{/media/([\w-]+)/};
  (my $moved = $other) =~ s{/media/[\w-]+/}{/media/$stream/};
  isnt($moved, $other, 'streams differ');
  is($nginx->get($moved)->{status}, 403, "another stream's name");
};

subtest 'spelled in another way' => sub {
  my ($path, $query) = split /\?/, $seg;
  my @args = split /&/, $query;
  my $encode = sub { my ($t) = @_; $t =~ s/(.)/sprintf '%%%02x', ord $1/ge; $t };
  is($nginx->get("$path?" . join '&', reverse @args)->{body}, $BYTES, 'arguments in reverse order');
  is($nginx->get("$path?" . join '&', sort @args)->{body}, $BYTES, 'arguments sorted');
  is($nginx->get("$path?" . join '&', map { /^(.*?)=(.*)/ && "$1=" . $encode->($2) } @args)->{body}, $BYTES,
     'values percent-encoded');
  is($nginx->get("$path?$query&")->{body}, $BYTES, 'a trailing &');
  is($nginx->get("$path?$query&session=1&z")->{body}, $BYTES, 'foreign arguments');
  (my $encoded = $path) =~ s{seg\.ts$}{%73%65%67%2Ets};
  is($nginx->get("$encoded?$query")->{body}, $BYTES, 'the name percent-encoded');
};

subtest 'an argument twice' => sub {
  my ($path, $query) = split /\?/, $seg;
  my (undef, $other_query) = split /\?/, $other;
  for my $name (qw(u exp sig)) {
    my ($own) = $query =~ /\b($name=[^&]*)/;
    my ($alien) = $other_query =~ /\b($name=[^&]*)/;
    my $same = $nginx->get("$path?$query&$own");
    ok(denied($same) || $same->{body} eq $BYTES,
      "$name twice: refused, or the link's own bytes ($same->{status})");
    next if $own eq $alien;
    ok(denied($nginx->get("$path?$query&$alien")), "another $name behind");
    ok(denied($nginx->get("$path?$alien&$query")), "another $name in front");
  }
};

subtest 'malformed' => sub {
  my ($path, $query) = split /\?/, $seg;
  my %is = (
    'no arguments' => [$path, qr/^(400|403)$/],
    'no sig' => [($seg =~ s/&sig=[^&]*//r), qr/^403$/],
    'an empty sig' => [($seg =~ s/sig=[^&]*/sig=/r), qr/^(400|403)$/],
    'no exp' => [($seg =~ s/exp=[^&]*&//r), qr/^(400|403)$/],
    'no u' => [($seg =~ s/\?u=[^&]*&/?/r), qr/^(400|403)$/],
    'u of foreign characters' => [($seg =~ s/u=[^&]*/u=!!!!/r), qr/^(400|403)$/],
    'exp of letters' => [($seg =~ s/exp=[^&]*/exp=soon/r), qr/^(400|403)$/],
    'exp out of range' => [($seg =~ s/exp=[^&]*/exp=99999999999999999999999/r), qr/^(400|403)$/],
    'a negative exp' => [($seg =~ s/exp=[^&]*/exp=-1/r), qr/^(400|403)$/],
    'nothing below media/' => ['/hls/media/', qr/^(400|403|404)$/],
    'a stream alone' => ['/hls/media/AAAA', qr/^(400|403|404)$/],
    'a stream that is none' => ["/hls/media/****/seg.ts?$query", qr/^(400|403)$/],
    'a folder too many' => [($seg =~ s{/seg\.ts}{/x/seg.ts}r), qr/^(400|403)$/],
    'dot segments' => [($seg =~ s{/seg\.ts}{/../seg.ts}r), qr/^(400|403|404)$/],
    'NUL in the name' => [($seg =~ s{seg\.ts}{seg%00.ts}r), qr/^(400|403)$/],
    'a slash in the name' => [($seg =~ s{seg\.ts}{se%2Fg.ts}r), qr/^(400|403)$/],
    'bytes that are not UTF-8' => [($seg =~ s{seg\.ts}{%FF%FE.ts}r), qr/^(400|403)$/],
  );
  for my $name (sort keys %is) {
    my ($link, $want) = @{$is{$name}};
    my $r = $nginx->get($link);
    like($r->{status}, $want, $name);
    unlike($r->{raw}, qr/UPSTREAM BYTES/, "$name: no bytes");
  }
};

subtest 'methods' => sub {
  for my $method (qw(POST PUT DELETE PATCH PROPFIND)) {
    is($nginx->get($seg, method => $method, body => '')->{status}, 405, $method);
  }
  $origin->clear;
  my $r = $nginx->get($seg, method => 'OPTIONS', headers => ['Origin: https://player.example',
    'Access-Control-Request-Method: GET', 'Access-Control-Request-Headers: range']);
  is($r->{status}, 204, 'OPTIONS');
  is($r->header('Access-Control-Allow-Origin'), '*', 'any origin');
  like($r->header('Access-Control-Allow-Methods') // '', qr/\bGET\b.*\bHEAD\b|\bHEAD\b.*\bGET\b/, 'methods');
  like($r->header('Access-Control-Allow-Headers') // '', qr/\brange\b|\*/i, 'the Range header');
  is($nginx->get('/hls/media/x/y.ts', method => 'OPTIONS')->{status}, 204, 'OPTIONS asks for no valid link');
  is(scalar(my @asked = $origin->requests), 0, 'nothing of it reaches the origin');
};

subtest 'a link of 100 KB' => sub {
  my $long = 'A' x 100_000;
  my $big = start_relay($origin, secret => $old, server => 'large_client_header_buffers 4 256k;');
  for my $case ([u => $seg =~ s/u=/u=$long/r], [sig => $seg . $long], [name => $seg =~ s{seg\.ts}{$long.ts}r],
                [stream => $seg =~ s{/media/}{/media/$long}r], [foreign => "$seg&_HLS_x=$long"]) {
    my ($what, $link) = @$case;
    my $r = $big->get($link);
    like($r->{status}, qr/^(400|403|414)$/, "100 KB of $what, large buffers") if $what ne 'foreign';
    unlike($r->{status}, qr/^(0|5\d\d)$/, "100 KB of $what is answered") if $what eq 'foreign';
    like($nginx->get($link)->{status}, qr/^(400|414)$/, "100 KB of $what, usual buffers");
  }
  is($big->get($seg)->{body}, $BYTES, 'and the worker lives');
};

subtest 'bound to a value' => sub {
  my $bound = start_relay($origin, http => 'hls_proxy_link_bind $http_x_client;');
  my $entry = entry_uri(p => 'index.m3u8');
  my ($link) = find_links($bound->get($entry, headers => ['X-Client: alice'])->{body});
  is($bound->get($link, headers => ['X-Client: alice'])->{body}, $BYTES, 'opens for the one it was made for');
  is($bound->get($link, headers => ['X-Client: bob'])->{status}, 403, 'for nobody else');
  is($bound->get($link)->{status}, 403, 'nor without the value');
  my ($free) = find_links($bound->get($entry)->{body});
  is($bound->get($free, headers => ['X-Client: alice'])->{status}, 403,
    'one made for nobody is not for alice');
};

subtest 'equal bytes over reloads, workers and restarts' => sub {
  my $two = start_relay($origin, main => '', secret => $old);
  my $first = $two->get($entry)->{body};
  is($nginx->get($entry)->{body}, $first, 'another nginx with the same secret');
  $two->reload(workers => 2);
  is($two->get($entry)->{body}, $first, 'after a reload') for 1 .. 4;
  my ($variant) = find_links($two->get(entry_uri(p => 'main.m3u8', -secret => $old))->{body});
  my $child = $two->get($variant)->{body};
  is($two->get($variant)->{body}, $child, 'a child playlist') for 1 .. 2;
};

subtest 'secrets in rotation' => sub {
  my %conf = relay_conf($origin, secret => "$new' '$old");
  my $rotating = start_relay($origin, secret => $old);
  my ($old_seg) = find_links($rotating->get($entry)->{body});
  $rotating->reload(%conf);
  is($rotating->get($old_seg)->{body}, $BYTES, "the old secret's links go on");
  is($rotating->get($entry)->{status}, 200, "and its entries");
  my ($new_seg) = find_links($rotating->get($entry)->{body});
  isnt($new_seg, $old_seg, 'new links are signed by the first secret');
  my $new_entry = entry_uri(p => 'index.m3u8', -secret => $new);
  is($rotating->get($new_entry)->{status}, 200, "the new secret's entries");
  $rotating->reload(relay_conf($origin, secret => $new));
  is($rotating->get($old_seg)->{status}, 403, 'without the old secret: its links are void');
  is($rotating->get($entry)->{status}, 403, 'its entries too');
  is($rotating->get($new_seg)->{body}, $BYTES, "the new secret's live");
};

subtest 'expiry' => sub {
  my $short = start_relay($origin, http => 'hls_proxy_link_ttl 1s playlist=1s;');
  my ($link) = find_links($short->get(entry_uri(p => 'index.m3u8'))->{body});
  is($short->get($link)->{status}, 200, 'valid at first');
  my ($exp) = $link =~ /exp=(\d+)/;
  cmp_ok($exp - time, '<=', 3, 'expires soon');
  select undef, undef, undef, 0.1 while time <= $exp;
  my $r = $short->get($link);
  is($r->{status}, 410, 'then 410');
  unlike($r->{raw}, qr/UPSTREAM BYTES/, 'and no bytes');
  is($r->header('Access-Control-Allow-Origin'), '*', 'readable by the player');
  is($short->get($link =~ s/exp=(\d+)/'exp=' . ($1 + 100)/er)->{status}, 403, 'a later exp is not a way out');
};

finish();
