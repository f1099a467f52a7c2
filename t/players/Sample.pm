package Sample;

# The origin of the players' tests: t/sample, each URL guarded by a token in its query, as the origin of
# nginx.conf.example does it.

use strict;
use warnings;

use Digest::MD5 qw(md5);
use Exporter qw(import);
use MIME::Base64 qw(encode_base64url);

use HlsTest::Nginx;

our @EXPORT = qw(start_sample_origin sample_url playlist_uris absolute renditions);

use constant EXPIRES => 4102444800;
use constant TOKEN_SECRET => 'the origin of the tests';

# `hook`: more for the server block.
sub start_sample_origin {
  my (%opt) = @_;
  my $dir = HlsTest::Nginx::root() . '/t/sample';
  my $guard = TOKEN_SECRET;
  my $server = <<"END";
types { application/vnd.apple.mpegurl m3u8; video/mp2t ts; video/mp4 mp4; video/iso.segment m4s;
        text/vtt vtt; application/octet-stream key; }
location /sample/ {
  alias $dir/;
  secure_link \$arg_md5,\$arg_expires;
  secure_link_md5 '\$secure_link_expires $guard';
  if (\$secure_link != 1) { return 403; }
  sub_filter '\@token\@' 'expires=\$arg_expires&md5=\$arg_md5';
  sub_filter_types application/vnd.apple.mpegurl;
  sub_filter_once off;
}
END
  return HlsTest::Nginx->start(module => 0, server => $server . ($opt{hook} // ''));
}

# The URL of a file of the sample at the origin.
sub sample_url {
  my ($origin, $file) = @_;
  my $token = encode_base64url(md5(EXPIRES . ' ' . TOKEN_SECRET));
  return "http://127.0.0.1:$origin->{port}/sample/$file?expires=" . EXPIRES . "&md5=$token";
}

# All URIs of a playlist, in its order.
sub playlist_uris {
  my ($text) = @_;
  return map { /^#/ ? /[:,]URI="([^"]*)"/ : $_ } grep { length } split /\r?\n/, $text;
}

# The little of reference resolution that the sample and links need.
sub absolute {
  my ($base, $uri) = @_;
  return $uri if $uri =~ m{^http://};
  return ($base =~ m{^(http://[^/]+)})[0] . $uri if $uri =~ m{^/};
  return ($base =~ m{^([^?]*/)})[0] . $uri;
}

# What the multivariant playlist names: [name, URL at the origin, URL at the relay], one after the other.
sub renditions {
  my ($origin, $relay, $entry) = @_;
  my $direct = sample_url($origin, 'master.m3u8');
  my $through = "http://127.0.0.1:$relay->{port}$entry";
  my @direct = map { absolute($direct, $_) } playlist_uris($origin->get($direct)->{body});
  my @through = map { absolute($through, $_) } playlist_uris($relay->get($entry)->{body});
  return map { [$direct[$_] =~ m{/sample/(\w+)}, $direct[$_], $through[$_]] } 0 .. $#direct;
}

1;
