package HlsTest;

# Harness of the integration tests: a real nginx with the module, origins that say exactly what a test
# wants, and a client that sends and keeps exact bytes. Perl core modules only.
#
#   use HlsTest;
#   my $origin = HlsTest::Origin->start;
#   my $nginx = start_relay($origin, source => 'hosts *.example;');
#   is($nginx->get(entry_uri(p => 'index.m3u8'))->{status}, 200);
#   finish();

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256_hex);
use Exporter qw(import);
use Test::More;

use HlsTest::Client;
use HlsTest::Nginx;
use HlsTest::Origin;

our @EXPORT = qw(
  $SECRET start_relay relay_conf entry_uri sign_args url_encode find_links first_link
  check_rewrite same_bytes media_bytes finish
);

our $SECRET = 'an entry secret of the tests, 0123456789';

# What a link looks like in a playlist or a JSON document.
my $LINK = qr{(?:http://[^/\s"]+)?/hls/(?:playlist|media)/[A-Za-z0-9_-]+/[^?\s",<>\\]*\?[A-Za-z0-9_=&.~%-]+};

# The configuration most tests share: source "s" with the key "p", whose streams are the origin's
# /live/<p>; entries at /entry. Options add lines: http, source, server, playlist, media (locations).
# resolver: 1 (the origin is an HlsTest::RotatingOrigin, which is asked where streams are) or more lines for the
# resolver's location; zone: size. params: another hls_proxy_params.
sub relay_conf {
  my ($origin, %opt) = @_;
  my $url = $opt{url} // sprintf 'http://127.0.0.1:%d/live/$p', $origin->port;
  my $params = $opt{params} // HlsTest::Nginx->params_file;
  my $http = join "\n",
    "hls_proxy_secret '" . ($opt{secret} // $SECRET) . "';",
    $opt{resolver} ? 'hls_proxy_zone streams:' . ($opt{zone} // '4m') . ';' : (),
    'hls_proxy_source s {', '  key p;', '  entry /entry;', $opt{resolver} ? '  resolver /_resolve;' : "  url $url;",
    $opt{source} // (), '}',
    $opt{http} // ();
  my $server = join "\n",
    'location @hls_refresh { hls_proxy_refresh; }',
    $opt{resolver} ? resolver_location($origin, $opt{resolver}) : (),
    'location = /entry { hls_proxy_entry s; }',
    "location /hls/playlist/ { include $params;", $opt{playlist} // (), '}',
    "location /hls/media/ { include $params;", $opt{media} // (), '}',
    $opt{server} // ();
  return (http => $http, server => $server, map { $_ => $opt{$_} } grep { exists $opt{$_} }
            qw(main events workers connections allow));
}

sub resolver_location {
  my ($origin, $lines) = @_;
  $lines = '' if $lines eq '1';
  return 'location = /_resolve { internal; proxy_pass ' . $origin->resolver_url . "; $lines }";
}

sub start_relay {
  my ($origin, %opt) = @_;
  return HlsTest::Nginx->start(relay_conf($origin, %opt));
}

# Python's quote_plus, written anew: what the entry's signature is computed over.
sub url_encode {
  my ($text) = @_;
  $text =~ s/([^A-Za-z0-9_.~ -])/sprintf '%%%02X', ord $1/ge;
  $text =~ tr/ /+/;
  return $text;
}

# hex HMAC-SHA256 over Python's urlencode(sorted(args)), with the secret itself as key.
sub sign_args {
  my ($secret, %args) = @_;
  my $text = join '&', map { url_encode($_) . '=' . url_encode($args{$_}) } sort keys %args;
  return hmac_sha256_hex($text, $secret);
}

sub entry_uri {
  my (%args) = @_;
  my $path = delete $args{-path} // '/entry';
  my $secret = delete $args{-secret} // $SECRET;
  my $query = join '&', map { url_encode($_) . '=' . url_encode($args{$_}) } sort keys %args;
  return "$path?$query&sig=" . sign_args($secret, %args);
}

sub find_links { my ($text) = @_; return $text =~ /($LINK)/g }

# The first link of the playlist that an entry gives; with `match`, the first that matches.
sub first_link {
  my ($nginx, $entry, $match) = @_;
  my $r = $nginx->get($entry);
  my ($link) = grep { !$match || /$match/ } find_links($r->{body});
  diag("no link in the answer $r->{status} of $entry:\n$r->{raw}") unless $link;
  return $link // '/no-link';
}

# Splits a template: '[[ref -> /target]]' marks a URI and the path and query that the origin must be
# asked for when its link is followed ('host:port/target' where the host is not 127.0.0.1).
sub parse_template {
  my ($template) = @_;
  my @targets;
  (my $source = $template) =~ s/\[\[(.*?) -> (.*?)\]\]/push @targets, $2; $1/gse;
  (my $skeleton = $template) =~ s/\[\[.*? -> .*?\]\]/<LINK>/gs;
  return ($source, $skeleton, \@targets);
}

# Serves the template's text as /live/<name>, fetches it through the entry, and compares: every byte
# outside the marked URIs, and where each link leads. Options are those of the origin's route.
sub check_rewrite {
  my ($nginx, $origin, $name, $template, %route) = @_;
  my ($source, $skeleton, $targets) = parse_template($template);
  my $encode = delete $route{-encode} // sub { $_[0] };
  my $follow = delete $route{-follow} // 1;
  my $label = delete $route{-label} // $name;
  $origin->set("/live/$name", type => 'application/vnd.apple.mpegurl', %route, body => $encode->($source));
  my $r = $nginx->get(entry_uri(p => $name));
  my @links = find_links($r->{body});
  (my $got = $r->{body}) =~ s/$LINK/<LINK>/g;

  subtest "rewriting: $label" => sub {
    is($r->{status}, 200, 'status');
    ok($r->{complete}, 'a clean end');
    if (length $skeleton < 3000) { is($got, $skeleton, 'bytes outside URIs') }
    else { same_bytes($got, $skeleton, 'bytes outside URIs') }
    is(scalar @links, scalar @$targets, 'number of links');
    return unless $follow;
    for my $i (0 .. $#$targets) {
      last if $i > $#links;
      $origin->clear;
      $nginx->get($links[$i]);
      my ($request) = $origin->requests;
      my $where = $request ? ($request->{host} =~ /^127\.0\.0\.1:/ ? '' : $request->{host}) . $request->{target}
                           : 'nowhere';
      is($where, $targets->[$i], "link $i leads to the origin's $targets->[$i]");
    }
  };
  return $r;
}

# Compares bodies of any size; says where they part instead of printing them.
sub same_bytes {
  my ($got, $want, $name) = @_;
  my $same = $got eq $want;
  ok($same, $name);
  return 1 if $same;
  my $at = 0;
  my $mask = $got ^ $want;
  $at = $-[0] if $mask =~ /[^\0]/;
  diag(sprintf "%d bytes, expected %d; first difference at %d: '%s' instead of '%s'", length $got,
    length $want,
       $at, substr($got, $at, 60), substr($want, $at, 60));
  return 0;
}

# Bytes that look like a transport stream to no one but begin like one, and differ at every offset.
sub media_bytes {
  my ($size) = @_;
  my $bytes = 'G' . join '', map { pack 'N', $_ * 2654435761 & 0xffffffff } 0 .. $size / 4;
  return substr $bytes, 0, $size;
}

# Stops everything, checks what every nginx logged, and ends the test.
sub finish {
  $_->stop for HlsTest::Nginx->all;
  $_->check_logs for HlsTest::Nginx->all;
  HlsTest::Origin->stop_all;
  done_testing();
}

1;
