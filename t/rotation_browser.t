#!/usr/bin/env perl

# hls.js in headless Chromium plays a live channel while the origin's URLs die five times: whoever watches
# sees nothing of it. The steps are in t/players/live.js.

use strict;
use warnings;

use File::Temp ();
use FindBin;
use JSON::PP;
use Test::More;

use lib "$FindBin::Bin/lib", "$FindBin::Bin/players";
use Film;
use HlsTest;
use HlsTest::SampleOrigin;

use constant { DEADLINE => 120, TARGET => 2, SECONDS => 30, ROTATIONS => 5 };

my $npm = ($ENV{HLS_BUILD} // HlsTest::Nginx::root() . '/.build') . '/npm/node_modules';
my ($node) = grep { -x } map { "$_/node" } split /:/, $ENV{PATH};
my ($chromium) = grep { -x } map { "$_/chromium" } split /:/, $ENV{PATH};

plan skip_all => 'FAST=1' if $ENV{FAST};
plan skip_all => 'no ffmpeg' if system('command -v ffmpeg > /dev/null') != 0;
plan skip_all => 'no node' unless $node;
plan skip_all => 'no chromium' unless $chromium;
plan skip_all => "no hls.js and playwright-core in $npm (./build.sh test gets them)"
  if grep { !-d "$npm/$_" } qw(hls.js playwright-core);

my $origin = HlsTest::SampleOrigin->start(streams => { channel => { make_channel(), mode => 'all' } });
my $cache = 'proxy_cache media; proxy_cache_key $hls_proxy_cache_key; proxy_cache_lock on;';
my $relay = start_relay($origin, resolver => 1,
  source => 'hosts 127.0.0.1 127.0.0.2; cooldown 0; volatile e t host;',
  http => 'proxy_cache_path %PREFIX%/cache keys_zone=media:2m use_temp_path=off;',
  playlist => "$cache proxy_cache_valid 200 1s;", media => "$cache proxy_cache_valid 200 1d;",
  server => "location = /hls.js { alias $npm/hls.js/dist/hls.js; }"
    . " location = /player.html { default_type text/html; alias $FindBin::Bin/players/player.html; }");
my $base = "http://127.0.0.1:$relay->{port}";

sub browse {
  local $ENV{NODE_PATH} = $npm;
  local $ENV{HOME} = my $home = File::Temp->newdir;   # chromium leaves files there
  my $json = JSON::PP->new->canonical->encode({
    chromium => $chromium, page => "$base/player.html", entry => $base . entry_uri(p => 'channel'),
    seconds => SECONDS, rotations => ROTATIONS, target => TARGET });
  open my $lines, '-|', 'timeout', DEADLINE, $node, "$FindBin::Bin/players/live.js", $json or die "node: $!";
  while (my $line = <$lines>) {
    my $said = eval { decode_json($line) };
    if (!$said) { fail("not a line of live.js: $line") }
    elsif ($said->{rotate}) { $origin->rotate('channel') }
    elsif (defined $said->{note}) { note($said->{note}) }
    else { ok($said->{ok}, $said->{name}) or diag($said->{detail}) }
  }
  close $lines;
  is($?, 0, 'the browser ran to its end');
}

browse();

my @resolves = $origin->log(role => 'resolver');
my @dead = $origin->log(role => 'origin', status => 403);
my %alive;
$alive{$_->{generation}}++ for $origin->log(role => 'origin', status => 200, kind => 'media');
note sprintf '%d rotations, %d resolves, %d times 403', $origin->generation('channel'), scalar @resolves,
  scalar @dead;
is($origin->generation('channel'), ROTATIONS, 'rotations');
is_deeply([map { $_->{generation} } @resolves], [0 .. ROTATIONS], 'each generation was resolved once');
is_deeply([sort keys %alive], [0 .. ROTATIONS], 'segments came of each');
# The playlist's reload or the next segment: whichever comes first finds out; the other may be under way.
cmp_ok(scalar @dead, '<=', 2 * ROTATIONS, 'few requests ran into a dead URL');

finish();
