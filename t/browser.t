#!/usr/bin/env perl

# Headless Chromium plays t/sample through the relay: with hls.js, from a page of the relay's own origin and
# of another one, and with the HLS that Chromium has itself. The steps are in t/players/browser.js.

use strict;
use warnings;

use File::Temp ();
use FindBin;
use JSON::PP;
use Test::More;

use lib "$FindBin::Bin/lib", "$FindBin::Bin/players";
use HlsTest;
use Sample;

use constant DEADLINE => 300;   # seconds for one run of the browser

my $npm = ($ENV{HLS_BUILD} // HlsTest::Nginx::root() . '/.build') . '/npm/node_modules';
my ($node) = grep { -x } map { "$_/node" } split /:/, $ENV{PATH};
my ($chromium) = grep { -x } map { "$_/chromium" } split /:/, $ENV{PATH};

plan skip_all => 'FAST=1' if $ENV{FAST};
plan skip_all => 'no node' unless $node;
plan skip_all => 'no chromium' unless $chromium;
plan skip_all => "no hls.js and playwright-core in $npm (./build.sh test gets them)"
  if grep { !-d "$npm/$_" } qw(hls.js playwright-core);

# The page and hls.js, as any web server has them.
my $pages = "location = /hls.js { alias $npm/hls.js/dist/hls.js; }"
  . " location = /player.html { default_type text/html; alias $FindBin::Bin/players/player.html; }";

# Runs the browser; each line that it prints is a check.
sub browse {
  my (%wanted) = @_;
  local $ENV{NODE_PATH} = $npm;
  local $ENV{HOME} = my $home = File::Temp->newdir;   # chromium leaves files there
  my $json = JSON::PP->new->canonical->encode({ chromium => $chromium, duration => 16, %wanted });
  my @command = ('timeout', DEADLINE, $node, "$FindBin::Bin/players/browser.js", $json);
  open my $lines, '-|', @command or die "node: $!";
  while (my $line = <$lines>) {
    my $check = eval { decode_json($line) };
    if (!$check) { fail("not a line of browser.js: $line") }
    elsif (defined $check->{skip}) { SKIP: { skip $check->{skip}, 1 } }
    else { ok($check->{ok}, $check->{name}) or diag($check->{detail}) }
  }
  close $lines;
  is($?, 0, "$wanted{label}: the browser ran to its end");
}

# The relay as nginx.conf.example has it, media cache included.
my $cache = 'proxy_cache media; proxy_cache_key $hls_proxy_cache_key; proxy_cache_lock on;';
my $origin = start_sample_origin();
my $relay = start_relay($origin, url => sample_url($origin, '$p'), source => 'hosts 127.0.0.1;',
  http => 'proxy_cache_path %PREFIX%/cache keys_zone=media:2m use_temp_path=off;',
  playlist => "$cache proxy_cache_valid 200 1s;", media => "$cache proxy_cache_valid 200 1d;",
  server => $pages);
my $elsewhere = HlsTest::Nginx->start(module => 0, server => $pages);

my $base = "http://127.0.0.1:$relay->{port}";
my $entry = entry_uri(p => 'master.m3u8');
my %width = (low => 160, mid => 320, fmp4 => 320, aes => 160, range => 160);
my %renditions = map { $_->[0] => [$_->[2], $width{$_->[0]}] }
  grep { $width{$_->[0]} } renditions($origin, $relay, $entry);
my %wanted = (entry => "$base$entry", relay => $base, renditions => \%renditions);

browse(%wanted, label => 'hls.js', mode => 'hls.js', page => "$base/player.html");
browse(%wanted, label => 'hls.js, page of another origin', mode => 'hls.js',
       page => "http://127.0.0.1:$elsewhere->{port}/player.html");
browse(%wanted, label => 'native', mode => 'native', page => "$base/player.html");

finish();
